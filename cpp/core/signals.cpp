// SIGTERM, SIGHUP and SIGINT while a filter runs: one byte into a pipe, then the handler that was there before.
#include "core/signals.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "core/descriptors.hpp"

namespace pymilter {

namespace {

constexpr std::array<int, 3> watched{SIGTERM, SIGHUP, SIGINT};

// Read by the handler, so only lock-free atomics and plain data that does not change while a handler is installed.
std::atomic<int> target{-1};
std::atomic<pid_t> owner{0};
std::array<std::atomic<void (*)(int)>, watched.size()> earlier{};
std::array<std::atomic<bool>, watched.size()> seen{};
std::array<struct sigaction, watched.size()> saved{};
std::array<bool, watched.size()> installed{};

void on_signal(int number) {
    const int saved_errno = errno;
    for (std::size_t index = 0; index < watched.size(); ++index) {
        if (watched[index] != number) {
            continue;
        }
        if (::getpid() != owner.load()) {
            // A child of a fork, which shares the pipe: the signal is for it alone.
            if (auto *const handler = earlier[index].load()) {
                handler(number);
            } else {
                ::signal(number, SIG_DFL);
                ::raise(number);
            }
            break;
        }
        if (seen[index].exchange(true)) {
            // The second one ends the process at once, whatever still hangs.
            ::signal(number, SIG_DFL);
            ::raise(number);
        }
        const int descriptor = target.load();
        const auto byte = static_cast<unsigned char>(number);
        if (descriptor >= 0) {
            write_byte(descriptor, byte);
        }
        if (auto *const handler = earlier[index].load()) {
            handler(number);
        }
    }
    errno = saved_errno;
}

}  // namespace

sigset_t signals_of_others() noexcept {
    sigset_t set;
    sigfillset(&set);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
        sigdelset(&set, fault);
    }
    return set;
}

bool is_watched(int number) noexcept { return std::find(watched.begin(), watched.end(), number) != watched.end(); }

SignalChain::SignalChain(int descriptor) {
    target.store(descriptor);
    owner.store(::getpid());
    for (std::size_t index = 0; index < watched.size(); ++index) {
        seen[index].store(false);
        install(index);
    }
}

SignalChain::~SignalChain() {
    for (std::size_t index = 0; index < watched.size(); ++index) {
        if (!installed[index]) {
            continue;
        }
        struct sigaction current{};
        ::sigaction(watched[index], nullptr, &current);
        if (current.sa_handler == on_signal) {
            ::sigaction(watched[index], &saved[index], nullptr);
        }
        installed[index] = false;
    }
    target.store(-1);
}

void SignalChain::renew() noexcept {
    for (std::size_t index = 0; index < watched.size(); ++index) {
        install(index);
    }
}

void SignalChain::install(std::size_t index) noexcept {
    struct sigaction current{};
    ::sigaction(watched[index], nullptr, &current);
    const bool ignored = current.sa_handler == SIG_IGN;  // as nohup does: the user's wish
    if (ignored || current.sa_handler == on_signal || (current.sa_flags & SA_SIGINFO) != 0) {
        return;
    }
    struct sigaction ours{};
    ours.sa_handler = on_signal;
    sigfillset(&ours.sa_mask);
    // What is replaced counts, not what was seen above: another thread may install its handler just now.
    struct sigaction replaced{};
    ::sigaction(watched[index], &ours, &replaced);
    if (replaced.sa_handler == on_signal) {
        return;
    }
    earlier[index].store(replaced.sa_handler == SIG_DFL || replaced.sa_handler == SIG_IGN ? nullptr
                                                                                          : replaced.sa_handler);
    saved[index] = replaced;
    installed[index] = true;
}

}  // namespace pymilter
