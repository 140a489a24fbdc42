// A signal that makes a system call of one thread return early, or puts the thread to rest.
#include "core/interruption.hpp"

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <stdexcept>

namespace pymilter {

namespace {

std::atomic<pid_t> to_rest{0};  // the kernel's number of a thread
std::atomic<bool> is_at_rest{false};

void on_interruption(int) {
#ifdef __linux__
    if (to_rest.load() == 0 || to_rest.load() != ::syscall(SYS_gettid)) {
        return;
    }
    // What glibc sends its threads, for setuid() as an example, comes through.
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    is_at_rest.store(true);
    while (true) {
        ::pause();
    }
#endif
}

#ifdef SIGRTMAX
// Programs that use such signals count from SIGRTMIN.
int highest() { return SIGRTMAX; }
int lowest() { return SIGRTMIN; }
#else
int highest() { return SIGUSR2; }
int lowest() { return SIGUSR1; }
#endif

}  // namespace

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

void Interruption::put_to_rest(pid_t thread) const noexcept {
#ifdef __linux__
    to_rest.store(thread);
    ::syscall(SYS_tgkill, ::getpid(), thread, m_number);
#else
    static_cast<void>(thread);
#endif
}

bool Interruption::has_put_to_rest() noexcept { return is_at_rest.load(); }

}  // namespace pymilter
