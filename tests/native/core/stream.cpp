// How the relay connects to its filter, takes connections, and what it sets on
// its sockets.
#include "core/relay/stream.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <stdexcept>

#include "core/relay/relay.hpp"
#include "faults.hpp"
#include "noted.hpp"
#include "served.hpp"

using namespace pymilter;
using served::Local;

namespace {

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

int port_of(int descriptor) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    HOLDS(::getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &length) == 0);
    return ntohs(address.sin_port);
}

struct Stop {
    const std::array<int, 2> pipe = open_pipe();
};

}  // namespace

CASE(a_stream_owns_its_descriptor) {
    const int first = open_socket(AF_UNIX);
    const int second = open_socket(AF_UNIX);
    {
        Stream stream(first);
        HOLDS(static_cast<bool>(stream));
        EQUAL(stream.descriptor(), first);
        Stream moved(std::move(stream));
        EQUAL(moved.descriptor(), first);
        Stream other(second);
        other = std::move(moved);
        EQUAL(other.descriptor(), first);
        HOLDS(is_open(first));
        const Stream none(-1);
        HOLDS(!none);
        HOLDS(!Stream());
    }
    HOLDS(!is_open(first));
    HOLDS(!is_open(second));
    HOLDS(static_cast<bool>(Stream(::dup(open_socket(AF_UNIX)))));
    ::close(0);
    const int zero = ::dup(1);
    EQUAL(zero, 0);
    HOLDS(static_cast<bool>(Stream(zero)));
    HOLDS(!is_open(0));
}

