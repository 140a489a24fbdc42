// Signals, the thread that is parked, and libmilter's loop.
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>

#include "core/process/interruption.hpp"
#include "core/process/rehearsal.hpp"
#include "core/process/signals.hpp"
#include "faults.hpp"
#include "served.hpp"

using namespace pymilter;

namespace {

std::atomic<int> handled{0};
void on_signal(int) { ++handled; }
void on_other_signal(int) {}
void on_detailed_signal(int, siginfo_t *, void *) {}

void (*handler_of(int number))(int) {
    struct sigaction action{};
    ::sigaction(number, nullptr, &action);
    return action.sa_handler;
}

// The numbers of the signals that came through the pipe.
std::string noted(const std::array<int, 2> &pipe) {
    std::string text;
    unsigned char byte = 0;
    while (::read(pipe[0], &byte, 1) == 1) {
        text += std::to_string(byte) + ' ';
    }
    return text;
}

// How a process ends that does this.
int end_of(const std::function<void()> &work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    HOLDS(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

CASE(threads_of_ours_take_only_faults) {
    const sigset_t mask = signals_of_others();
    for (int number = 1; number <= 31; ++number) {
        const bool is_fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
                              number == SIGABRT || number == SIGTRAP || number == SIGSYS;
        EQUAL(sigismember(&mask, number), is_fault ? 0 : 1);
        EQUAL(is_watched(number), (number == SIGTERM || number == SIGHUP || number == SIGINT));
    }
    HOLDS(!is_watched(0));
    HOLDS(!is_watched(255));
}

CASE(a_signal_is_noted_and_its_handler_runs) {
    const auto pipe = open_pipe();
    ::signal(SIGTERM, on_signal);
    {
        const SignalChain chain(pipe[1], false, false);
        errno = 77;
        ::raise(SIGTERM);
        EQUAL(errno, 77);
        EQUAL(noted(pipe), "15 ");
        EQUAL(handled.load(), 1);
        HOLDS(handler_of(SIGINT) == handler_of(SIGTERM));
        HOLDS(handler_of(SIGUSR1) == SIG_DFL);
    }
    HOLDS(handler_of(SIGTERM) == on_signal);
    HOLDS(handler_of(SIGINT) == SIG_DFL);
    ::raise(SIGTERM);
    EQUAL(noted(pipe), "");
    EQUAL(handled.load(), 2);
}

CASE(handlers_wait_until_they_are_let_through) {
    const auto pipe = open_pipe();
    ::signal(SIGTERM, on_signal);
    SignalChain chain(pipe[1], true, false);
    ::raise(SIGTERM);
    EQUAL(noted(pipe), "15 ");
    EQUAL(handled.load(), 0);
    chain.let_through();
    EQUAL(handled.load(), 1);
    EQUAL(noted(pipe), "");  // it is the same signal
    chain.let_through();
    EQUAL(handled.load(), 1);
    ::raise(SIGHUP);  // systemd sends both together; it has no handler
    EQUAL(noted(pipe), "1 ");
    chain.let_through();
    EQUAL(handled.load(), 1);
}

CASE(a_handler_that_was_held_runs_at_the_end_of_the_chain) {
    const auto pipe = open_pipe();
    ::signal(SIGTERM, on_signal);
    {
        const SignalChain chain(pipe[1], true, false);
        ::raise(SIGTERM);
        EQUAL(handled.load(), 0);
    }
    EQUAL(handled.load(), 1);
    EQUAL(end_of([&] {
              const SignalChain chain(pipe[1], true, false);
              ::raise(SIGINT);
          }),
          SIGINT);
}

CASE(the_second_signal_ends_the_process) {
    const auto pipe = open_pipe();
    const auto end_after = [&](std::initializer_list<int> numbers, bool reloads = false) {
        return end_of([&] {
            ::signal(SIGTERM, on_signal);
            const SignalChain chain(pipe[1], false, reloads);
            for (const int number : numbers) {
                ::raise(number);
            }
            ::_exit(0);
        });
    };
    EQUAL(end_after({SIGTERM}), 0);
    EQUAL(end_after({SIGTERM, SIGTERM}), SIGTERM);
    EQUAL(end_after({SIGINT, SIGINT}), SIGINT);
    EQUAL(end_after({SIGTERM, SIGINT}), SIGINT);
    EQUAL(end_after({SIGINT, SIGTERM}), SIGTERM);
    EQUAL(end_after({SIGTERM, SIGHUP}), 0);
    EQUAL(end_after({SIGHUP, SIGTERM}), 0);
    EQUAL(end_after({SIGHUP, SIGHUP}), SIGHUP);
    EQUAL(end_after({SIGHUP, SIGTERM, SIGHUP}), SIGHUP);
    EQUAL(end_after({SIGHUP, SIGINT}), SIGINT);
    EQUAL(end_after({SIGHUP, SIGHUP, SIGHUP, SIGTERM}, true), 0);
    EQUAL(end_after({SIGHUP, SIGTERM, SIGTERM}, true), SIGTERM);
}

CASE(a_new_chain_begins_to_count_anew) {
    const auto pipe = open_pipe();
    ::signal(SIGTERM, on_signal);
    for (int count = 0; count < 2; ++count) {
        const SignalChain chain(pipe[1], false, false);
        ::raise(SIGTERM);
    }
    EQUAL(handled.load(), 2);
}

CASE(in_a_forked_process_a_signal_is_for_that_process_alone) {
    const auto pipe = open_pipe();
    ::signal(SIGTERM, on_signal);
    const SignalChain chain(pipe[1], false, false);
    EQUAL(end_of([&] {
              ::raise(SIGTERM);
              EQUAL(handled.load(), 1);
              ::raise(SIGTERM);
              ::raise(SIGINT);
          }),
          SIGINT);
    EQUAL(noted(pipe), "");
    EQUAL(handled.load(), 0);
}

CASE(signals_that_somebody_wants_otherwise_stay_so) {
    const auto pipe = open_pipe();
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    struct sigaction detailed{};
    detailed.sa_sigaction = on_detailed_signal;
    detailed.sa_flags = SA_SIGINFO;
    ::sigaction(SIGINT, &detailed, nullptr);
    {
        const SignalChain chain(pipe[1], false, false);
        HOLDS(handler_of(SIGTERM) == SIG_IGN);
        HOLDS(handler_of(SIGHUP) == SIG_IGN);
        struct sigaction now{};
        ::sigaction(SIGINT, nullptr, &now);
        HOLDS(now.sa_sigaction == on_detailed_signal);
    }
    {
        const SignalChain chain(pipe[1], false, true);
        HOLDS(handler_of(SIGTERM) == SIG_IGN);
        ::raise(SIGHUP);
        EQUAL(noted(pipe), "1 ");
    }
    HOLDS(handler_of(SIGHUP) == SIG_IGN);
}

CASE(a_handler_that_is_set_meanwhile_is_chained_and_stays) {
    const auto pipe = open_pipe();
    {
        SignalChain chain(pipe[1], false, false);
        const auto ours = handler_of(SIGTERM);
        ::signal(SIGTERM, on_signal);
        chain.renew();
        HOLDS(handler_of(SIGTERM) == ours);
        chain.renew();
        ::raise(SIGTERM);
        EQUAL(handled.load(), 1);
        EQUAL(noted(pipe), "15 ");
        ::signal(SIGINT, on_other_signal);
    }
    HOLDS(handler_of(SIGTERM) == on_signal);
    HOLDS(handler_of(SIGINT) == on_other_signal);
}

CASE(an_interruption_takes_a_free_signal_until_it_ends) {
    ::signal(SIGRTMAX, on_signal);
    {
        const Interruption interruption;
        EQUAL(interruption.number(), SIGRTMAX - 1);
        const Interruption second;
        EQUAL(second.number(), SIGRTMAX - 2);
        std::atomic<int> error{0};
        std::atomic<bool> is_waiting{false};
        std::thread waiting([&] {
            is_waiting = true;
            timespec until{30, 0};
            error = ::nanosleep(&until, nullptr) != 0 ? errno : 0;
        });
        cases::eventually([&] {
            interruption.interrupt(waiting.native_handle());
            return error != 0;
        });
        waiting.join();
        EQUAL(error.load(), EINTR);
    }
    HOLDS(handler_of(SIGRTMAX - 1) == SIG_DFL);
    {
        const Interruption interruption;
        ::signal(SIGRTMAX - 1, on_other_signal);
    }
    HOLDS(handler_of(SIGRTMAX - 1) == on_other_signal);
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
        ::signal(number, number == SIGRTMIN ? SIG_DFL : on_signal);
    }
    EQUAL(Interruption().number(), SIGRTMIN);
    ::signal(SIGRTMIN, on_signal);
    EQUAL(cases::thrown_by<std::runtime_error>([] { Interruption(); }),
          "every real-time signal has a handler, and one is needed to end "
          "libmilter's polls");
}
