// The address of the SMTP client as a plain value, copied from the sockaddr that libmilter lends for one callback. Any
// thread.
#pragma once

#include <cstdint>
#include <string>

struct sockaddr;

namespace pymilter {

struct SocketAddress {
    int family = 0;    // AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC if the MTA sent no address
    std::string text;  // the IP address, or the path of a unix socket
    std::uint16_t port = 0;
    std::uint32_t flowinfo = 0;
    std::uint32_t scope_id = 0;
};

// Never throws for a strange address: an unknown family keeps its number and an empty text.
SocketAddress to_socket_address(const sockaddr *address);

}  // namespace pymilter
