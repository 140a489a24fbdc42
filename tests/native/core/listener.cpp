// The listening socket that libmilter serves, and the sockets of its
// connections.
#include "core/process/listener.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <system_error>

#include "core/process/context_head.hpp"
#include "core/process/peer_socket.hpp"
#include "faults.hpp"
#include "served.hpp"

using namespace pymilter;

namespace {

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }
bool closes_on_exec(int descriptor) { return (::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0; }
bool blocks(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0; }

SMFICTX *context_of(ContextHead &head, int descriptor) {
    head.descriptor = descriptor;
    return reinterpret_cast<SMFICTX *>(&head);
}

int option(int descriptor, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    HOLDS(::getsockopt(descriptor, level, name, &value, &length) == 0);
    return value;
}

// libmilter opens a stand-in only once in a process.
void check_handing_over(int family) {
    served::register_with_libmilter();
    const int socket = served::open_listening(family);
    Listener listener;
    faults::take_calls();
    const auto before = open_descriptors().size();
    const int connection = listener.prepare(socket);
    HOLDS(connection >= 0 && closes_on_exec(connection));
    EQUAL(open_descriptors().size(), before + 3);  // a second number of it, too
    const auto calls = faults::take_calls();
    EQUAL(faults::count_options(calls, IPPROTO_TCP, TCP_NODELAY, 1), family == AF_UNIX ? 0 : 1);
    EQUAL(faults::count_options(calls, IPPROTO_TCP, 46, 2000), family == AF_UNIX ? 0 : 1);
    HOLDS(!blocks(socket));
    EQUAL(listener.is_local(), family == AF_UNIX);
    HOLDS(listener.has_address_of(socket));
    HOLDS(!listener.has_address_of(connection));
    HOLDS(!listener.has_address_of(-1));
    EQUAL(served::numbers_of(socket), 1);
    HOLDS(listener.adopt());
    EQUAL(served::numbers_of(socket), 2);
    EQUAL(open_descriptors().size(), before + 2);
    EQUAL(listener.connections(), 0);
    const int client = SocketName(socket).connect();
    const int accepted = accept_from(socket);
    EQUAL(listener.connections(), 1);
    listener.stop_accepting();
    EQUAL(served::numbers_of(socket), 1);
    listener.disown_in_child();
    HOLDS(!is_open(socket) && !is_open(accepted) && is_open(client) && is_open(connection));
}

}  // namespace

CASE(a_socket_is_handed_over) { check_handing_over(AF_INET); }
CASE(a_socket_of_ipv6_is_handed_over) { check_handing_over(AF_INET6); }
CASE(a_unix_socket_is_handed_over) { check_handing_over(AF_UNIX); }

CASE(the_kernel_delays_acknowledgements_as_little_as_it_can) {
    served::register_with_libmilter();
    faults::take_calls();
    Listener listener;
    listener.prepare(served::open_listening(AF_INET));
    // Up to the first that the kernel takes.
    std::string tried;
    for (const auto &call : faults::take_calls()) {
        tried += call.level == IPPROTO_TCP && call.option == 46 ? std::to_string(call.value) + ' ' : "";
    }
    EQUAL(std::string{"2000 5000 20000 "}.find(tried), 0U);
    HOLDS(!tried.empty());
}

CASE(what_cannot_be_handed_over_is_named) {
    using cases::thrown_by;
    served::register_with_libmilter();
    Listener listener;
    EQUAL(thrown_by<std::system_error>([&] { listener.prepare(open_socket(AF_INET)); }),
          "the descriptor is not a listening socket: Invalid argument");
    EQUAL(thrown_by<std::system_error>([&] { listener.keep_real(); }),
          "cannot keep the listening socket: Bad file descriptor");
    faults::next("dup3", {EBADF});
    EQUAL(thrown_by<std::system_error>([&] { listener.stop_accepting(); }),
          "cannot take the listening socket from libmilter: Bad file descriptor");
    const int socket = served::open_listening(AF_UNIX);
    listener.prepare(socket);
    // libmilter closes the one before first, so its number is no new one.
    EQUAL(thrown_by<std::system_error>([&] { listener.prepare(socket); }),
          "cannot tell which descriptor libmilter listens on: another thread has "
          "just opened one as well: Bad file "
          "descriptor");
}

