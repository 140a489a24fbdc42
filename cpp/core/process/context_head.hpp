// The first members of libmilter's context, for which libmilter has no functions. Any thread, never with the GIL.
#pragma once

#include <pthread.h>

#include <cstring>
#include <ctime>

#include "core/protocol/libmilter.hpp"

namespace pymilter {

// The first members of struct smfi_str, as they have been since libmilter 8.12. Nothing here is trusted unchecked: the
// descriptor must be a connection to our listener (PeerSocket), and the state must have been right in Rehearsal.
struct ContextHead {
    pthread_t thread;
    int descriptor;
    int debug;
    std::time_t timeout;
    int state;
};

inline ContextHead head_of(const SMFICTX *context) noexcept {
    ContextHead head{};
    std::memcpy(&head, context, sizeof head);
    return head;
}

}  // namespace pymilter
