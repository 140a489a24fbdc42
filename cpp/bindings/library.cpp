// What pymilter._core offers of libmilter as a whole, and what is in progress in this process.
#include <dlfcn.h>
#include <pybind11/stl.h>

#include <chrono>
#include <csignal>
#include <string>
#include <tuple>
#include <vector>

#include "bindings/bindings.hpp"
#include "core/protocol/libmilter.hpp"
#include "core/process/signals.hpp"
#include "core/process/traffic.hpp"
#include "python/interpreter/errors.hpp"
#include "python/interpreter/gil.hpp"

namespace pymilter {

namespace {

std::tuple<unsigned, unsigned, unsigned> library_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    ::smfi_version(&major, &minor, &patch);
    return {major, minor, patch};
}

// The rule of libmilter itself: major and minor version of header and library must be equal.
void check_library_version() {
    const auto [major, minor, patch] = library_version();
    const unsigned built_major = SM_LM_VRS_MAJOR(SMFI_VERSION);
    const unsigned built_minor = SM_LM_VRS_MINOR(SMFI_VERSION);
    if (major != built_major || minor != built_minor) {
        throw py::import_error("pymilter was built with libmilter " + std::to_string(built_major) + '.' +
                               std::to_string(built_minor) + ", but libmilter " + std::to_string(major) + '.' +
                               std::to_string(minor) + " is installed: build pymilter again");
    }
}

// Whether the libmilter in use has a function, which may be one that only some builds have.
bool has_function(const char *name) noexcept { return ::dlsym(RTLD_DEFAULT, name) != nullptr; }

// What can be learned about the build of the libmilter in use.
py::dict library_build() {
    Dl_info place{};
    const bool is_found = ::dladdr(reinterpret_cast<void *>(&::smfi_main), &place) != 0 && place.dli_fname != nullptr;
    py::dict build;
    build["version"] = library_version();
    build["header"] =
        std::make_tuple(SM_LM_VRS_MAJOR(SMFI_VERSION), SM_LM_VRS_MINOR(SMFI_VERSION), SM_LM_VRS_PLVL(SMFI_VERSION));
    build["protocol"] = SMFI_PROT_VERSION;
    build["file"] = is_found ? py::object(py::str(place.dli_fname)) : py::none();
    build["pool"] = has_function("mi_pool_controller_init");  // _FFR_WORKERS_POOL
    build["ipv6"] = has_function("mi_inet_pton");             // NETINET6
    build["data_size"] = has_function("smfi_setmaxdatasize");
    return build;
}

std::size_t set_max_data_size(std::size_t size) {
#if PYMILTER_HAVE_SETMAXDATASIZE
    return ::smfi_setmaxdatasize(size);
#else
    raise_milter_error("this libmilter has no smfi_setmaxdatasize, so the limit of one packet cannot be set to " +
                       std::to_string(size));
#endif
}

std::vector<int> numbers_of(const sigset_t &set) {
    std::vector<int> numbers;
    for (int number = 1; number < NSIG; ++number) {
        if (::sigismember(&set, number) == 1) {
            numbers.push_back(number);
        }
    }
    return numbers;
}

}  // namespace

void bind_library(py::module_ &module) {
    check_library_version();

    module.def("version", &library_version, "The version of the libmilter in use: major, minor, patch (smfi_version).");
    module.def("build", &library_build,
               "The build of the libmilter in use: its version, that of the header, the protocol, the "
               "file, and its optional parts.");
    module.def(
        "setdbg", [](int level) { ::smfi_setdbg(level); }, py::arg("level"),
        "Set the level of debug output from libmilter; 0 for none (smfi_setdbg).");
    module.def("setmaxdatasize", &set_max_data_size, py::arg("size"),
               "Set the limit of one packet in bytes, and return the previous one (smfi_setmaxdatasize).");
    module.def("messages_under_way", [] { return traffic.under_way(); }, "How many messages have begun and not ended.");
    module.def(
        "messages_too_late", [] { return traffic.late(); },
        "How many messages began after end_messages() and have had no answer yet.");
    module.def("end_messages", [] { traffic.close(); }, "Let no more messages begin: each gets TEMPFAIL.");
    module.def(
        "end_messages_when_none", [] { return traffic.close_when_empty(); },
        "Do the same if no message is under way; false if one is.");
    module.def(
        "signals_of_others", [] { return numbers_of(signals_of_others()); },
        "The signals that a thread of ours blocks: all but the synchronous faults.");
    module.def("before_fork", &ForkGuard::hold,
               "Wait until no thread is entering Python for the first time, and let none begin to.");
    module.def("after_fork", &ForkGuard::release, "Undo before_fork(), in the parent and in the child.");
    module.def("is_in_callback", &Attach::is_here, "Whether libmilter called the calling thread.");
    module.def(
        "shut_gate",
        [](double seconds) {
            const Release release;
            return Gate::shut(std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)});
        },
        py::arg("seconds"), "Let no more callbacks in, and wait for those inside; false if the time is over first.");
}

}  // namespace pymilter