CASE(a_number_that_libmilter_has_closed_is_left_alone) {
    served::register_with_libmilter();
    const int socket = served::open_listening(AF_UNIX);
    Listener listener;
    const std::vector<int> before = open_descriptors();
    const int connection = listener.prepare(socket);
    listener.keep_real();
    HOLDS(listener.adopt());
    faults::next("dup3", {EINTR, EBUSY, 0});
    HOLDS(listener.set_aside());
    EQUAL(served::numbers_of(socket), 2);
    HOLDS(!listener.set_aside());
    faults::next("dup3", {EMFILE});
    HOLDS(!listener.put_back());
    HOLDS(listener.put_back());
    EQUAL(served::numbers_of(socket), 3);
    HOLDS(!listener.put_back());
    // libmilter closes its number, the first of those that are new, and another
    // file gets it.
    int number = -1;
    for (const int each : open_descriptors()) {
        if (each != connection && std::find(before.begin(), before.end(), each) == before.end() &&
            each != listener.real() && is_listening(each) && listener.has_address_of(each)) {
            number = each;
        }
    }
    ::close(number);
    const auto pipe = open_pipe();
    HOLDS(pipe[0] == number || pipe[1] == number);
    HOLDS(!listener.set_aside());
    HOLDS(!is_listening(number));
    listener.drop_real();
    EQUAL(listener.real(), -1);
    EQUAL(served::numbers_of(socket), 1);
}

CASE(a_descriptor_is_used_only_if_it_is_a_connection_to_us) {
    served::register_with_libmilter();
    const int socket = served::open_listening(AF_INET);
    Listener listener;
    listener.prepare(socket);
    const int client = SocketName(socket).connect();
    const int accepted = accept_from(socket);
    const int other = served::open_listening(AF_INET);
    const int client_of_other = SocketName(other).connect();
    ContextHead head{};
    const auto takes = [&](int descriptor) {
        return static_cast<bool>(PeerSocket(context_of(head, descriptor), listener));
    };
    faults::take_calls();
    HOLDS(takes(accepted));
    EQUAL(faults::count_options(faults::take_calls(), IPPROTO_TCP, TCP_QUICKACK, 1), 1);
    HOLDS(!takes(client));  // its own address is another
    HOLDS(!takes(accept_from(other)));
    HOLDS(!takes(client_of_other));
    HOLDS(!takes(socket));
    HOLDS(!takes(open_pipe()[0]));
    HOLDS(!takes(-1));
    HOLDS(!takes(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    HOLDS(!PeerSocket());
    faults::next("setsockopt", {EINVAL});
    HOLDS(!takes(accepted));
    ::close(client);
}

CASE(a_unix_socket_needs_no_options) {
    served::register_with_libmilter();
    const int socket = served::open_listening(AF_UNIX);
    Listener listener;
    listener.prepare(socket);
    const int client = SocketName(socket).connect();
    ContextHead head{};
    HOLDS(!PeerSocket(context_of(head, accept_from(socket)), listener));
    ::close(client);
}

CASE(small_packets_wait_for_each_other_until_they_are_let_go) {
    served::register_with_libmilter();
    const int socket = served::open_listening(AF_INET);
    Listener listener;
    listener.prepare(socket);
    const int client = SocketName(socket).connect();
    ContextHead head{};
    const int accepted = accept_from(socket);
    PeerSocket peer(context_of(head, accepted), listener);
    faults::take_calls();
    peer.uncork();
    EQUAL(faults::take_calls().size(), 0U);
    peer.cork();
    EQUAL(option(accepted, IPPROTO_TCP, TCP_CORK), 1);
    peer.cork();
    EQUAL(faults::take_calls().size(), 1U);
    peer.uncork();
    EQUAL(option(accepted, IPPROTO_TCP, TCP_CORK), 0);
    peer.uncork();
    EQUAL(faults::take_calls().size(), 1U);
    peer.acknowledge();
    EQUAL(faults::count_options(faults::take_calls(), IPPROTO_TCP, TCP_QUICKACK, 1), 1);
    PeerSocket none;
    none.acknowledge();
    none.cork();
    none.uncork();
    EQUAL(faults::take_calls().size(), 0U);
    ::close(client);
}
