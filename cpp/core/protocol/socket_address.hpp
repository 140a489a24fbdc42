// The address of the SMTP client as a plain value, copied from the sockaddr that libmilter lends for one callback. Any
// thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace pymilter {

struct SocketAddress {
    int family = 0;    // AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC if the MTA sent no address
    std::string text;  // the IP address, or the path of a unix socket
    std::uint16_t port = 0;
    std::uint32_t flowinfo = 0;
    std::uint32_t scope_id = 0;
};

// The bytes of an address, to be read later; AF_UNSPEC for a null pointer.
sockaddr_storage copy_address(const sockaddr *address) noexcept;

// Never throws for a strange address: an unknown family keeps its number and an empty text.
SocketAddress to_socket_address(const sockaddr *address);

}  // namespace pymilter
