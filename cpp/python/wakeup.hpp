// Python's own note of a signal, while a filter runs: the byte that it writes where signal.set_wakeup_fd() said. Needs
// the GIL.
#pragma once

#include "python/python.hpp"

namespace pymilter {

// A program that runs a filter beside its main thread may call signal.signal() there at any time, which takes away the
// handler of SignalChain until that is renewed. In between, Python's handler still writes the signal here.
class Wakeup {
public:
    // `descriptor` must not block. Where somebody else has one in place (asyncio), that stays.
    explicit Wakeup(int descriptor) : m_descriptor(descriptor) {
        const int earlier = PySignal_SetWakeupFd(descriptor);
        if (earlier != -1) {
            PySignal_SetWakeupFd(earlier);
            m_descriptor = -1;
        }
    }
    ~Wakeup() {
        if (m_descriptor == -1) {
            return;
        }
        const int current = PySignal_SetWakeupFd(-1);
        if (current != m_descriptor) {
            PySignal_SetWakeupFd(current);
        }
    }
    Wakeup(const Wakeup &) = delete;
    Wakeup &operator=(const Wakeup &) = delete;

private:
    int m_descriptor;
};

}  // namespace pymilter
