// libmilter's own thread for signals, kept from ever taking one. Never with the GIL.
//
// It waits for SIGHUP, SIGINT and SIGTERM (sigwait), and stops the filter without a word of which one it was. The
// kernel prefers the main thread, unless that has signals blocked or has one on its way just then.
#pragma once

#include <pthread.h>

#include <csignal>
#include <future>

#include "core/process/interruption.hpp"

namespace pymilter {

// Puts it to rest as soon as it waits for signals. `main_loop` is the thread that runs smfi_main, `mask` what is
// blocked in it, `ended` its end. Does nothing where the system does not tell enough of threads: libmilter's may then
// take a signal.
void rest_signal_thread(const Interruption &interruption, pthread_t main_loop, const sigset_t &mask,
                        const std::shared_future<int> &ended);

}  // namespace pymilter
