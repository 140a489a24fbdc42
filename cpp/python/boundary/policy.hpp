// What is said to libmilter where no handler decides: nothing, or what a failure is answered with. Without the GIL.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/protocol/step.hpp"
#include "python/connection/connection.hpp"

namespace pymilter {

// No verdict: CONTINUE, or no answer at all where the step is not to be answered.
sfsistat nothing_to_say(const Connection &connection, Step step);

// Gives `answer`, its text set, where the step may be answered.
sfsistat give(Connection &connection, Step step, const Answer &answer);

// The same, and where it may not be answered keeps it for the next step that may (contract of dispatch, 3).
sfsistat give_or_keep(Connection &connection, Step step, const Answer &answer);

// A handler failed: `policy` is the status that the filter gives then.
sfsistat fail(Connection &connection, Step step, int policy);

// After a final answer libmilter sends no more of the message, so that what belonged to it is over.
void end_message_after(SMFICTX *context, Step step, sfsistat status);

}  // namespace pymilter
