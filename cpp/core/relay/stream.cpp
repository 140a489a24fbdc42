// One end of a relayed connection, and how it is opened.
#include "core/relay/stream.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "core/process/descriptors.hpp"

namespace pymilter {

namespace {

constexpr std::chrono::seconds connect_timeout{10};
constexpr int slice = 100;  // ms between two looks at whether the relay ends
constexpr int on = 1;

using Clock = std::chrono::steady_clock;

std::string message_of(int number) { return std::generic_category().message(number); }

std::string too_late() { return "no connection within " + std::to_string(connect_timeout.count()) + " s"; }

// The state of a connect in progress: 0 if it is done, EINPROGRESS if not yet, otherwise the error.
int state_of(int descriptor, int stop, Clock::time_point deadline) noexcept {
    while (Clock::now() < deadline) {
        std::array<pollfd, 2> ready{{{descriptor, POLLOUT, 0}, {stop, POLLIN, 0}}};
        const int count = ::poll(ready.data(), ready.size(), slice);
        if (count > 0 && ready[1].revents != 0) {
            return ECANCELED;
        }
        if (count > 0) {
            int error = 0;
            socklen_t length = sizeof error;
            return ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
        }
    }
    return EINPROGRESS;
}

}  // namespace

Stream::Stream(int descriptor) noexcept
    : m_descriptor(descriptor),
      m_is_tcp(descriptor >= 0 && ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0) {}

Stream::~Stream() {
    if (m_descriptor >= 0) {
        ::close(m_descriptor);
    }
}

long Stream::read(char *buffer, std::size_t size) const noexcept {
    const long count = ::recv(m_descriptor, buffer, size, 0);
#ifdef TCP_QUICKACK
    if (m_is_tcp && count > 0) {
        ::setsockopt(m_descriptor, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
#endif
    return count;
}

// A peer that has gone is no signal: the threads of the relay block them all.
long Stream::write(std::string_view data) const noexcept { return ::send(m_descriptor, data.data(), data.size(), 0); }

void Stream::end_writing() const noexcept { ::shutdown(m_descriptor, SHUT_WR); }

void Stream::end() const noexcept { ::shutdown(m_descriptor, SHUT_RDWR); }

RelayTarget::RelayTarget(int family, std::string place, int port)
    : m_family(family), m_place(std::move(place)), m_port(std::to_string(port)) {
    if (family == AF_UNIX && m_place.size() >= sizeof(sockaddr_un::sun_path)) {
        throw std::invalid_argument("the path of the socket is too long: " + m_place);
    }
}

Stream RelayTarget::connect(int stop, std::string &problem) const {
    return m_family == AF_UNIX ? connect_locally(stop, problem) : connect_over_tcp(stop, problem);
}

// Such a connect is done at once, or waits for room in the queue of the listener. A non-blocking one would fail
// instead of waiting, so this one blocks, a slice at a time.
Stream RelayTarget::connect_locally(int stop, std::string &problem) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, m_place.c_str(), m_place.size() + 1);
    Stream stream(open_socket(AF_UNIX));
    if (!stream) {
        problem = message_of(errno);
        return {};
    }
    const int flags = ::fcntl(stream.descriptor(), F_GETFL);
    const timeval limit{0, 1000L * slice};
    ::fcntl(stream.descriptor(), F_SETFL, flags & ~O_NONBLOCK);
    ::setsockopt(stream.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const auto deadline = Clock::now() + connect_timeout;
    while (::connect(stream.descriptor(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
        const bool has_to_wait = errno == EAGAIN || errno == EINTR;
        problem = has_to_wait ? too_late() : message_of(errno);
        if (!has_to_wait || Clock::now() >= deadline || is_stopped_within(stop, 0)) {
            return {};
        }
    }
    ::fcntl(stream.descriptor(), F_SETFL, flags | O_NONBLOCK);
    return stream;
}

Stream RelayTarget::connect_over_tcp(int stop, std::string &problem) const {
    addrinfo hints{};
    hints.ai_family = m_family;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *found = nullptr;
    if (const int failure = ::getaddrinfo(m_place.c_str(), m_port.c_str(), &hints, &found); failure != 0) {
        problem = failure == EAI_SYSTEM ? message_of(errno) : ::gai_strerror(failure);
        return {};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    const auto deadline = Clock::now() + connect_timeout;
    for (const addrinfo *one = found; one != nullptr; one = one->ai_next) {
        Stream stream(begin_connect(*one->ai_addr, one->ai_addrlen));
        const int state = stream ? state_of(stream.descriptor(), stop, deadline) : errno;
        if (state == 0) {
            return stream;
        }
        problem = state == EINPROGRESS ? too_late() : message_of(state);
        if (state == EINPROGRESS || state == ECANCELED) {
            break;
        }
    }
    return {};
}

bool is_stopped_within(int stop, int milliseconds) noexcept {
    pollfd ready{stop, POLLIN, 0};
    return ::poll(&ready, 1, milliseconds) > 0;
}

}  // namespace pymilter
