// Whether a callback may go on to its handler: what is answered before that, because the filter stops, something has
// failed earlier, or the step comes out of order. Called without the GIL.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/protocol/step.hpp"
#include "python/boundary/end.hpp"
#include "python/boundary/policy.hpp"
#include "python/connection/connection.hpp"
#include "python/service/service.hpp"

namespace pymilter {

struct Admission {
    Connection *connection;  // null if the callback ends here
    sfsistat answer;         // then
};

// The connection of a callback, or null if the filter is stopping.
Connection *usable_connection(Service &service, SMFICTX *context);

// Answers TEMPFAIL because the filter is stopping. Logged once per connection, so that the operator can explain why a
// message was deferred. A step without an answer goes on to the next step that has one.
sfsistat turn_away(const Service &service, SMFICTX *context, Step step);

// Answers a step of a message that has come without MAIL.
sfsistat refuse_without_mail(const Service &service, Connection &connection, Step step);

// Begins a message with its first step.
Admission admit_message(const Service &service, SMFICTX *context, Connection &connection, Step step);

// For a callback that has an answer, and is not `negotiate`. Every callback comes here, so it is always inline: then it
// tests only what its own step may need.
[[gnu::always_inline]] inline Admission admit(Service &service, SMFICTX *context, Step step) {
    Connection *const connection = usable_connection(service, context);
    if (connection == nullptr) {
        return {nullptr, turn_away(service, context, step)};
    }
    if (connection->options.is_no_reply(step)) {
        connection->socket.acknowledge();
    }
    if (is_connection_step(step) || step == Step::envfrom) {
        leave_message(service, *connection);
    }
    if (const Answer *const failure = connection->failure()) {
        return {nullptr, give_answer(*connection, step, *failure)};
    }
    if (is_message_step(step) && !connection->begin_envelope(step)) {
        return {nullptr, refuse_without_mail(service, *connection, step)};
    }
    if (is_message_step(step) && !connection->has_message()) {
        return admit_message(service, context, *connection, step);
    }
    return {connection, SMFIS_CONTINUE};
}

}  // namespace pymilter