CASE(tcp_is_sent_and_acknowledged_at_once) {
    const int listening = served::open_listening(AF_INET);
    const Stop stop;
    std::string problem;
    faults::take_calls();
    const Stream near = RelayTarget(AF_INET, "127.0.0.1", port_of(listening)).connect(stop.pipe[0], problem);
    HOLDS(static_cast<bool>(near));
    const Stream far(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
    EQUAL(faults::count_options(faults::take_calls(), IPPROTO_TCP, TCP_NODELAY, 1), 2);
    HOLDS(near.write("x") == 1);
    char byte = 0;
    HOLDS(far.read(&byte, 1) == 1);
    EQUAL(faults::count_options(faults::take_calls(), IPPROTO_TCP, TCP_QUICKACK, 1), 1);
    near.end_writing();
    HOLDS(far.read(&byte, 1) == 0);
    EQUAL(faults::count_options(faults::take_calls(), IPPROTO_TCP, TCP_QUICKACK, 1), 0);
    HOLDS(far.write("y") == 1);
    HOLDS(near.read(&byte, 1) == 1 || errno == EAGAIN);
    far.end();
    HOLDS(near.write("z") <= 1);
    HOLDS((::fcntl(near.descriptor(), F_GETFL) & O_NONBLOCK) != 0);
}

CASE(on_a_unix_socket_nothing_is_acknowledged) {
    const Local local(8);
    const Stop stop;
    std::string problem;
    faults::take_calls();
    const Stream near = RelayTarget(AF_UNIX, local.path, 0).connect(stop.pipe[0], problem);
    HOLDS(static_cast<bool>(near));
    EQUAL(problem, "");
    HOLDS((::fcntl(near.descriptor(), F_GETFL) & O_NONBLOCK) != 0);
    const Stream far(accept_from(local.descriptor));
    HOLDS(near.write("x") == 1);
    char byte = 0;
    HOLDS(far.read(&byte, 1) == 1);
    EQUAL(faults::count_options(faults::take_calls(), IPPROTO_TCP, TCP_QUICKACK, 1), 0);
}

CASE(a_filter_that_cannot_be_reached_is_named_with_the_reason) {
    const Stop stop;
    const auto problem_of = [&](int family, const std::string &place, int port) {
        std::string problem;
        HOLDS(!RelayTarget(family, place, port).connect(stop.pipe[0], problem));
        return problem;
    };
    EQUAL(problem_of(AF_UNIX, "/nowhere/s", 0), "No such file or directory");
    const Local deaf(-1);
    EQUAL(problem_of(AF_UNIX, deaf.path, 0), "Connection refused");
    const int listening = served::open_listening(AF_INET);
    const int port = port_of(listening);
    ::close(listening);
    EQUAL(problem_of(AF_INET, "127.0.0.1", port), "Connection refused");
    HOLDS(!problem_of(AF_INET, "::1", 25).empty());
    HOLDS(problem_of(AF_INET, "::1", 25) != "Success");
    EQUAL(cases::thrown_by<std::invalid_argument>([] { RelayTarget(AF_UNIX, std::string(108, 'p'), 0); }),
          "the path of the socket is too long: " + std::string(108, 'p'));
    EQUAL(problem_of(AF_UNIX, std::string(107, 'p'), 0), "No such file or directory");
    EQUAL(problem_of(AF_INET, "127.0.0.1", 0).empty(), false);
    for (int number = open_socket(AF_UNIX); number >= 0; number = open_socket(AF_UNIX)) {
    }
    EQUAL(problem_of(AF_UNIX, deaf.path, 0), "Too many open files");
    EQUAL(problem_of(AF_INET, "127.0.0.1", port), "Too many open files");
}

CASE(a_connect_that_waits_is_ended_by_stop) {
    const Local full(0);
    const Stop stop;
    std::string problem;
    const RelayTarget target(AF_UNIX, full.path, 0);
    const Stream first = target.connect(stop.pipe[0], problem);
    HOLDS(static_cast<bool>(first));
    std::thread stopping([&] {
        cases::eventually([] { return faults::count_polls(0) > 0; });  // it has waited a slice in vain
        write_byte(stop.pipe[1], 0);
    });
    faults::take_calls();
    HOLDS(!target.connect(stop.pipe[0], problem));
    stopping.join();
    EQUAL(problem, "no connection within 10 s");
    HOLDS(faults::count_polls(0) < 100);  // it looks every 100 ms and waits meanwhile
}

CASE(a_connect_that_waited_goes_on_once_there_is_room) {
    const Local full(0);
    const Stop stop;
    std::string problem;
    faults::next("connect", {EINTR, EAGAIN});
    const Stream stream = RelayTarget(AF_UNIX, full.path, 0).connect(stop.pipe[0], problem);
    HOLDS(static_cast<bool>(stream));
    faults::next("connect", {EACCES});
    HOLDS(!RelayTarget(AF_UNIX, full.path, 0).connect(stop.pipe[0], problem));
    EQUAL(problem, "Permission denied");
}

CASE(a_connect_over_tcp_that_does_not_come_back_is_ended_by_stop) {
    const int socket = open_socket(AF_INET);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    HOLDS(::bind(socket, reinterpret_cast<const sockaddr *>(&any), sizeof any) == 0);
    HOLDS(::listen(socket, 0) == 0);
    const Stop stop;
    const RelayTarget target(AF_INET, "127.0.0.1", port_of(socket));
    std::vector<Stream> streams;
    std::string problem;
    std::thread stopping([&] {
        // The queue is full after the first or the second: from then on the kernel
        // answers nothing.
        cases::eventually([] { return faults::count_polls(100) > 3; });
        write_byte(stop.pipe[1], 0);
    });
    faults::take_calls();
    for (Stream one = target.connect(stop.pipe[0], problem); one; one = target.connect(stop.pipe[0], problem)) {
        streams.push_back(std::move(one));
    }
    stopping.join();
    EQUAL(problem, "Operation canceled");
    HOLDS(!streams.empty());
}

CASE(whether_it_is_stopped_can_be_seen_at_once) {
    const Stop stop;
    HOLDS(!is_stopped_within(stop.pipe[0], 0));
    write_byte(stop.pipe[1], 0);
    HOLDS(is_stopped_within(stop.pipe[0], 0));
    HOLDS(is_stopped_within(stop.pipe[0], 100000));
}
