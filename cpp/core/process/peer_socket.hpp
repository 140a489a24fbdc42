// The socket of one connection from the MTA, for options that libmilter does not set. Never with the GIL.
//
// libmilter does not hand out its descriptor. It is read from where all versions of libmilter have kept it, and used
// only if it is a connected stream socket with the address of our listener.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/process/listener.hpp"

namespace pymilter {

class PeerSocket {
public:
    PeerSocket() = default;
    // Tests false if a check fails, if the system has no TCP_QUICKACK, and for a unix socket, which does not need it.
    PeerSocket(SMFICTX *context, const Listener &listener) noexcept;
    explicit operator bool() const { return m_descriptor >= 0; }

    // Acknowledges at once what has been read. Otherwise an MTA with Nagle's algorithm waits 40 ms for the delayed
    // acknowledgement of a no-reply step. The kernel forgets the option, so it is set again each time.
    void acknowledge() const noexcept;

    // Between these two, small packets wait for each other.
    void cork() noexcept;
    void uncork() noexcept;

private:
    int m_descriptor = -1;
    bool m_is_corked = false;
};

}  // namespace pymilter
