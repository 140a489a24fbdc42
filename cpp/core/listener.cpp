// The listening socket that libmilter serves: handed over opened, woken, replaced. Any thread, never with the GIL.
#include "core/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace pymilter {

namespace {

union AnyAddress {
    sockaddr any;
    sockaddr_in inet;
    sockaddr_in6 inet6;
    sockaddr_storage storage;
};

struct BoundAddress {
    AnyAddress address{};
    socklen_t length = 0;
};

[[noreturn]] void fail(const char *what) { throw std::system_error(errno, std::generic_category(), what); }

bool is_listening(int descriptor) {
    int listening = 0;
    socklen_t length = sizeof listening;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

BoundAddress bound_address(int descriptor) {
    BoundAddress bound;
    bound.length = sizeof bound.address;
    if (::getsockname(descriptor, &bound.address.any, &bound.length) != 0) {
        fail("cannot read the address of the listening socket");
    }
    return bound;
}

// Accepted sockets inherit both options.
void shorten_stalls(int descriptor) {
    // Without it an answer after several edits waits for the peer's delayed acknowledgement.
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef __linux__
    // Sendmail writes macros apart from their command and waits for the acknowledgement of the macros, of which no
    // callback tells us. Linux 6.15 and later can bound the delay; how low depends on the kernel's clock.
    constexpr int delack_max_us = 46;  // TCP_DELACK_MAX_US, which older headers lack
    for (const int microseconds : {2000, 5000, 20000}) {
        if (::setsockopt(descriptor, IPPROTO_TCP, delack_max_us, &microseconds, sizeof microseconds) == 0) {
            break;
        }
    }
#endif
}

// A folder that only we can enter, for a unix socket that lives for a moment.
class PrivateFolder {
public:
    PrivateFolder() {
        if (::mkdtemp(m_path.data()) == nullptr) {
            fail("cannot make a folder under /tmp");
        }
    }
    ~PrivateFolder() {
        ::unlink(socket_path().c_str());
        ::rmdir(m_path.data());
    }
    PrivateFolder(const PrivateFolder &) = delete;
    PrivateFolder &operator=(const PrivateFolder &) = delete;

    std::string socket_path() const { return std::string{m_path.data()} + "/s"; }

private:
    std::array<char, 22> m_path{"/tmp/pymilter-XXXXXX\0"};
};

// Lets libmilter open a socket of its own and returns its descriptor. libmilter accepts only peers of the family that
// it opened itself, so the stand-in must be of the family that is to replace it.
int open_stand_in(int family) {
    const PrivateFolder folder;
    std::string connection = "unix:" + folder.socket_path();
    if (family == AF_INET) {
        connection = "inet:0@127.0.0.1";
    } else if (family == AF_INET6) {
        connection = "inet6:0@::1";
    }
    // libmilter's socket gets the lowest free number, which is the one that a dup gets now.
    const int expected = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (expected >= 0) {
        ::close(expected);
    }
    if (::smfi_setconn(connection.data()) != MI_SUCCESS || ::smfi_opensocket(false) != MI_SUCCESS) {
        errno = EADDRNOTAVAIL;
        fail("libmilter cannot open a socket (syslog has its reason)");
    }
    const auto is_stand_in = [family](int descriptor) {
        return is_listening(descriptor) && bound_address(descriptor).address.any.sa_family == family;
    };
    if (expected >= 0 && is_stand_in(expected)) {
        return expected;
    }
    errno = EBADF;
    fail("cannot tell which descriptor libmilter listens on");
}

}  // namespace

void Listener::adopt(int descriptor) {
    if (!is_listening(descriptor)) {
        errno = EINVAL;
        fail("the descriptor is not a listening socket");
    }
    const int family = bound_address(descriptor).address.any.sa_family;
    const int stand_in = open_stand_in(family);
    if (::dup2(descriptor, stand_in) < 0 || ::fcntl(stand_in, F_SETFD, FD_CLOEXEC) < 0) {
        fail("cannot hand the listening socket to libmilter");
    }
    if (family != AF_UNIX) {
        shorten_stalls(stand_in);
    }
    m_descriptor = stand_in;
    m_family = family;
}

bool Listener::has_address_of(int connected) const noexcept {
    try {
        const BoundAddress ours = bound_address(m_descriptor);
        const BoundAddress theirs = bound_address(connected);
        if (theirs.address.any.sa_family != m_family) {
            return false;
        }
        if (m_family == AF_INET) {
            const auto &inet = ours.address.inet;
            return theirs.address.inet.sin_port == inet.sin_port &&
                   (inet.sin_addr.s_addr == htonl(INADDR_ANY) ||
                    theirs.address.inet.sin_addr.s_addr == inet.sin_addr.s_addr);
        }
        const auto &inet6 = ours.address.inet6;
        return theirs.address.inet6.sin6_port == inet6.sin6_port &&
               (IN6_IS_ADDR_UNSPECIFIED(&inet6.sin6_addr) ||
                IN6_ARE_ADDR_EQUAL(&theirs.address.inet6.sin6_addr, &inet6.sin6_addr));
    } catch (const std::system_error &) {
        return false;
    }
}

void Listener::wake() const noexcept {
    try {
        BoundAddress bound = bound_address(m_descriptor);
        if (m_family == AF_INET && bound.address.inet.sin_addr.s_addr == htonl(INADDR_ANY)) {
            bound.address.inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        } else if (m_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&bound.address.inet6.sin6_addr)) {
            bound.address.inet6.sin6_addr = in6addr_loopback;
        }
        const int peer = ::socket(m_family, SOCK_STREAM, 0);
        if (peer < 0) {
            return;
        }
        // Without waiting: a full backlog wakes libmilter just as well.
        ::fcntl(peer, F_SETFL, O_NONBLOCK);
        (void)::connect(peer, &bound.address.any, bound.length);
        ::close(peer);
    } catch (const std::system_error &) {
        // The socket is gone already, so nothing waits on it.
    }
}

}  // namespace pymilter
