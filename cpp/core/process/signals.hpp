// SIGTERM, SIGHUP and SIGINT while a filter runs: one byte into a pipe, then the handler that was there before.
//
// Works for a filter in any thread, with and without handlers in Python, because it chains in C.
#pragma once

#include <csignal>

namespace pymilter {

// The mask for our own threads: every signal except the synchronous faults (SIGSEGV, ...).
sigset_t signals_of_others() noexcept;

// Whether this is SIGTERM, SIGHUP or SIGINT, which end a filter.
bool is_watched(int number) noexcept;

class SignalChain {
public:
    // Each of the signals writes its number as one byte to `descriptor` (non-blocking) at once. With `holds`, the
    // handlers of the program wait for let_through(), or for the end of the chain. The second signal ends the process
    // at once, whichever of the three it is. With `reloads`, SIGHUP may come any number of times, does not count as one
    // of these two, and is taken even if it was ignored before. One chain at a time per process.
    SignalChain(int descriptor, bool holds, bool reloads);
    ~SignalChain();
    SignalChain(const SignalChain &) = delete;
    SignalChain &operator=(const SignalChain &) = delete;

    // Lets the handlers of the program run, also for signals that have come meanwhile.
    void let_through() noexcept;
    // Takes the place of handlers that were installed meanwhile, as by signal.signal().
    void renew() noexcept;
};

}  // namespace pymilter
