// Fuzzes the reading of a peer's address: any bytes where libmilter lends a sockaddr.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>

#include "core/protocol/socket_address.hpp"
#include "input.hpp"

namespace {

// What libmilter allocates for each family, so that a byte read too many is seen.
std::size_t size_of(int family) {
    switch (family) {
    case AF_INET:
        return sizeof(sockaddr_in);
    case AF_INET6:
        return sizeof(sockaddr_in6);
    case AF_UNIX:
        return sizeof(sockaddr_un);
    default:
        return sizeof(sockaddr);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using fuzz::expect;
    fuzz::Input input(data, size);
    const sa_family_t families[]{AF_INET, AF_INET6, AF_UNIX, input.number<sa_family_t>()};
    const sa_family_t family = families[input.number<std::uint8_t>() % 4];
    const std::unique_ptr<char[]> memory(new char[size_of(family)]{});
    const std::string bytes = input.text(size_of(family));
    std::memcpy(memory.get(), bytes.data(), bytes.size());
    std::memcpy(memory.get() + offsetof(sockaddr, sa_family), &family, sizeof family);

    const auto address = pymilter::to_socket_address(reinterpret_cast<const sockaddr *>(memory.get()));
    expect(address.family == family);
    const bool is_ip = family == AF_INET || family == AF_INET6;
    expect(is_ip == (address.text.find_first_of(".:") != std::string::npos) || family == AF_UNIX);
    expect(is_ip || (address.port == 0 && address.flowinfo == 0 && address.scope_id == 0));
    expect(family != AF_UNIX || address.text.size() <= sizeof(sockaddr_un::sun_path));
    expect(family != AF_UNIX || address.text.find('\0') == std::string::npos);
    expect(pymilter::to_socket_address(nullptr).family == AF_UNSPEC);
    return 0;
}
