// The listening socket that libmilter serves: handed over opened, woken, replaced. Any thread, never with the GIL.
#include "core/process/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace pymilter {

namespace {

[[noreturn]] void fail(const char *what) { throw std::system_error(errno, std::generic_category(), what); }

// Accepted sockets inherit both options.
void shorten_stalls(int descriptor) {
    // Without this, an answer after several edits waits for the delayed acknowledgement of the MTA.
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef __linux__
    // Sendmail writes macros apart from their command and waits for their acknowledgement, and no callback is called
    // for macros. Linux 6.15 and later can bound the delay; the lowest bound depends on the clock of the kernel.
    constexpr int delack_max_us = 46;  // TCP_DELACK_MAX_US, which older headers lack
    for (const int microseconds : {2000, 5000, 20000}) {
        if (::setsockopt(descriptor, IPPROTO_TCP, delack_max_us, &microseconds, sizeof microseconds) == 0) {
            break;
        }
    }
#endif
}

// A folder that only this user can enter, for a unix socket that exists for a moment.
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

// A listening socket that nobody can reach: its file is gone when this returns. accept() finds nothing there, which
// libmilter takes for a connection that another process has taken first.
int open_silent() {
    const int silent = open_socket(AF_UNIX);
    if (silent < 0) {
        fail("cannot make a socket that stays silent");
    }
    const PrivateFolder folder;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    folder.socket_path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(silent, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 || ::listen(silent, 1) != 0) {
        const int saved_errno = errno;
        ::close(silent);
        errno = saved_errno;
        fail("cannot make a socket that stays silent");
    }
    return silent;
}

bool is_same_socket(int descriptor, int other) noexcept {
    struct stat one{};
    struct stat two{};
    return ::fstat(descriptor, &one) == 0 && ::fstat(other, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

// Makes `number`, a number of the socket `present`, a number of `descriptor` instead. Not if libmilter has closed it,
// because the number may then belong to any other file.
bool replace(int number, int present, int descriptor) noexcept {
    while (is_same_socket(number, present)) {
        if (duplicate_to(descriptor, number)) {
            return true;
        }
        if (errno != EINTR && errno != EBUSY) {
            break;
        }
    }
    return false;
}

struct StandIn {
    int descriptor;  // libmilter's number for the socket
    int connection;  // a connection to it, or -1
};

// Lets libmilter open a socket of its own, and connects to it. libmilter accepts only peers of the family that it
// opened itself, so the stand-in must have the family of the socket that will replace it.
StandIn open_stand_in(int family) {
    const PrivateFolder folder;
    std::string connection = "unix:" + folder.socket_path();
    if (family == AF_INET) {
        connection = "inet:0@127.0.0.1";
    } else if (family == AF_INET6) {
        connection = "inet6:0@::1";
    }
    const auto candidates = [family] {
        std::set<int> found;
        for (const int descriptor : open_descriptors()) {
            if (is_listening(descriptor) && SocketName(descriptor).family() == family) {
                found.insert(descriptor);
            }
        }
        return found;
    };
    const std::set<int> before = candidates();
    if (::smfi_setconn(connection.data()) != MI_SUCCESS || ::smfi_opensocket(false) != MI_SUCCESS) {
        errno = EADDRNOTAVAIL;
        fail("libmilter cannot open a socket (syslog has its reason)");
    }
    std::vector<int> fresh;
    for (const int descriptor : candidates()) {
        if (before.count(descriptor) == 0) {
            fresh.push_back(descriptor);
        }
    }
    if (fresh.size() != 1) {
        errno = EBADF;
        fail("cannot tell which descriptor libmilter listens on: another thread has just opened one as well");
    }
    // Connect now: the file of a unix socket is removed with its folder, at the end of this function.
    return {fresh.front(), SocketName(fresh.front()).connect()};
}

}  // namespace

int Listener::prepare(int descriptor) {
    if (!is_listening(descriptor)) {
        errno = EINVAL;
        fail("the descriptor is not a listening socket");
    }
    const SocketName name(descriptor);
    const auto [stand_in, connection] = open_stand_in(name.family());
    const int second = ::fcntl(stand_in, F_DUPFD_CLOEXEC, 0);
    if (second < 0) {
        const int saved_errno = errno;
        ::close(connection);
        errno = saved_errno;
        fail("cannot keep the socket that libmilter opened");
    }
    if (name.family() != AF_UNIX) {
        shorten_stalls(descriptor);
    }
#ifdef __linux__
    // If several processes serve the socket, another one may take the connection that woke this one, so accept() must
    // not block. Only on Linux do accepted sockets not inherit this.
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
#endif
    m_descriptor = stand_in;
    m_stand_in = second;
    m_offered = descriptor;
    m_family = name.family();
    m_name = name;
    return connection;
}

bool Listener::adopt() noexcept {
    const bool is_done = replace(m_descriptor, m_stand_in, m_offered);
    ::close(std::exchange(m_stand_in, -1));
    m_offered = -1;
    return is_done;
}

void Listener::stop_accepting() {
    std::array<int, 2> ends{};
    if (!open_socket_pair(ends)) {
        fail("cannot make a socket that stays silent");
    }
    const bool is_done = duplicate_to(ends[0], m_descriptor);
    const int saved_errno = errno;
    ::close(ends[0]);
    if (!is_done) {
        ::close(ends[1]);
        errno = saved_errno;
        fail("cannot take the listening socket from libmilter");
    }
    // The other end stays open until the process ends: if it were closed, libmilter would find something to read.
}

void Listener::keep_real() {
    m_real = ::fcntl(m_offered, F_DUPFD_CLOEXEC, 0);
    if (m_real < 0) {
        fail("cannot keep the listening socket");
    }
    m_silent = open_silent();
}

void Listener::drop_real() noexcept {
    ::close(std::exchange(m_real, -1));
    ::close(std::exchange(m_silent, -1));
}

bool Listener::set_aside() const noexcept { return replace(m_descriptor, m_real, m_silent); }

bool Listener::put_back() const noexcept { return replace(m_descriptor, m_silent, m_real); }

int Listener::connections() const {
    int count = 0;
    for (const int descriptor : open_descriptors()) {
        count += has_address_of(descriptor) && !is_listening(descriptor) ? 1 : 0;
    }
    return count;
}

void Listener::disown_in_child() const noexcept {
    for (const int descriptor : open_descriptors()) {
        if (has_address_of(descriptor)) {
            ::close(descriptor);
        }
    }
}

bool Listener::has_address_of(int descriptor) const noexcept {
    try {
        return m_name.covers(SocketName(descriptor));
    } catch (const std::system_error &) {
        return false;
    }
}

}  // namespace pymilter
