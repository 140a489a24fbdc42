// The SMTP client in one short text, for a log: from the arguments of connect, or from macros. Any thread.
#include "core/protocol/peer_text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string_view>

namespace pymilter {

namespace {

constexpr std::size_t longest_name = 255;  // the limit for names in the DNS (RFC 1035); paths are shorter

bool is_ip(const std::string &text) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

std::string join(std::string_view name, const std::string &ip) {
    if (name == "unknown" || (!name.empty() && name.front() == '[')) {
        name = {};
    }
    std::string text{name.substr(0, longest_name)};
    if (text.empty()) {
        return ip;
    }
    return ip.empty() ? text : text + '[' + ip + ']';
}

// The same for an address as macros write it: with a tag before IPv6 (RFC 5321, 4.1.3), or a word instead.
std::string join_written(std::string_view name, std::string_view address) {
    constexpr std::string_view tag = "IPv6:";
    if (address.substr(0, tag.size()) == tag) {
        address.remove_prefix(tag.size());
    }
    const std::string text{address.substr(0, longest_name)};
    if (!text.empty() && text.front() == '/') {
        return "unix:" + text;
    }
    return join(name, is_ip(text) ? text : std::string{});
}

// The macro _ is "name [ip]", "ident@name [ip]", "[ip]", each perhaps with " (may be forged)", or "user@name". The
// ident is left out, because the client can claim anything in it.
std::string from_underscore(std::string_view text) {
    const std::size_t open = text.rfind('[');
    std::string_view address;
    std::string_view name = text;
    if (open != std::string_view::npos) {
        name = text.substr(0, open);
        address = text.substr(open + 1);
        const std::size_t close = address.find(']');
        if (close != std::string_view::npos) {
            const bool is_forged = address.substr(close).find("forged") != std::string_view::npos;
            name = is_forged ? std::string_view{} : name;
            address = address.substr(0, close);
        }
    }
    if (const std::size_t at = name.rfind('@'); at != std::string_view::npos) {
        name.remove_prefix(at + 1);
    }
    while (!name.empty() && name.back() == ' ') {
        name.remove_suffix(1);
    }
    return join_written(name, address);
}

}  // namespace

std::string peer_text(const char *hostname, const SocketAddress &address) {
    if (address.family == AF_UNIX) {
        return "unix:" + address.text;
    }
    return join(hostname == nullptr ? std::string_view{} : hostname, address.text);
}

std::string peer_text_of_macros(const char *client_name, const char *client_addr, const char *underscore) {
    if (client_addr != nullptr) {
        std::string text = join_written(client_name == nullptr ? std::string_view{} : client_name, client_addr);
        if (!text.empty()) {
            return text;
        }
    }
    return underscore == nullptr ? std::string{} : from_underscore(underscore);
}

}  // namespace pymilter
