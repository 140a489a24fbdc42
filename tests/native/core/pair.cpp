// What passes between the two ends of a relayed connection, and how each end is
// connected.
#include "core/relay/pair.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <stdexcept>

#include "core/relay/relay.hpp"
#include "faults.hpp"
#include "noted.hpp"
#include "served.hpp"

using namespace pymilter;
using namespace std::string_literals;

namespace {

// Two connected ends; that of the relay does not block.
struct Ends {
    Ends() {
        std::array<int, 2> ends{};
        HOLDS(open_socket_pair(ends));
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        inner = Stream(ends[0]);
        outer = ends[1];
    }
    void say(const std::string &text) const {
        for (std::size_t at = 0; at < text.size();) {
            const ssize_t count = ::write(outer, &text[at], text.size() - at);
            HOLDS(count > 0);
            at += static_cast<std::size_t>(count);
        }
    }
    std::string hear(std::size_t size) const {
        std::string text(size, '?');
        for (std::size_t at = 0; at < size;) {
            const ssize_t count = ::read(outer, &text[at], size - at);
            HOLDS(count > 0);
            at += static_cast<std::size_t>(count);
        }
        return text;
    }
    Stream inner;
    int outer = -1;
};

// A relayed connection whose both outer ends are ours.
struct Relayed {
    Relayed() { journal.start(); }
    void begin() {
        thread = std::thread([this] {
            Pair(5, mta.inner, filter.inner, buffers, journal).run(stop[0], poll);
            mta.inner = Stream();
            filter.inner = Stream();
        });
    }
    // What was noted, after the pair has ended.
    std::string noted() {
        thread.join();
        journal.close();
        return noted::in_words(noted::all_of(pipe.ends[0]));
    }

    noted::Pipe pipe;
    Journal journal{pipe.ends[1], 1U << 20};
    Ends mta;
    Ends filter;
    RelayBuffers buffers;
    const std::atomic<unsigned> connections{1};
    EagerPoll poll{connections};
    const std::array<int, 2> stop = open_pipe();
    std::thread thread;
};

}  // namespace

CASE(each_side_hears_the_other_until_both_have_ended) {
    Relayed relayed;
    relayed.begin();
    relayed.mta.say("question");
    EQUAL(relayed.filter.hear(8), "question");
    relayed.filter.say("answer");
    EQUAL(relayed.mta.hear(6), "answer");
    ::shutdown(relayed.mta.outer, SHUT_WR);
    EQUAL(noted::all_of(relayed.filter.outer), "");
    relayed.filter.say("late");  // the filter may still answer
    EQUAL(relayed.mta.hear(4), "late");
    ::shutdown(relayed.filter.outer, SHUT_WR);
    EQUAL(noted::all_of(relayed.mta.outer), "");
    EQUAL(relayed.noted(),
          "5 data mta question;5 data filter answer;5 close mta "
          ";5 data filter late;5 close filter ;");
}

CASE(what_the_other_does_not_take_yet_is_kept) {
    for (const bool from_mta : {true, false}) {
        Relayed relayed;
        Ends &speaker = from_mta ? relayed.mta : relayed.filter;
        Ends &hearer = from_mta ? relayed.filter : relayed.mta;
        const int small = 1;
        ::setsockopt(hearer.inner.descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        std::string text;
        for (int number = 0; text.size() < 500000; ++number) {
            text += std::to_string(number) + ' ';
        }
        relayed.begin();
        std::thread speaking([&] {
            speaker.say(text);
            ::shutdown(speaker.outer, SHUT_WR);
        });
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
        HOLDS(hearer.hear(text.size()) == text);
        speaking.join();
        hearer.say("x");
        EQUAL(speaker.hear(1), "x");
        ::shutdown(hearer.outer, SHUT_WR);
        relayed.thread.join();
        relayed.thread = std::thread([] {});
        HOLDS(relayed.noted().size() > text.size());
    }
}

CASE(a_side_that_has_gone_ends_both) {
    for (const bool is_mta : {true, false}) {
        Relayed relayed;
        Ends &gone = is_mta ? relayed.mta : relayed.filter;
        Ends &other = is_mta ? relayed.filter : relayed.mta;
        faults::next("recv", {ECONNRESET});
        gone.say("x");
        relayed.begin();
        EQUAL(noted::all_of(other.outer), "");
        EQUAL(relayed.noted(), is_mta ? "5 close mta ;" : "5 close filter ;");
    }
}

CASE(a_side_that_takes_nothing_more_ends_both) {
    Relayed relayed;
    ::shutdown(relayed.filter.outer, SHUT_RD);
    relayed.mta.say("x");
    relayed.begin();
    EQUAL(noted::all_of(relayed.mta.outer), "");
    EQUAL(noted::all_of(relayed.filter.outer), "");
    EQUAL(relayed.noted(), "5 data mta x;5 close filter ;");
}

CASE(calls_that_were_interrupted_are_made_again) {
    Relayed relayed;
    faults::limit_bytes(2);
    faults::next("recv", {EINTR, EAGAIN, 0, EINTR});
    faults::next("send", {EINTR, EAGAIN, 0, EINTR, EAGAIN});
    faults::next("poll", {EINTR});
    relayed.begin();
    relayed.mta.say("question");
    EQUAL(relayed.filter.hear(8), "question");
    ::shutdown(relayed.mta.outer, SHUT_WR);
    ::shutdown(relayed.filter.outer, SHUT_WR);
    EQUAL(noted::all_of(relayed.mta.outer), "");
    HOLDS(relayed.noted().find("5 data mta qu;5 data mta es;") == 0);
}

CASE(a_poll_that_fails_ends_the_connection) {
    Relayed relayed;
    faults::next("poll", {ENOMEM, ENOMEM});
    relayed.begin();
    EQUAL(relayed.noted(), "");
}

CASE(stopping_ends_the_connection) {
    Relayed relayed;
    relayed.begin();
    relayed.mta.say("x");
    EQUAL(relayed.filter.hear(1), "x");
    write_byte(relayed.stop[1], 0);
    EQUAL(noted::all_of(relayed.mta.outer), "");
    EQUAL(relayed.noted(), "5 data mta x;");
}

CASE(two_sides_do_not_share_their_memory) {
    RelayBuffers buffers;
    EQUAL(buffers.of(RelaySide::filter) - buffers.of(RelaySide::mta), static_cast<std::ptrdiff_t>(RelayBuffers::size));
}
