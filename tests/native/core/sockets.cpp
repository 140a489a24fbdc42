// Descriptors, and the addresses of sockets.
#include <arpa/inet.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "faults.hpp"
#include "served.hpp"

using namespace pymilter;

namespace {

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }
bool closes_on_exec(int descriptor) { return (::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0; }
bool blocks(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0; }

// What a socket that is bound to the address would have as its name.
SocketName bound(int family, const char *ip, std::uint16_t port) {
    sockaddr_in inet{};
    inet.sin_family = AF_INET;
    inet.sin_port = htons(port);
    sockaddr_in6 inet6{};
    inet6.sin6_family = AF_INET6;
    inet6.sin6_port = htons(port);
    HOLDS(family == AF_INET ? ::inet_pton(AF_INET, ip, &inet.sin_addr) == 1
                            : ::inet_pton(AF_INET6, ip, &inet6.sin6_addr) == 1);
    family == AF_INET ? faults::tell_name(&inet, sizeof inet) : faults::tell_name(&inet6, sizeof inet6);
    return SocketName(-1);
}

}  // namespace

CASE(which_connections_came_through_a_socket) {
    const SocketName one = bound(AF_INET, "127.0.0.1", 45001);
    HOLDS(one.covers(bound(AF_INET, "127.0.0.1", 45001)));
    HOLDS(!one.covers(bound(AF_INET, "127.0.0.2", 45001)));
    HOLDS(!one.covers(bound(AF_INET, "127.0.0.1", 45002)));
    HOLDS(!one.covers(bound(AF_INET6, "::1", 45001)));
    const SocketName all = bound(AF_INET, "0.0.0.0", 45001);
    HOLDS(all.covers(one));
    HOLDS(!one.covers(all));
    HOLDS(!all.covers(bound(AF_INET, "127.0.0.1", 45002)));
    const SocketName one6 = bound(AF_INET6, "::1", 45001);
    HOLDS(one6.covers(bound(AF_INET6, "::1", 45001)));
    HOLDS(!one6.covers(bound(AF_INET6, "::1", 45002)));
    const SocketName all6 = bound(AF_INET6, "::", 45001);
    HOLDS(all6.covers(one6));
    HOLDS(!one6.covers(all6));
    HOLDS(!all6.covers(bound(AF_INET6, "::1", 45002)));
    HOLDS(!all6.covers(one));
}

CASE(which_connections_came_through_a_unix_socket) {
    const served::Local first(8);
    const served::Local second(8);
    const SocketName name(first.descriptor);
    HOLDS(name.covers(SocketName(first.descriptor)));
    HOLDS(!name.covers(SocketName(second.descriptor)));
    HOLDS(!name.covers(SocketName(open_socket(AF_UNIX))));
    const SocketName none(open_socket(AF_UNIX));
    HOLDS(!none.covers(SocketName(open_socket(AF_UNIX))));
    HOLDS(!name.covers(SocketName(served::open_listening(AF_UNIX))));
    EQUAL(name.family(), AF_UNIX);
    HOLDS(!SocketName().covers(SocketName()));
    EQUAL(cases::thrown_by<std::system_error>([] { const SocketName name(open_pipe()[0]); }),
          "cannot read the address of a socket: Socket operation on non-socket");
}

CASE(a_socket_is_connected_to_by_its_address) {
    for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
        const int listening = served::open_listening(family);
        const int connected = SocketName(listening).connect();
        HOLDS(connected >= 0 && closes_on_exec(connected) && !blocks(connected));
        ::fcntl(listening, F_SETFL, 0);
        const int accepted = accept_from(listening);
        HOLDS(accepted >= 0 && closes_on_exec(accepted) && !blocks(accepted));
        HOLDS(is_listening(listening) && !is_listening(accepted));
        const SocketName name(listening);
        ::close(listening);
        if (family == AF_UNIX) {
            const auto before = open_descriptors().size();
            errno = 0;
            EQUAL(name.connect(), -1);
            EQUAL(errno, ECONNREFUSED);
            EQUAL(open_descriptors().size(), before);
        }
    }
    errno = 0;
    EQUAL(SocketName().connect(), -1);
    HOLDS(!is_listening(open_pipe()[0]));
    HOLDS(!is_listening(-1));
}

CASE(what_is_opened_does_not_reach_programs) {
    const auto pipe = open_pipe();
    for (const int end : pipe) {
        HOLDS(closes_on_exec(end) && !blocks(end));
    }
    const int socket = open_socket(AF_INET6);
    HOLDS(closes_on_exec(socket) && !blocks(socket));
    std::array<int, 2> ends{};
    HOLDS(open_socket_pair(ends));
    for (const int end : ends) {
        HOLDS(closes_on_exec(end) && blocks(end));
    }
    HOLDS(duplicate_to(pipe[0], 100));
    HOLDS(closes_on_exec(100));
    HOLDS(!duplicate_to(-1, 100));
    EQUAL(open_socket(-1), -1);
    EQUAL(accept_from(pipe[0]), -1);
}

CASE(a_byte_is_written_unless_the_pipe_is_full) {
    const auto pipe = open_pipe();
    write_byte(pipe[1], 200);
    unsigned char byte = 0;
    HOLDS(::read(pipe[0], &byte, 1) == 1 && byte == 200);
    HOLDS(::read(pipe[0], &byte, 1) < 0);
    for (int count = 0; count < 100000; ++count) {
        write_byte(pipe[1], 0);
    }
}

CASE(all_open_descriptors_are_found) {
    const int first = ::dup(2);
    const int last = ::fcntl(2, F_DUPFD_CLOEXEC, 300);
    std::vector<int> found = open_descriptors();
    std::sort(found.begin(), found.end());
    HOLDS(std::adjacent_find(found.begin(), found.end()) == found.end());
    HOLDS(std::all_of(found.begin(), found.end(), is_open));
    for (const int number : {0, 2, first, last}) {
        HOLDS(std::binary_search(found.begin(), found.end(), number));
    }
    // Also if none is left for the folder.
    std::vector<int> more;
    for (int number = ::dup(2); number >= 0; number = ::dup(2)) {
        more.push_back(number);
    }
    EQUAL(open_descriptors().size(), found.size() + more.size());
}
