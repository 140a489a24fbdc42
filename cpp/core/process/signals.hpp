// SIGTERM, SIGHUP and SIGINT while a filter runs: one byte into a pipe, then the handler that was there before.
//
// Works from whichever thread runs the filter, with and without handlers of Python's, because it chains in C.
#pragma once

#include <csignal>

namespace pymilter {

// All signals but those of a fault, which must stay deliverable: what a thread blocks that is not the program's own.
sigset_t signals_of_others() noexcept;

// SIGTERM, SIGHUP and SIGINT: those that end a filter.
bool is_watched(int number) noexcept;

class SignalChain {
public:
    // Each of the signals writes its number as one byte to `descriptor` (non-blocking) at once. With `holds`, its
    // handler waits for let_through(), at the longest for the end of the chain. The second signal ends the process at
    // once, whichever of the three it is. With `reloads`, SIGHUP may come any number of times, does not count as one of
    // these two, and is taken even if it was ignored before. One chain at a time per process.
    SignalChain(int descriptor, bool holds, bool reloads);
    ~SignalChain();
    SignalChain(const SignalChain &) = delete;
    SignalChain &operator=(const SignalChain &) = delete;

    void let_through() noexcept;
    // Chains again over a handler that was installed meanwhile, as signal.signal() does.
    void renew() noexcept;
};

}  // namespace pymilter
