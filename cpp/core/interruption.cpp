// A signal that makes a system call of one thread return early, and does nothing else.
#include "core/interruption.hpp"

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <stdexcept>

namespace pymilter {

namespace {

void on_interruption(int) {}

#ifdef SIGRTMAX
// Programs that use such signals count from SIGRTMIN.
int highest() { return SIGRTMAX; }
int lowest() { return SIGRTMIN; }
#else
int highest() { return SIGUSR2; }
int lowest() { return SIGUSR1; }
#endif

}  // namespace

pid_t current_thread_id() noexcept {
#ifdef __linux__
    return static_cast<pid_t>(::syscall(SYS_gettid));
#else
    return 0;
#endif
}

Interruption::Interruption() {
    struct sigaction ours{};
    ours.sa_handler = on_interruption;  // without SA_RESTART
    sigemptyset(&ours.sa_mask);
    for (int number = highest(); number >= lowest(); --number) {
        if (::sigaction(number, nullptr, &m_earlier) == 0 && m_earlier.sa_handler == SIG_DFL &&
            ::sigaction(number, &ours, nullptr) == 0) {
            m_number = number;
            return;
        }
    }
    throw std::runtime_error("every real-time signal has a handler, and one is needed to end libmilter's polls");
}

Interruption::~Interruption() {
    struct sigaction current{};
    ::sigaction(m_number, nullptr, &current);
    if (current.sa_handler == on_interruption) {
        ::sigaction(m_number, &m_earlier, nullptr);
    }
}

void Interruption::interrupt_unblocked(pid_t thread) const noexcept {
#ifdef __linux__
    if (thread != 0) {
        ::syscall(SYS_tgkill, ::getpid(), thread, m_number);
    }
#else
    static_cast<void>(thread);
#endif
}

}  // namespace pymilter
