// The socket of one connection from the MTA, for the options that libmilter does not set. Never with the GIL.
//
// libmilter does not hand its descriptor out. It is read from the place where all versions of libmilter have kept it,
// and used only when it proves to be a connected stream socket of our listener's own address.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/process/listener.hpp"

namespace pymilter {

class PeerSocket {
public:
    PeerSocket() = default;
    // Tests false where the checks fail, where the system has no TCP_QUICKACK, and for a unix socket, which needs none.
    PeerSocket(SMFICTX *context, const Listener &listener) noexcept;
    explicit operator bool() const { return m_descriptor >= 0; }

    // Acknowledges what has been read, at once. Without it an MTA with Nagle's algorithm on waits 40 ms for the delayed
    // acknowledgement of a step that is not answered. The kernel forgets the option, so it is set again each time.
    void acknowledge() const noexcept;

    // Between these two, small packets wait for each other.
    void cork() noexcept;
    void uncork() noexcept;

private:
    int m_descriptor = -1;
    bool m_is_corked = false;
};

}  // namespace pymilter
