// What is answered if no handler decides: nothing, or the answer to a failure. Called without the GIL.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/protocol/step.hpp"
#include "python/connection/connection.hpp"

namespace pymilter {

// No verdict: CONTINUE, or no answer at all if the step was negotiated as no-reply.
sfsistat nothing_to_say(const Connection &connection, Step step);

// Gives `answer` with its text, if the step can be answered.
sfsistat give_answer(Connection &connection, Step step, const Answer &answer);

// The same; if the step cannot be answered, keeps the answer for the next step that can (contract of dispatch, 3).
sfsistat give_or_keep_answer(Connection &connection, Step step, const Answer &answer);

// The answer to a failed handler: `policy` is the status that the filter has chosen for that.
sfsistat answer_failure(Connection &connection, Step step, int policy);

}  // namespace pymilter
