// Descriptors: sockets and their addresses, pipes that wake a thread, and which descriptors are open. Any thread, never
// with the GIL.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <vector>

namespace pymilter {

// The address that a socket is bound to.
class SocketName {
public:
    SocketName() = default;
    // Throws std::system_error if the descriptor is no socket.
    explicit SocketName(int descriptor);

    int family() const { return m_address.any.sa_family; }
    // Whether a connection whose own address is `accepted` came through the socket with this address.
    bool covers(const SocketName &accepted) const noexcept;
    // Begins to connect to it. See begin_connect().
    int connect() const noexcept;

private:
    union {
        sockaddr any;
        sockaddr_in inet;
        sockaddr_in6 inet6;
        sockaddr_un local;
        sockaddr_storage storage;
    } m_address{};
    socklen_t m_length = 0;
};

bool is_listening(int descriptor) noexcept;

// All of these are close-on-exec from their first moment if the system can do that, so a program that another thread
// starts at that moment does not inherit them.
//
// The reading and the writing end of a non-blocking pipe. Throws std::system_error.
std::array<int, 2> open_pipe();
// A non-blocking stream socket of the family. Returns -1 and sets errno on failure.
int open_socket(int family) noexcept;
// A non-blocking stream socket that is connected to the address, or soon will be. Returns -1 and sets errno on failure.
int begin_connect(const sockaddr &address, socklen_t length) noexcept;
// The next connection of a listening socket, non-blocking. Returns -1 and sets errno on failure.
int accept_from(int listener) noexcept;
// Two connected sockets, which block. Returns false and sets errno on failure.
bool open_socket_pair(std::array<int, 2> &ends) noexcept;
// Makes `number` refer to what `descriptor` refers to. Returns false and sets errno on failure.
bool duplicate_to(int descriptor, int number) noexcept;

// Writes to such a pipe. If the pipe is full, its reader will wake anyway. May be called in a signal handler.
void write_byte(int descriptor, unsigned char byte) noexcept;

// All open descriptors of this process.
std::vector<int> open_descriptors();

}  // namespace pymilter
