// Keeps libmilter's thread for signals from ever taking one.
#include "core/process/signal_thread.hpp"

#include <dirent.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

namespace pymilter {

namespace {

using namespace std::chrono_literals;

// libmilter creates the thread at once, but a busy machine may take long to run it.
constexpr auto patience = 2s;
constexpr auto look_every = 200us;
constexpr int looks_until_nudge = 50;

// A mask as the kernel writes it in /proc, with bit 0 for signal 1. Without the real-time signals, some of which the C
// library keeps for itself.
constexpr std::uint64_t standard_signals = 0x7fffffff;

std::uint64_t mask_while_waiting(sigset_t mask) {
    // The last two cannot be blocked.
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGKILL, SIGSTOP}) {
        sigdelset(&mask, number);
    }
    std::uint64_t bits = 0;
    for (int number = 1; number <= 31; ++number) {
        if (sigismember(&mask, number) == 1) {
            bits |= std::uint64_t{1} << (number - 1);
        }
    }
    return bits;
}

std::uint64_t blocked_in(const std::string &thread) {
    std::ifstream status("/proc/self/task/" + thread + "/status");
    std::string word;
    while (status >> word) {
        if (word == "SigBlk:" && status >> word) {
            return std::strtoull(word.c_str(), nullptr, 16) & standard_signals;
        }
    }
    return 0;
}

// The thread that has exactly these signals blocked; 0 if there is none. While a thread waits for signals, the kernel
// does not count them as blocked, so no other thread has this mask.
pid_t find_thread(DIR *threads, std::uint64_t mask) {
    ::rewinddir(threads);
    while (const dirent *const entry = ::readdir(threads)) {
        if (blocked_in(entry->d_name) == mask) {
            return static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
        }
    }
    return 0;
}

}  // namespace

void park_signal_thread(const Interruption &interruption, pthread_t main_loop, const sigset_t &mask,
                        const std::shared_future<int> &ended) {
    DIR *const threads = Interruption::can_park ? ::opendir("/proc/self/task") : nullptr;
    if (threads == nullptr) {
        return;
    }
    const std::uint64_t expected = mask_while_waiting(mask);
    const auto until = std::chrono::steady_clock::now() + patience;
    int looks = 0;
    do {
        if (const pid_t found = find_thread(threads, expected)) {
            interruption.park(found);
        } else if (++looks % looks_until_nudge == 0) {
            // It may have taken a signal that was pending before. libmilter's main loop sees that when its poll ends.
            interruption.interrupt(main_loop);
        }
    } while (!Interruption::has_parked() && ended.wait_for(look_every) != std::future_status::ready &&
             std::chrono::steady_clock::now() < until);
    ::closedir(threads);
    // The thread may have taken a signal just before, which the main loop sees only when its poll ends.
    interruption.interrupt(main_loop);
}

}  // namespace pymilter
