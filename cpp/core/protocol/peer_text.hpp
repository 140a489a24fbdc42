// The SMTP client in one short text, for a log: from what connect tells, or from the MTA's macros. Any thread.
#pragma once

#include <string>

#include "core/protocol/socket_address.hpp"

namespace pymilter {

// "name[ip]", "ip", "unix:path", or "name" where no address is known; empty where nothing is. `hostname` may be null,
// and is none where it is "unknown" or begins with "[". At most 255 bytes of a name are kept.
std::string peer_text(const char *hostname, const SocketAddress &address);

// The same from macros, each null where the MTA did not send it: {client_name}, {client_addr}, and _, which Postfix and
// Sendmail send by default. A name that the MTA found forged is none.
std::string peer_text_of_macros(const char *client_name, const char *client_addr, const char *underscore);

}  // namespace pymilter
