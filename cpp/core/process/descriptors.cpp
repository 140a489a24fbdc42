// Descriptors: sockets and their addresses, pipes that wake a thread, and which descriptors are open.
#include "core/process/descriptors.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace pymilter {

SocketName::SocketName(int descriptor) {
    m_length = sizeof m_address;
    if (::getsockname(descriptor, &m_address.any, &m_length) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot read the address of a socket");
    }
}

bool SocketName::covers(const SocketName &accepted) const noexcept {
    if (accepted.family() != family()) {
        return false;
    }
    if (family() == AF_INET) {
        const auto &ours = m_address.inet;
        const auto &theirs = accepted.m_address.inet;
        return theirs.sin_port == ours.sin_port &&
               (ours.sin_addr.s_addr == htonl(INADDR_ANY) || theirs.sin_addr.s_addr == ours.sin_addr.s_addr);
    }
    if (family() == AF_INET6) {
        const auto &ours = m_address.inet6;
        const auto &theirs = accepted.m_address.inet6;
        return theirs.sin6_port == ours.sin6_port &&
               (IN6_IS_ADDR_UNSPECIFIED(&ours.sin6_addr) || IN6_ARE_ADDR_EQUAL(&theirs.sin6_addr, &ours.sin6_addr));
    }
    // The address of a socket without a name is nothing but its family.
    return family() == AF_UNIX && m_length > sizeof m_address.any.sa_family && accepted.m_length == m_length &&
           std::memcmp(&accepted.m_address, &m_address, m_length) == 0;
}

int SocketName::connect() const noexcept { return begin_connect(m_address.any, m_length); }

int begin_connect(const sockaddr &address, socklen_t length) noexcept {
    const int descriptor = open_socket(address.sa_family);
    if (descriptor >= 0 && ::connect(descriptor, &address, length) != 0 && errno != EINPROGRESS) {
        const int saved_errno = errno;
        ::close(descriptor);
        errno = saved_errno;
        return -1;
    }
    return descriptor;
}

bool is_listening(int descriptor) noexcept {
    int listening = 0;
    socklen_t length = sizeof listening;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

#if defined(__linux__) || defined(__FreeBSD__)

std::array<int, 2> open_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
    }
    return ends;
}

int open_socket(int family) noexcept { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

int accept_from(int listener) noexcept { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }

bool open_socket_pair(std::array<int, 2> &ends) noexcept {
    return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0;
}

bool duplicate_to(int descriptor, int number) noexcept { return ::dup3(descriptor, number, O_CLOEXEC) >= 0; }

#else

std::array<int, 2> open_pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
    }
    for (const int end : ends) {
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
        ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
    return ends;
}

static int without_blocking(int opened) noexcept {
    if (opened >= 0) {
        ::fcntl(opened, F_SETFD, FD_CLOEXEC);
        ::fcntl(opened, F_SETFL, O_NONBLOCK);
    }
    return opened;
}

int open_socket(int family) noexcept { return without_blocking(::socket(family, SOCK_STREAM, 0)); }

int accept_from(int listener) noexcept { return without_blocking(::accept(listener, nullptr, nullptr)); }

bool open_socket_pair(std::array<int, 2> &ends) noexcept {
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
        return false;
    }
    for (const int end : ends) {
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
    }
    return true;
}

bool duplicate_to(int descriptor, int number) noexcept {
    return ::dup2(descriptor, number) >= 0 && ::fcntl(number, F_SETFD, FD_CLOEXEC) == 0;
}

#endif

void write_byte(int descriptor, unsigned char byte) noexcept {
    if (::write(descriptor, &byte, 1) < 0) {
        // The pipe is full, so its reader will wake anyway.
    }
}

std::vector<int> open_descriptors() {
    std::vector<int> found;
    DIR *const folder = ::opendir("/dev/fd");
    if (folder == nullptr) {
        // Perhaps no descriptor is left. Then the limit is low enough to try each number below it.
        const long most = ::sysconf(_SC_OPEN_MAX);
        for (int number = 0; number < most; ++number) {
            if (::fcntl(number, F_GETFD) >= 0) {
                found.push_back(number);
            }
        }
        return found;
    }
    const int own = ::dirfd(folder);
    while (const dirent *const entry = ::readdir(folder)) {
        char *end = nullptr;
        const long number = std::strtol(entry->d_name, &end, 10);
        if (*end == '\0' && number != own) {
            found.push_back(static_cast<int>(number));
        }
    }
    ::closedir(folder);
    return found;
}

}  // namespace pymilter
