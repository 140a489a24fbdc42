// The end of a message and of a connection. Called without the GIL.
#include "python/boundary/end.hpp"

#include "python/boundary/fill.hpp"
#include "python/boundary/invoke.hpp"
#include "python/connection/edits.hpp"
#include "python/interpreter/gil.hpp"

namespace pymilter {

namespace {

// Calls the handler of abort or close, whose result libmilter ignores. Needs the GIL.
void call_unanswered(const Service &service, Connection &connection, Step step) {
    if (!connection.plan || !connection.plan->has(step) || !connection.receiver) {
        return;
    }
    connection.enter(step);
    guarded(service.report(), step, [&] { call_handler(service.handlers(), connection, step, FillNothing{}); });
    connection.leave();
}

}  // namespace

void leave_message(Service &service, Connection &connection) {
    if (connection.has_message() && connection.knows_message() &&
        look_for_new_handler(service, connection, Step::abort) && connection.plan->has(Step::abort)) {
        const Attach attach(&connection);
        if (attach) {
            call_unanswered(service, connection, Step::abort);
        }
    }
    connection.reset_message();
}

void end_message_after_final(SMFICTX *context, Step step, sfsistat status) {
    const bool refuses = status == SMFIS_REJECT || status == SMFIS_TEMPFAIL;
    // A refused recipient leaves the message alone.
    if (!is_message_step(step) || (refuses && step == Step::envrcpt)) {
        return;
    }
    Connection *const connection = Connection::find(context);
    if (connection != nullptr && refuses && step == Step::data) {
        // The sender may say DATA again, or name more recipients: the envelope stays, and so does a failure.
        connection->pause_message();
        return;
    }
    // After a QUIT_NC libmilter may drop the answer because it agreed to a no-reply before: then a failure stays.
    if (connection != nullptr && (connection->is_negotiated || connection->failure() == nullptr)) {
        connection->reset_message();
    }
}

sfsistat end_message_at_eom(const Service &service, Connection &connection, sfsistat status) {
    if ((status == SMFIS_CONTINUE || status == SMFIS_ACCEPT) && !flush_edits(connection)) {
        warn(service, connection, Step::eom, "an edit did not reach the MTA, the answer is TEMPFAIL");
        status = SMFIS_TEMPFAIL;
    }
    connection.socket.uncork();
    connection.reset_message();
    return status;
}

void end_connection(Service &service, SMFICTX *context) {
    Connection &connection = *Connection::find(context);
    leave_message(service, connection);
    connection.seat.clear();
    const Attach attach(&connection);
    if (!attach) {
        return;
    }
    look_for_new_handler_attached(service, connection, Step::close);
    call_unanswered(service, connection, Step::close);
    if (service.report().logs_connections()) {
        connection.enter(Step::close);
        service.report().log_text(LogLevel::debug, Step::close, "the connection is closed");
        connection.leave();
    }
    Connection::close(context);
    Attach::set_connection(nullptr);
}

}  // namespace pymilter
