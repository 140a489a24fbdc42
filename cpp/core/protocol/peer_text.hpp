// The SMTP client in one short text, for a log: from the arguments of connect, or from macros. Any thread.
#pragma once

#include <string>

#include "core/protocol/socket_address.hpp"

namespace pymilter {

// "name[ip]", "ip", "unix:path", or "name" if no address is known; empty if nothing is. `hostname` may be null, and
// does not count as a name if it is "unknown" or begins with "[". At most 255 bytes of a name are kept.
std::string peer_text(const char *hostname, const SocketAddress &address);

// The same from macros: {client_name}, {client_addr}, and _, which Postfix and Sendmail send by default. Each is null
// if the MTA did not send it. A name that the MTA found to be forged is left out.
std::string peer_text_of_macros(const char *client_name, const char *client_addr, const char *underscore);

}  // namespace pymilter
