// What belongs to one message of a connection: reset by assignment, so that nothing is left over for the next one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/body/whole_message.hpp"
#include "core/protocol/answer.hpp"
#include "python/connection/body_view.hpp"

namespace pymilter {

// The messages of a connection in their order. A handle that was made for one makes no call for another.
using MessageNumber = std::uint64_t;
constexpr MessageNumber any_message = 0;

struct Message {
    bool has_envelope = false;                              // MAIL came, or is not sent
    bool has_begun = false;                                 // stays true for a message that was paused
    bool skips_body = false;                                // SKIP was answered: the handler gets no more chunks
    bool body_begun = false;                                // a chunk of the new body has been sent
    std::uint32_t plain_steps = 0;                          // steps that were seen to have no bytes hook of their own
    std::optional<Answer> failure;                          // answered at each step that can be, until the message ends
    std::vector<std::function<int(SMFICTX *)>> held_edits;  // made after the new body has begun
};

// What has been gathered of the message, if the plan says so. Its memory is kept for the next message.
struct Gathered {
    GatheredBody body;
    // All but the body, if whole messages are gathered. Python may hold it for longer than the message lasts.
    std::shared_ptr<WholeMessage> whole;

    // Called without the GIL.
    void clear() noexcept {
        body.buffer.clear();
        if (whole && whole.use_count() == 1) {
            whole->clear();
        } else {
            whole.reset();
        }
    }
};

}  // namespace pymilter
