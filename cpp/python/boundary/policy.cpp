// What is said to libmilter where no handler decides: nothing, or what a failure is answered with. Without the GIL.
#include "python/boundary/policy.hpp"

#include "python/boundary/reply.hpp"

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

sfsistat give(Connection &connection, Step step, const Answer &answer) {
    if (connection.options.is_no_reply(step) || answer.status == SMFIS_CONTINUE) {
        return nothing_to_say(connection, step);
    }
    if (answer.status == SMFIS_TEMPFAIL || answer.status == SMFIS_REJECT) {
        connection.call_unattached(step, [&](SMFICTX *context) { return send_reply(context, answer.text); });
    }
    return answer.status;
}

sfsistat give_or_keep(Connection &connection, Step step, const Answer &answer) {
    const bool is_answered = connection.is_negotiated && !connection.options.is_no_reply(step);
    if (answer.status != SMFIS_CONTINUE) {
        if (is_connection_step(step)) {
            connection.keep_connection_failure(answer);
        } else if (!is_answered && step != Step::unknown) {
            // An unknown command is refused whatever is answered, so no mail can be accepted through it.
            connection.keep_message_failure(answer);
        }
    }
    return give(connection, step, answer);
}

sfsistat fail(Connection &connection, Step step, int policy) {
    return give_or_keep(connection, step, failure_answer(policy));
}

void end_message_after(SMFICTX *context, Step step, sfsistat status) {
    const bool refuses = status == SMFIS_REJECT || status == SMFIS_TEMPFAIL;
    const bool is_final = refuses || status == SMFIS_ACCEPT || status == SMFIS_DISCARD;
    // A refusal of one recipient is none of the message.
    if (!is_final || !is_message_step(step) || (refuses && step == Step::envrcpt)) {
        return;
    }
    Connection *const connection = Connection::find(context);
    if (connection != nullptr && refuses && step == Step::data) {
        // The sender may say DATA again, or name more recipients: the envelope stays, and so does a failure.
        connection->pause_message();
        return;
    }
    // After a QUIT_NC libmilter may drop the answer for a no-reply that it agreed to before: then a failure stays.
    if (connection != nullptr && (connection->is_negotiated || connection->failure() == nullptr)) {
        connection->reset_message();
    }
}

}  // namespace pymilter
