// Python's wakeup descriptor, for a filter that runs beside the main thread: Python's signal handler writes a byte to
// the descriptor that signal.set_wakeup_fd() names. Needs the GIL.
#pragma once

#include <cstdint>

#include "python/interpreter/python.hpp"

namespace pymilter {

// A program may call signal.signal() in its main thread at any time, which replaces the handler of SignalChain until
// that is renewed. Meanwhile Python's handler still writes the signal to the wakeup descriptor.
class Wakeup {
public:
    // Only the main thread may set it, so it is asked to, and does so before it runs any more of the program.
    // `descriptor` must be non-blocking and stay open. If somebody else (asyncio) has set one, that stays.
    static void claim(int descriptor) {
        Py_AddPendingCall(&set, reinterpret_cast<void *>(static_cast<std::intptr_t>(descriptor)));
    }
    // Gives it back, as soon as the main thread gets to that.
    static void release(int descriptor) {
        Py_AddPendingCall(&unset, reinterpret_cast<void *>(static_cast<std::intptr_t>(descriptor)));
    }

private:
    static int set(void *argument) { return guarded(number(argument), -1); }
    static int unset(void *argument) { return guarded(-1, number(argument)); }
    static int number(void *argument) { return static_cast<int>(reinterpret_cast<std::intptr_t>(argument)); }
    static int guarded(int descriptor, int expected) {
        try {
            exchange(descriptor, expected);
        } catch (py::error_already_set &error) {
            error.discard_as_unraisable("pymilter: noting signals");
        }
        return 0;
    }
    static void exchange(int descriptor, int expected) {
        const py::object set_wakeup_fd = py::module_::import("signal").attr("set_wakeup_fd");
        const py::object earlier = set_wakeup_fd(descriptor, py::arg("warn_on_full_buffer") = false);
        if (py::cast<int>(earlier) != expected) {
            set_wakeup_fd(earlier);
        }
    }
};

}  // namespace pymilter
