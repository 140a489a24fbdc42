// The end of a process that a handler has forked. Needs the GIL.
#pragma once

namespace pymilter {

// Ends the process like the end of a program, with the exception that is set, if there is one. See
// pymilter/_process/forked.py.
[[noreturn]] void end_forked_process() noexcept;

}  // namespace pymilter
