// The address of the SMTP client as a plain value, copied from the sockaddr that libmilter lends for one callback. Any
// thread.
#include "core/protocol/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace pymilter {

namespace {

std::string ip_text(int family, const void *address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    return ::inet_ntop(family, address, text.data(), text.size()) == nullptr ? std::string{} : std::string{text.data()};
}

// sockaddr is only the common start of these; copying avoids trouble with alignment and aliasing.
template <typename T>
T copy_of(const sockaddr *address) {
    T copy{};
    std::memcpy(&copy, address, sizeof copy);
    return copy;
}

}  // namespace

sockaddr_storage copy_address(const sockaddr *address) noexcept {
    sockaddr_storage copy{};
    if (address == nullptr) {
        return copy;
    }
    switch (address->sa_family) {
    case AF_INET:
        std::memcpy(&copy, address, sizeof(sockaddr_in));
        break;
    case AF_INET6:
        std::memcpy(&copy, address, sizeof(sockaddr_in6));
        break;
    case AF_UNIX:
        std::memcpy(&copy, address, sizeof(sockaddr_un));
        break;
    default:
        copy.ss_family = address->sa_family;
    }
    return copy;
}

SocketAddress to_socket_address(const sockaddr *address) {
    SocketAddress result;
    if (address == nullptr) {
        return result;
    }
    result.family = address->sa_family;
    if (result.family == AF_INET) {
        const auto inet = copy_of<sockaddr_in>(address);
        result.text = ip_text(AF_INET, &inet.sin_addr);
        result.port = ntohs(inet.sin_port);
    } else if (result.family == AF_INET6) {
        const auto inet6 = copy_of<sockaddr_in6>(address);
        result.text = ip_text(AF_INET6, &inet6.sin6_addr);
        result.port = ntohs(inet6.sin6_port);
        result.flowinfo = ntohl(inet6.sin6_flowinfo);
        result.scope_id = inet6.sin6_scope_id;
    } else if (result.family == AF_UNIX) {
        const auto local = copy_of<sockaddr_un>(address);
        result.text.assign(local.sun_path, ::strnlen(local.sun_path, sizeof local.sun_path));
    }
    return result;
}

}  // namespace pymilter
