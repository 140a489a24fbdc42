// Keeps libmilter's thread for signals from ever taking one. Never with the GIL.
//
// That thread waits for SIGHUP, SIGINT and SIGTERM (sigwait), and then stops the filter without saying which signal it
// was. The kernel prefers the main thread, unless that has signals blocked or is just about to handle one.
#pragma once

#include <pthread.h>

#include <csignal>
#include <future>

#include "core/process/interruption.hpp"

namespace pymilter {

// Parks it as soon as it waits for signals. `main_loop` is the thread that runs smfi_main, `mask` the signals blocked
// in it, `ended` is ready when it has ended. Does nothing if the system does not show enough about threads; libmilter's
// thread may then take a signal.
void park_signal_thread(const Interruption &interruption, pthread_t main_loop, const sigset_t &mask,
                        const std::shared_future<int> &ended);

}  // namespace pymilter
