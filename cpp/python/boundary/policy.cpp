// What is answered if no handler decides: nothing, or the answer to a failure. Called without the GIL.
#include "python/boundary/policy.hpp"

#include "core/protocol/answer.hpp"

namespace pymilter {

namespace {

// The plain text that the SMTP client sees: nothing internal in it.
Answer failure_answer(int policy) {
    if (policy == SMFIS_REJECT) {
        return {policy, {"554", "5.3.0", {"Mail filter failed"}}};
    }
    return {policy, {"451", "4.3.0", {"Mail filter failed, please try again later"}}};
}

}  // namespace

sfsistat nothing_to_say(const Connection &connection, Step step) {
    return connection.options.is_no_reply(step) ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

sfsistat give_answer(Connection &connection, Step step, const Answer &answer) {
    if (connection.options.is_no_reply(step) || answer.status == SMFIS_CONTINUE) {
        return nothing_to_say(connection, step);
    }
    if (answer.status == SMFIS_TEMPFAIL || answer.status == SMFIS_REJECT) {
        connection.call_unattached([&](SMFICTX *context) { return send_reply(context, answer.text); });
    }
    return answer.status;
}

sfsistat give_or_keep_answer(Connection &connection, Step step, const Answer &answer) {
    const bool is_answered = connection.is_negotiated && !connection.options.is_no_reply(step);
    if (answer.status != SMFIS_CONTINUE) {
        if (is_connection_step(step)) {
            connection.keep_connection_failure(answer);
        } else if (!is_answered && step != Step::unknown) {
            // The MTA refuses an unknown command whatever the answer is, so no mail can be accepted through it.
            connection.keep_message_failure(answer);
        }
    }
    return give_answer(connection, step, answer);
}

sfsistat answer_failure(Connection &connection, Step step, int policy) {
    return give_or_keep_answer(connection, step, failure_answer(policy));
}

}  // namespace pymilter
