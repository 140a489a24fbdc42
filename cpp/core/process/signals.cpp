// SIGTERM, SIGHUP and SIGINT while a filter runs: one byte into a pipe, then the handler that was there before.
#include "core/process/signals.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "core/process/descriptors.hpp"

namespace pymilter {

namespace {

// What the signal handler reads: only lock-free atomics, and plain data that never changes while it is installed.
struct Watched {
    const int number;
    std::atomic<void (*)(int)> earlier{nullptr};
    std::atomic<bool> is_held{false};
    std::atomic<bool> is_sent_again{false};
    struct sigaction saved{};
    bool is_installed = false;
};

std::array<Watched, 3> all_watched{{{SIGTERM}, {SIGHUP}, {SIGINT}}};
std::atomic<int> target{-1};
std::atomic<pid_t> owner{0};
// The signals so far that end the filter, each a bit.
std::atomic<unsigned> ending{0};
std::atomic<bool> is_holding{false};
std::atomic<bool> is_reloading_on_hup{false};

void end_process(int number) {
    ::signal(number, SIG_DFL);
    ::raise(number);
}

void call_earlier_handler(const Watched &watched) {
    if (auto *const handler = watched.earlier.load()) {
        handler(watched.number);
    }
}

constexpr unsigned bit_of(int number) { return 1U << static_cast<unsigned>(number); }

// Whether the process is to end at once, whatever still hangs: this is the second signal that ends the filter.
// One SIGTERM and one SIGHUP are a single request: systemd sends both together if it is told to (SendSIGHUP=yes).
bool is_second(int number) {
    constexpr unsigned request = bit_of(SIGTERM) | bit_of(SIGHUP);
    const unsigned earlier = ending.fetch_or(bit_of(number));
    const unsigned all = earlier | bit_of(number);
    return earlier != 0 && (earlier == all || (all & ~request) != 0);
}

void note_signal(Watched &watched) {
    const bool reloads = watched.number == SIGHUP && is_reloading_on_hup.load();
    if (!reloads && is_second(watched.number)) {
        end_process(watched.number);
    }
    const int descriptor = target.load();
    if (descriptor >= 0) {
        write_byte(descriptor, static_cast<unsigned char>(watched.number));
    }
}

// A forked process shares the pipe, but the signal is for that process alone.
void take_signal_in_child(const Watched &watched) {
    if (watched.earlier.load() == nullptr) {
        end_process(watched.number);
    }
    call_earlier_handler(watched);
}

void take_signal(Watched &watched) {
    if (!watched.is_sent_again.exchange(false)) {
        note_signal(watched);
    }
    watched.is_held.store(true);
    // Either this thread sees that handlers run again, or let_through() in another thread sees this signal.
    if (!is_holding.load() && watched.is_held.exchange(false)) {
        call_earlier_handler(watched);
    }
}

void on_signal(int number) {
    const int saved_errno = errno;
    for (Watched &watched : all_watched) {
        if (watched.number == number) {
            ::getpid() == owner.load() ? take_signal(watched) : take_signal_in_child(watched);
        }
    }
    errno = saved_errno;
}

bool is_to_install(const Watched &watched) noexcept {
    struct sigaction current{};
    ::sigaction(watched.number, nullptr, &current);
    // An ignored signal stays ignored, because the user wants that (nohup); but not SIGHUP if the program reloads on
    // it.
    const bool reloads = watched.number == SIGHUP && is_reloading_on_hup.load();
    const bool ignored = current.sa_handler == SIG_IGN && !reloads;
    return !ignored && current.sa_handler != on_signal && (current.sa_flags & SA_SIGINFO) == 0;
}

void install(Watched &watched) noexcept {
    struct sigaction ours{};
    ours.sa_handler = on_signal;
    sigfillset(&ours.sa_mask);
    // The handler that is replaced counts, not the one seen before: another thread may have just installed its own.
    struct sigaction replaced{};
    ::sigaction(watched.number, &ours, &replaced);
    if (replaced.sa_handler == on_signal) {
        return;
    }
    const bool is_handler = replaced.sa_handler != SIG_DFL && replaced.sa_handler != SIG_IGN;
    watched.earlier.store(is_handler ? replaced.sa_handler : nullptr);
    watched.saved = replaced;
    watched.is_installed = true;
}

void uninstall(Watched &watched) noexcept {
    if (!watched.is_installed) {
        return;
    }
    struct sigaction current{};
    ::sigaction(watched.number, nullptr, &current);
    if (current.sa_handler == on_signal) {
        ::sigaction(watched.number, &watched.saved, nullptr);
    }
    watched.is_installed = false;
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

bool is_watched(int number) noexcept {
    return std::any_of(all_watched.begin(), all_watched.end(),
                       [&](const Watched &watched) { return watched.number == number; });
}

SignalChain::SignalChain(int descriptor, bool holds, bool reloads) {
    is_reloading_on_hup.store(reloads);
    target.store(descriptor);
    owner.store(::getpid());
    ending.store(0);
    is_holding.store(true);  // until it is known whose handlers were replaced
    for (Watched &watched : all_watched) {
        watched.is_held.store(false);
        watched.is_sent_again.store(false);
        if (is_to_install(watched)) {
            install(watched);
        }
    }
    if (!holds) {
        let_through();
    }
}

SignalChain::~SignalChain() {
    for (Watched &watched : all_watched) {
        uninstall(watched);
        if (watched.is_held.exchange(false) && ::getpid() == owner.load()) {
            ::kill(::getpid(), watched.number);
        }
    }
    target.store(-1);
}

void SignalChain::let_through() noexcept {
    is_holding.store(false);
    for (Watched &watched : all_watched) {
        if (watched.is_held.exchange(false) && watched.earlier.load() != nullptr) {
            // Sent to the process, so that the thread that runs Python's handlers wakes.
            watched.is_sent_again.store(true);
            ::kill(::getpid(), watched.number);
        }
    }
}

void SignalChain::renew() noexcept {
    for (Watched &watched : all_watched) {
        if (is_to_install(watched)) {
            is_holding.store(true);  // until it is known whose handler was replaced
            install(watched);
            let_through();
        }
    }
}

}  // namespace pymilter
