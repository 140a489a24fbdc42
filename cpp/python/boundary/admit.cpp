// Whether a callback may go on to its handler: what is answered before that, because the filter stops, something has
// failed earlier, or the step comes out of order. Called without the GIL.
#include "python/boundary/admit.hpp"

#include "python/boundary/begin.hpp"
#include "python/boundary/invoke.hpp"
#include "python/interpreter/gil.hpp"

namespace pymilter {

Connection *usable_connection(Service &service, SMFICTX *context) {
    if (service.is_stopped() || Gate::is_shut()) {
        return nullptr;
    }
    Connection *const connection = Connection::find(context);
    return connection != nullptr ? connection : begin_connection_anew(service, context);
}

sfsistat turn_away(const Service &service, SMFICTX *context, Step step) {
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return SMFIS_TEMPFAIL;
    }
    if (!connection->is_given_up) {
        connection->is_given_up = true;
        warn(service, *connection, step, "the filter has stopped, the answer is TEMPFAIL");
    }
    return connection->options.is_no_reply(step) ? SMFIS_NOREPLY : SMFIS_TEMPFAIL;
}

sfsistat refuse_without_mail(const Service &service, Connection &connection, Step step) {
    warn(service, connection, step, "it came without MAIL, the answer is TEMPFAIL");
    return answer_failure(connection, step, SMFIS_TEMPFAIL);
}

Admission admit_message(const Service &service, SMFICTX *context, Connection &connection, Step step) {
    const bool is_new = !connection.message.has_begun;
    if (!connection.begin_message()) {
        return {nullptr, turn_away(service, context, step)};
    }
    if (is_new && !begin_message(service, connection, step)) {
        return {nullptr, answer_failure(connection, step, service.handlers().exception_policy())};
    }
    return {&connection, SMFIS_CONTINUE};
}

}  // namespace pymilter
