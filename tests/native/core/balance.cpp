// How connections are shared out: one process is this one, the others are what
// stands in their slots.
#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>

#include "faults.hpp"
#include "served.hpp"

using namespace pymilter;
using namespace std::chrono_literals;
using served::Client;
using served::Filter;
using served::in_words;
using served::is_aside;
using served::numbers_of;
using served::pipe_ends;
using std::chrono::steady_clock;
using Seat = Balance::Seat;

namespace {

constexpr auto for_ever = std::chrono::hours{1};

int listening() {
    const std::vector<int> all = open_descriptors();
    return static_cast<int>(std::count_if(all.begin(), all.end(), is_listening));
}

}  // namespace

CASE(a_process_alone_does_not_count) {
    const int socket = served::open_listening(AF_UNIX);
    Filter filter(socket);
    Seat seat(filter.balance);
    Seat other(std::move(seat));
    other.clear();
    Client client(socket);
    cases::eventually([&] { return filter.listener.connections() == 1; });
}

CASE(a_seat_counts_one_connection_wherever_it_is_moved) {
    const int memory = served::open_slots(2);
    Loads seen(memory, 1);
    Filter filter(served::open_listening(AF_UNIX), memory);
    EQUAL(in_words(seen.of(0)), "0 of 0");
    {
        Seat seat(filter.balance);
        EQUAL(in_words(seen.of(0)), "1 of 1");
        Seat moved(std::move(seat));
        seat.clear();
        EQUAL(in_words(seen.of(0)), "1 of 1");
        Seat assigned;
        assigned.clear();
        assigned = std::move(moved);
        moved.clear();
        EQUAL(in_words(seen.of(0)), "1 of 1");
        Seat second(filter.balance);
        EQUAL(in_words(seen.of(0)), "2 of 2");
        second.clear();
        second.clear();
        EQUAL(in_words(seen.of(0)), "1 of 2");
    }
    EQUAL(in_words(seen.of(0)), "0 of 2");
    Seat late(filter.balance);
    filter.balance.leave();
    EQUAL(in_words(seen.of(0)), "none");
    filter.balance.leave();
    late.clear();
    Seat later(filter.balance);
    EQUAL(in_words(seen.of(0)), "none");
}

CASE(the_next_connection_waits_for_a_process_that_has_fewer) {
    const int memory = served::open_slots(3);
    const int socket = served::open_listening(AF_UNIX);
    Loads other(memory, 1);
    other.publish({1, 1});
    Filter filter(socket, memory, for_ever);
    Seat first(filter.balance);
    HOLDS(!is_aside(socket));  // it has as many as the other
    Client client(socket);
    cases::eventually([&] { return filter.listener.connections() == 1; });
    Seat second(filter.balance);
    HOLDS(is_aside(socket));
    Seat third(filter.balance);
    Client waiting(socket);
    HOLDS(is_aside(socket));
    other.publish({3, 3});
    cases::eventually([&] { return filter.listener.connections() == 2; });
    HOLDS(!is_aside(socket));
}

CASE(a_connection_that_closes_brings_the_socket_back) {
    const int memory = served::open_slots(2);
    const int socket = served::open_listening(AF_UNIX);
    Loads(memory, 1).publish({1, 1});
    Filter filter(socket, memory, for_ever);
    Seat first(filter.balance);
    Seat second(filter.balance);
    Seat third(filter.balance);
    HOLDS(is_aside(socket));
    third.clear();
    HOLDS(is_aside(socket));  // it still has one more
    second.clear();
    HOLDS(!is_aside(socket));
    Client client(socket);
    cases::eventually([&] { return filter.listener.connections() == 1; });
    Seat again(filter.balance);
    HOLDS(is_aside(socket));
}

CASE(nobody_is_given_up_while_no_connection_waits) {
    const int memory = served::open_slots(2);
    const int socket = served::open_listening(AF_UNIX);
    Loads(memory, 1).publish({0, 0});
    Filter filter(socket, memory, 5ms);
    Seat seat(filter.balance);
    std::this_thread::sleep_for(30ms);
    HOLDS(is_aside(socket));
}

CASE(a_process_that_ends_without_leaving_ends_well) {
    const int memory = served::open_slots(1);
    served::register_with_libmilter();
    Listener listener;
    Loop loop;
    listener.prepare(served::open_listening(AF_UNIX));
    Balance balance;
    const Seat seat(balance);  // before balancing begins nothing is counted
    balance.join(memory, 0, 1ms);
    balance.start(listener, loop);
}

