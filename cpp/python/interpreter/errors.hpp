// The exceptions of pymilter.errors, raised from C++. Needs the GIL.
#pragma once

#include <cstdint>
#include <string>

#include "python/interpreter/python.hpp"

namespace pymilter {

[[noreturn]] void raise_milter_error(const std::string &message);

// For an SMFIF_* action that was not granted in negotiation.
[[noreturn]] void raise_disabled_action(std::uint32_t action, const char *what);

// Sets a BadValue, for arguments that are refused.
void set_bad_value(const char *message);

// Takes the exception that is set, with its traceback.
py::object take_exception();

}  // namespace pymilter
