// What belongs to one message of a connection. It is reset by assignment, so nothing is left over for the next message.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/body/gathered_envelope.hpp"
#include "core/body/gathered_header.hpp"
#include "core/protocol/answer.hpp"
#include "python/connection/body_view.hpp"
#include "python/connection/calls.hpp"

namespace pymilter {

struct Message {
    bool has_envelope = false;            // MAIL came, or was negotiated off
    bool has_begun = false;               // stays true for a message that was paused
    bool skips_body = false;              // SKIP was answered: the handler gets no more chunks
    bool body_begun = false;              // a chunk of the new body has been sent
    std::uint32_t plain_steps = 0;        // steps that were found to have no bytes hook of their own
    std::optional<Answer> failure;        // the answer to every step that can be answered, until the message ends
    std::vector<Calls::Call> held_edits;  // made after the new body had begun
};

// What has been gathered of the message, if the plan asks for that. The memory is kept for the next message.
struct Gathered {
    GatheredBody body;
    // Header and envelope, if whole messages are gathered. Python may keep the envelope longer than the message lasts.
    GatheredHeader header;
    std::shared_ptr<GatheredEnvelope> envelope;

    // Called without the GIL.
    void clear() noexcept {
        body.buffer.clear();
        header.clear();
        if (envelope && envelope.use_count() == 1) {
            envelope->clear();
        } else {
            envelope.reset();
        }
    }
};

}  // namespace pymilter
