// The socket of one connection from the MTA, for options that libmilter does not set. Never with the GIL.
#include "core/process/peer_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/process/context_head.hpp"

namespace pymilter {

namespace {

bool is_connected_stream(int descriptor) {
    int type = 0;
    socklen_t length = sizeof type;
    sockaddr_storage peer{};
    socklen_t peer_length = sizeof peer;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
           ::getpeername(descriptor, reinterpret_cast<sockaddr *>(&peer), &peer_length) == 0;
}

#ifdef TCP_QUICKACK
constexpr int quick_ack = TCP_QUICKACK;
#else
constexpr int quick_ack = -1;
#endif

#ifdef TCP_CORK
constexpr int cork_option = TCP_CORK;
#else
constexpr int cork_option = -1;
#endif

bool set_option(int descriptor, int option, int value) {
    return option >= 0 && ::setsockopt(descriptor, IPPROTO_TCP, option, &value, sizeof value) == 0;
}

}  // namespace

PeerSocket::PeerSocket(SMFICTX *context, const Listener &listener) noexcept {
    if (listener.is_local()) {
        return;
    }
    const ContextHead head = head_of(context);
    if (is_connected_stream(head.descriptor) && listener.has_address_of(head.descriptor) &&
        set_option(head.descriptor, quick_ack, 1)) {
        m_descriptor = head.descriptor;
    }
}

void PeerSocket::acknowledge() const noexcept {
    if (m_descriptor >= 0) {
        set_option(m_descriptor, quick_ack, 1);
    }
}

void PeerSocket::cork() noexcept {
    if (m_descriptor >= 0 && !m_is_corked) {
        m_is_corked = set_option(m_descriptor, cork_option, 1);
    }
}

void PeerSocket::uncork() noexcept {
    if (m_is_corked) {
        set_option(m_descriptor, cork_option, 0);
        m_is_corked = false;
    }
}

}  // namespace pymilter
