// A signal that makes a system call of one thread return early, or parks the thread for good.
#include "core/process/interruption.hpp"

#ifdef __linux__
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#endif

#include <atomic>
#include <cerrno>
#include <stdexcept>

namespace pymilter {

namespace {

std::atomic<pid_t> thread_to_park{0};  // by its kernel thread id
std::atomic<bool> is_parked{false};

#ifdef __linux__
// Whether the signal has made a system call of this thread fail with EINTR. A sigwait that has just received another
// signal succeeds instead, and its caller must go on and act on that signal.
bool has_failed_a_call(const void *context) {
    const auto &machine = static_cast<const ucontext_t *>(context)->uc_mcontext;
#if defined(__x86_64__)
    return machine.gregs[REG_RAX] == -EINTR;
#elif defined(__aarch64__)
    return static_cast<long>(machine.regs[0]) == -EINTR;
#else
    static_cast<void>(machine);
    return false;
#endif
}
#endif

void on_interruption(int, siginfo_t *, void *context) {
#ifdef __linux__
    if (thread_to_park.load() == 0 || thread_to_park.load() != ::syscall(SYS_gettid) || !has_failed_a_call(context)) {
        return;
    }
    // This blocks all signals but those that glibc sends to its threads, for example for setuid().
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    is_parked.store(true);
    while (true) {
        ::pause();
    }
#else
    static_cast<void>(context);
#endif
}

#ifdef SIGRTMAX
// Counted down, because programs that use real-time signals count up from SIGRTMIN.
int highest() { return SIGRTMAX; }
int lowest() { return SIGRTMIN; }
#else
int highest() { return SIGUSR2; }
int lowest() { return SIGUSR1; }
#endif

}  // namespace

Interruption::Interruption() {
    struct sigaction ours{};
    ours.sa_sigaction = on_interruption;
    ours.sa_flags = SA_SIGINFO;  // without SA_RESTART
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
    if (current.sa_sigaction == on_interruption) {
        ::sigaction(m_number, &m_earlier, nullptr);
    }
}

void Interruption::park(pid_t thread) const noexcept {
#ifdef __linux__
    thread_to_park.store(thread);
    ::syscall(SYS_tgkill, ::getpid(), thread, m_number);
#else
    static_cast<void>(thread);
#endif
}

bool Interruption::has_parked() noexcept { return is_parked.load(); }

}  // namespace pymilter