CASE(a_process_that_has_gone_is_not_waited_for) {
    const int memory = served::open_slots(2);
    const int socket = served::open_listening(AF_UNIX);
    Loads other(memory, 1);
    other.publish({0, 0});
    Filter filter(socket, memory, for_ever);
    Seat seat(filter.balance);
    Client client(socket);
    HOLDS(is_aside(socket));
    other.clear_own();
    cases::eventually([&] { return filter.listener.connections() == 1; });
}

CASE(a_process_that_takes_nothing_is_waited_for_once) {
    const int memory = served::open_slots(3);
    const int socket = served::open_listening(AF_UNIX);
    Loads other(memory, 1);
    other.publish({0, 5});
    Filter filter(socket, memory, 60ms);
    Seat seat(filter.balance);
    HOLDS(is_aside(socket));
    const auto begun = steady_clock::now();
    Client client(socket);
    cases::eventually([&] { return filter.listener.connections() == 1; });
    HOLDS(steady_clock::now() - begun >= 60ms);
    Seat second(filter.balance);
    HOLDS(!is_aside(socket));
    // Its next connection tells that it is there, and a third process is waited
    // for by itself.
    other.publish({0, 6});
    Seat third(filter.balance);
    HOLDS(is_aside(socket));
    const auto again = steady_clock::now();
    Client next(socket);
    cases::eventually([&] { return filter.listener.connections() == 2; });
    HOLDS(steady_clock::now() - again >= 60ms);
    Loads(memory, 2).publish({0, 6});
    Seat fourth(filter.balance);
    HOLDS(is_aside(socket));
}

CASE(a_process_that_takes_others_meanwhile_is_waited_for_again) {
    constexpr auto patience = 200ms;
    const int memory = served::open_slots(2);
    const int socket = served::open_listening(AF_UNIX);
    Loads other(memory, 1);
    other.publish({0, 1});
    Filter filter(socket, memory, patience);
    Seat seat(filter.balance);
    faults::take_calls();
    const auto begun = steady_clock::now();
    Client client(socket);
    // The watcher looks at the clock from now on.
    cases::eventually([] { return faults::count_polls(1) > 0; });
    const auto published = steady_clock::now();
    other.publish({0, 2});
    const bool is_in_time = steady_clock::now() < begun + patience;
    cases::eventually([&] { return filter.listener.connections() == 1; });
    HOLDS(!is_in_time || steady_clock::now() >= published + patience);
}

CASE(all_that_balancing_opened_is_closed_at_its_end) {
    const int memory = served::open_slots(2);
    const int socket = served::open_listening(AF_UNIX);
    Loads(memory, 1).publish({0, 0});
    Filter filter(socket, memory, for_ever);
    Seat seat(filter.balance);
    HOLDS(is_aside(socket));
    const int pipes = pipe_ends();
    EQUAL(listening(),
          4);  // ours, the one that is kept, the silent one and its other number
    filter.balance.leave();
    EQUAL(pipe_ends(), pipes - 2);
    EQUAL(numbers_of(socket), 1);
    EQUAL(listening(), 2);
}

CASE(a_forked_process_leaves_the_slot_to_its_parent) {
    const int memory = served::open_slots(2);
    const int socket = served::open_listening(AF_UNIX);
    Loads other(memory, 1);
    other.publish({0, 0});
    Filter filter(socket, memory, for_ever);
    Seat seat(filter.balance);
    HOLDS(is_aside(socket));
    const pid_t child = ::fork();
    if (child == 0) {
        const int pipes = pipe_ends();
        filter.balance.disown_in_child();
        EQUAL(pipe_ends(), pipes - 2);
        EQUAL(numbers_of(socket), 2);  // libmilter's is the real one again, which is
                                       // then known by its address
        EQUAL(listening(), 2);
        filter.balance.disown_in_child();
        seat.clear();
        EQUAL(in_words(other.of(0)), "1 of 1");
        ::_exit(0);
    }
    int status = 1;
    HOLDS(::waitpid(child, &status, 0) == child && status == 0);
    EQUAL(in_words(other.of(0)), "1 of 1");
    HOLDS(is_aside(socket));
}
