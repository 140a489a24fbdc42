// Descriptors: of sockets, their own address, what they are, and which there are; of pipes that wake a thread. Any
// thread, never with the GIL.
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
    // Throws std::system_error when the descriptor is no socket.
    explicit SocketName(int descriptor);

    int family() const { return m_address.any.sa_family; }
    // Whether a connection whose own name is `accepted` came through the socket with this name.
    bool covers(const SocketName &accepted) const noexcept;
    // A new stream socket that is connected to it, or soon will be; close-on-exec, and it does not block. -1 with
    // errno.
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

// All of these are close-on-exec from their first moment where the system can do that, so that a program that another
// thread starts just then does not inherit them.
//
// The reading and the writing end of a pipe that does not block. Throws std::system_error.
std::array<int, 2> open_pipe();
// A stream socket of the family that does not block; -1 with errno.
int open_socket(int family) noexcept;
// Two that are connected, and block. False with errno.
bool open_socket_pair(std::array<int, 2> &ends) noexcept;
// Makes `number` another name of `descriptor`. False with errno.
bool duplicate_to(int descriptor, int number) noexcept;

// Into such a pipe; where it is full, its reader will wake all the same. May be called in a signal handler.
void write_byte(int descriptor, unsigned char byte) noexcept;

// All that are open in this process; none where the system cannot tell.
std::vector<int> open_descriptors();

}  // namespace pymilter
