// The whole relay: between clients of ours and a listening socket of ours.
#include "core/relay/relay.hpp"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "faults.hpp"
#include "noted.hpp"
#include "served.hpp"

using namespace pymilter;

namespace {

int threads() { return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {})); }

struct Between {
    Between() {
        ::fcntl(listener, F_SETFL, O_NONBLOCK);
        ::fcntl(filter.descriptor, F_SETFL, 0);
    }

    // A connection from the MTA to the filter, both of whose outer ends are ours.
    std::array<int, 2> connect() const {
        const int mta = SocketName(listener).connect();
        HOLDS(mta >= 0);
        ::fcntl(mta, F_SETFL, 0);
        return {mta, ::accept(filter.descriptor, nullptr, nullptr)};
    }
    // What was noted, after the relay has stopped.
    std::string noted() {
        relay.stop();
        return noted::in_words(noted::all_of(pipe.ends[0]));
    }

    noted::Pipe pipe;
    const int listener = served::open_listening(AF_INET);
    const served::Local filter{8};
    Relay relay{listener, RelayTarget(AF_UNIX, filter.path, 0), "the filter", pipe.ends[1], 1U << 20};
};

void check_passes(const std::array<int, 2> &ends) {
    char byte = '?';
    HOLDS(::write(ends[0], "x", 1) == 1);
    HOLDS(::read(ends[1], &byte, 1) == 1 && byte == 'x');
}

}  // namespace

CASE(connections_are_passed_on_and_numbered) {
    Between between;
    between.relay.start();
    for (int number = 1; number <= 2; ++number) {
        const auto ends = between.connect();
        check_passes(ends);
        ::close(ends[0]);
        EQUAL(noted::all_of(ends[1]), "");
        ::close(ends[1]);
    }
    EQUAL(between.noted().find("1 open mta ;1 data mta x;1 close mta ;"), 0U);
}

CASE(one_thread_more_than_there_are_connections_at_once) {
    Between between;
    between.relay.start();
    EQUAL(threads(), 3);  // ours, the journal's, and one that waits
    std::vector<std::array<int, 2>> all;
    for (int count = 1; count <= 3; ++count) {
        all.push_back(between.connect());
        check_passes(all.back());
        EQUAL(threads(), 3 + count);
    }
    for (const auto &ends : all) {
        ::close(ends[0]);
        EQUAL(noted::all_of(ends[1]), "");
        ::close(ends[1]);
    }
    const auto again = between.connect();
    check_passes(again);
    EQUAL(threads(), 6);
    between.relay.stop();
    cases::eventually([] { return threads() == 1; });  // the journal hands over by itself
    EQUAL(noted::all_of(again[0]), "");                // stopping has ended it
}

CASE(its_threads_take_no_signals) {
    Between between;
    sigset_t before;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    between.relay.start();
    sigset_t after;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
    EQUAL(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream status(task.path() / "status");
        std::string word;
        while (status >> word && word != "SigBlk:") {
        }
        status >> word;
        const bool is_ours = task.path().filename() == std::to_string(::getpid());
        EQUAL((std::strtoull(word.c_str(), nullptr, 16) & (1ULL << (SIGTERM - 1))) == 0, is_ours);
    }
}

CASE(a_connection_that_could_not_be_taken_is_taken_later) {
    Between between;
    faults::next("accept4", {EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN, EINTR, ECONNABORTED, EPROTO});
    between.relay.start();
    check_passes(between.connect());
    EQUAL(faults::count_polls(100),
          4);  // for each that can end only by itself, a pause
}

CASE(a_wait_for_connections_goes_on_after_an_interruption_only) {
    Between between;
    faults::next("poll", {EINTR});
    between.relay.start();
    check_passes(between.connect());
}

CASE(a_wait_for_connections_that_fails_is_the_last) {
    Between between;
    faults::next("poll", {ENOMEM});
    between.relay.start();
    cases::eventually([] { return threads() == 2; });
    EQUAL(between.noted(), "");
}

CASE(nothing_is_taken_after_a_socket_has_failed) {
    Between between;
    faults::next("accept4", {EINVAL});
    between.relay.start();
    const int mta = SocketName(between.listener).connect();
    cases::eventually([] { return threads() == 2; });
    EQUAL(between.noted(), "");
    ::close(mta);
}

CASE(a_filter_that_cannot_be_reached_is_noted) {
    Between between;
    ::unlink(between.filter.path.c_str());
    between.relay.start();
    const int mta = SocketName(between.listener).connect();
    ::fcntl(mta, F_SETFL, 0);
    EQUAL(noted::all_of(mta), "");
    EQUAL(between.noted(),
          "1 open mta ;1 failed filter cannot connect to the "
          "filter: No such file or directory;");
}

CASE(a_relay_that_never_began_can_be_stopped) {
    const auto before = open_descriptors().size();
    {
        noted::Pipe pipe;
        const int listener = served::open_listening(AF_INET);
        {
            Relay relay{listener, RelayTarget(AF_INET, "127.0.0.1", 1), "it", pipe.ends[1], 1};
            relay.stop();
            relay.start();  // too late
            EQUAL(noted::all_of(pipe.ends[0]), "");
            relay.stop();
        }
        ::close(listener);
        ::close(pipe.ends[0]);
    }
    EQUAL(open_descriptors().size(), before);
    cases::eventually([] { return threads() == 1; });
}
