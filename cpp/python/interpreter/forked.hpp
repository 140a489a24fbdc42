// The end of a process that was forked within a handler. Needs the GIL.
#pragma once

namespace pymilter {

// Ends the process as a program would, with the exception that is set just now, if there is one. See _forked.py.
[[noreturn]] void end_forked_process() noexcept;

}  // namespace pymilter
