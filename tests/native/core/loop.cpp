// libmilter's loop in a thread of its own, and the session that is played
// before it serves.
#include "core/process/loop.hpp"

#include <fcntl.h>

#include <csignal>
#include <stdexcept>

#include "core/process/counters.hpp"
#include "core/process/rehearsal.hpp"
#include "core/process/signals.hpp"
#include "faults.hpp"
#include "served.hpp"

using namespace pymilter;
using namespace std::chrono_literals;
using Kind = LoopEvent::Kind;

namespace {

// The events in words; a signal with its number.
std::string next(Loop &loop, std::optional<std::chrono::milliseconds> limit = 0ms) {
    const char *const names[] = {"nothing", "interrupted", "signal", "stop requested", "ended"};
    const LoopEvent event = loop.wait(limit);
    return names[static_cast<int>(event.kind)] + (event.signal != 0 ? ' ' + std::to_string(event.signal) : "");
}

}  // namespace

CASE(events_of_a_loop_that_has_not_begun) {
    Loop loop;
    EQUAL(next(loop), "nothing");
    EQUAL(next(loop, 2ms), "nothing");
    loop.request_stop();
    EQUAL(next(loop, {}), "stop requested");
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) {
        write_byte(loop.signal_descriptor(), static_cast<unsigned char>(number));
        EQUAL(next(loop), "signal " + std::to_string(number));
    }
    write_byte(loop.signal_descriptor(), SIGUSR1);
    EQUAL(next(loop), "nothing");
    faults::next("poll", {EINTR});
    EQUAL(next(loop), "interrupted");
    faults::next("read", {EAGAIN});
    loop.request_stop();
    EQUAL(next(loop), "nothing");
    EQUAL(loop.finish(), 0);
}

CASE(a_loop_that_did_not_begin_leaves_no_descriptors) {
    const auto before = open_descriptors().size();
    {
        const Loop loop;
        EQUAL(open_descriptors().size(), before + 2);
    }
    EQUAL(open_descriptors().size(), before);
}

CASE(libmilter_runs_once_and_its_end_is_an_event) {
    const int socket = served::open_listening(AF_UNIX);
    served::register_with_libmilter();
    Listener listener;
    const int connection = listener.prepare(socket);
    Loop loop;
    loop.start();
    ::close(connection);
    HOLDS(listener.adopt());
    loop.renew_poll();
    HOLDS(!loop.has_ended());
    EQUAL(next(loop), "nothing");
    const served::Client first(socket);
    cases::eventually([&] { return listener.connections() == 1; });
    loop.stop_accepting(listener);
    const served::Client second(socket);
    const auto begun = std::chrono::steady_clock::now();
    EQUAL(loop.finish(), MI_SUCCESS);
    HOLDS(std::chrono::steady_clock::now() - begun < 10s);
    EQUAL(loop.finish(), MI_SUCCESS);
    HOLDS(loop.has_ended());
    EQUAL(next(loop, {}), "ended");
    EQUAL(listener.connections(), 1);
    Loop another;
    EQUAL(cases::thrown_by<std::logic_error>([&] { another.start(); }),
          "libmilter can run only once in a process: start another process for "
          "another run");
}

CASE(a_loop_that_has_ended_closes_its_pipe) {
    int writing = -1;
    {
        served::Filter filter(served::open_listening(AF_UNIX));
        writing = filter.loop.signal_descriptor();
        HOLDS(::fcntl(writing, F_GETFD) >= 0);
    }
    HOLDS(::fcntl(writing, F_GETFD) < 0);
}

CASE(no_signal_reaches_a_thread_of_libmilter) {
    const served::Filter filter(served::open_listening(AF_UNIX));
    HOLDS(Interruption::has_parked() == Interruption::can_park);
    sigset_t pending;
    sigset_t mask = signals_of_others();
    sigdelset(&mask, SIGALRM);  // which ends a case that hangs
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) {
        ::kill(::getpid(), number);
    }
    std::this_thread::sleep_for(20ms);
    ::sigpending(&pending);
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) {
        EQUAL(sigismember(&pending, number), 1);
    }
}
