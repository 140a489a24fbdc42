// The listening socket that libmilter serves: handed over opened, woken, replaced. Any thread, never with the GIL.
//
// libmilter opens sockets itself, with the mode that the umask gives and the reason of a failure only in syslog.
// So the socket is opened by us, where errors have names, and put in the place of one that libmilter opened for a
// moment. This works with every build of libmilter; `fd:N` does not.
#pragma once

#include "core/process/descriptors.hpp"
#include "core/protocol/libmilter.hpp"

namespace pymilter {

class Listener {
public:
    // Lets libmilter open a stand-in for `descriptor`, a listening stream socket that stays the caller's. Returns a
    // connection to the stand-in, which is the caller's to close, or -1 if there can be none, as where the loopback
    // interface is down. Needs smfi_register before. Throws std::system_error.
    int prepare(int descriptor);
    // Puts the descriptor in the place of the stand-in. A poll that runs already must be interrupted. False if that
    // cannot be, as when libmilter has ended.
    bool adopt() noexcept;

    // Takes no connection any more: from now on libmilter listens on a descriptor to which nobody can connect. A poll
    // that runs already must be interrupted. Throws std::system_error.
    void stop_accepting();

    // For the two below: opens what takes the socket's place, and keeps the socket while it is away. Throws
    // std::system_error.
    void share();
    void unshare() noexcept;
    // Puts a listening socket to which nobody can connect in the place of the real one, and the real one back. A poll
    // that runs already must be interrupted to look at another. False when that cannot be, as when libmilter has ended.
    bool set_aside() const noexcept;
    bool put_back() const noexcept;
    // The real one, wherever it is, between share() and unshare().
    int real() const noexcept { return m_real; }

    // In a process forked from this one: closes the listening socket and the connections that came through it, which
    // would else stay open when this process has closed them. Not for a thread that runs beside others.
    void disown_in_child() const noexcept;

    // How many connections that came through it are open, those included that have said nothing yet.
    int connections() const;

    // An unanswered step stalls the MTA only over TCP.
    bool is_local() const { return m_family == AF_UNIX; }

    // Whether a socket's own address is the one that is listened on.
    bool has_address_of(int descriptor) const noexcept;

private:
    int m_descriptor = -1;  // libmilter's number for the listening socket
    int m_offered = -1;     // what prepare() got, until it is in its place
    int m_stand_in = -1;    // another number for the stand-in, until then
    int m_real = -1;
    int m_silent = -1;
    int m_family = AF_UNSPEC;
    SocketName m_name;
};

}  // namespace pymilter
