// The listening socket that libmilter serves: handed over opened, woken, replaced. Any thread, never with the GIL.
//
// libmilter opens sockets itself, with the mode that the umask gives and the reason of a failure only in syslog.
// So the socket is opened by us, where errors have names, and put in the place of one that libmilter opened for a
// moment. This works with every build of libmilter; `fd:N` does not.
#pragma once

#include "core/libmilter.hpp"

namespace pymilter {

class Listener {
public:
    // Takes the place of libmilter's listening socket with `descriptor`, a listening stream socket that stays the
    // caller's. Needs smfi_register before. Throws std::system_error.
    void adopt(int descriptor);

    // Makes libmilter's poll of the listening socket return: it holds the lock that smfi_stop wants for up to 5 s.
    void wake() const noexcept;

    // An unanswered step stalls the MTA only over TCP.
    bool is_local() const { return m_family == AF_UNIX; }

    // Whether a connected socket's own address is the one that is listened on.
    bool has_address_of(int connected) const noexcept;

private:
    int m_descriptor = -1;  // libmilter's number for the listening socket
    int m_family = AF_UNSPEC;
};

}  // namespace pymilter
