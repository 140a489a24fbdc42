# Finds libmilter and defines the imported target Milter::Milter.
#
# Sets Milter_FOUND, Milter_VERSION (when pkg-config knows it), Milter_INCLUDE_DIR, Milter_LIBRARY and
# Milter_HAS_SETMAXDATASIZE (whether this libmilter has smfi_setmaxdatasize).
# Hints: the variable or environment variable Milter_ROOT.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_Milter QUIET milter)
endif()

find_path(Milter_INCLUDE_DIR NAMES libmilter/mfapi.h HINTS ${PC_Milter_INCLUDE_DIRS})
find_library(Milter_LIBRARY NAMES milter HINTS ${PC_Milter_LIBRARY_DIRS} PATH_SUFFIXES libmilter)
set(Milter_VERSION "${PC_Milter_VERSION}")

set(_milter_missing
    "libmilter was not found: install it with 'apt-get install libmilter-dev' (Debian, Ubuntu), \
'dnf install sendmail-milter-devel' (Fedora, RHEL), 'pkg install libmilter' (FreeBSD) or 'brew install libmilter' \
(Homebrew), or point Milter_ROOT at it.")

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Milter
  REQUIRED_VARS Milter_LIBRARY Milter_INCLUDE_DIR
  VERSION_VAR Milter_VERSION
  REASON_FAILURE_MESSAGE "${_milter_missing}")

if(Milter_FOUND)
  include(CheckCXXSymbolExists)
  set(CMAKE_REQUIRED_INCLUDES "${Milter_INCLUDE_DIR}")
  set(CMAKE_REQUIRED_LIBRARIES "${Milter_LIBRARY}")
  check_cxx_symbol_exists(smfi_setmaxdatasize libmilter/mfapi.h Milter_HAS_SETMAXDATASIZE)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()

if(Milter_FOUND AND NOT TARGET Milter::Milter)
  find_package(Threads REQUIRED)
  add_library(Milter::Milter UNKNOWN IMPORTED)
  set_target_properties(
    Milter::Milter
    PROPERTIES IMPORTED_LOCATION "${Milter_LIBRARY}"
               INTERFACE_INCLUDE_DIRECTORIES "${Milter_INCLUDE_DIR}"
               INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
mark_as_advanced(Milter_INCLUDE_DIR Milter_LIBRARY)
