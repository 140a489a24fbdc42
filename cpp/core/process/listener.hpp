// The listening socket that libmilter serves: handed over opened, woken, replaced. Any thread, never with the GIL.
//
// libmilter opens sockets itself, with the mode that the umask gives, and reports the reason of a failure only to
// syslog. So we open the socket, with errors that have names, and put it in the place of one that libmilter opened for
// a moment. This works with every build of libmilter; `fd:N` does not.
#pragma once

#include "core/process/descriptors.hpp"
#include "core/protocol/libmilter.hpp"

namespace pymilter {

class Listener {
public:
    // Lets libmilter open a stand-in for `descriptor`, a listening stream socket that the caller still owns. Returns a
    // connection to the stand-in, which the caller must close, or -1 if none can be made, for example because the
    // loopback interface is down. smfi_register must have been called. Throws std::system_error.
    int prepare(int descriptor);
    // Puts the descriptor in the place of the stand-in. A poll that is running must be interrupted. Returns false if
    // that is impossible, for example because libmilter has ended.
    bool adopt() noexcept;

    // Accepts no more connections: from now on libmilter listens on a descriptor to which nobody can connect. A poll
    // that is running must be interrupted. Throws std::system_error.
    void stop_accepting();

    // Before set_aside() is used: keeps a second number for the real socket, and opens the silent one. Throws
    // std::system_error.
    void keep_real();
    void drop_real() noexcept;
    // Puts a listening socket to which nobody can connect in the place of the real one, and the real one back. A poll
    // that is running goes on with the old one until it is interrupted. Returns false if that is impossible, for
    // example because libmilter has ended.
    bool set_aside() const noexcept;
    bool put_back() const noexcept;
    // The real socket, also while it is set aside. Between keep_real() and drop_real().
    int real() const noexcept { return m_real; }

    // In a forked process: closes the listening socket and the connections that came through it, which would otherwise
    // stay open after the parent has closed them. The process must have no other thread.
    void disown_in_child() const noexcept;

    // How many connections that came through the socket are open, including those on which nothing was said yet.
    int connections() const;

    // No-reply steps can stall the MTA only over TCP.
    bool is_local() const { return m_family == AF_UNIX; }

    // Whether the local address of a socket is the one that is listened on.
    bool has_address_of(int descriptor) const noexcept;

private:
    int m_descriptor = -1;  // libmilter's number for the listening socket
    int m_offered = -1;     // the descriptor given to prepare(), until it is in its place
    int m_stand_in = -1;    // a second number for the stand-in, until then
    int m_real = -1;
    int m_silent = -1;
    int m_family = AF_UNSPEC;
    SocketName m_name;
};

}  // namespace pymilter
