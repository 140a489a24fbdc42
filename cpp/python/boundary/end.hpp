// The end of a message and of a connection. Called without the GIL.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/protocol/step.hpp"
#include "python/connection/connection.hpp"
#include "python/service/service.hpp"

namespace pymilter {

// Ends the message under way, if there is one, before its eom, and calls the abort handler for it. MTAs differ: Postfix
// sends ABORT after each message, others send HELO, MAIL or nothing at all instead.
void leave_message(Service &service, Connection &connection);

// After a step was answered with a final status: libmilter sends no more of the message, so it is over.
void end_message_after_final(SMFICTX *context, Step step, sfsistat status);

// After a step was answered with `status`.
inline void end_message_after(SMFICTX *context, Step step, sfsistat status) {
    if (status == SMFIS_REJECT || status == SMFIS_TEMPFAIL || status == SMFIS_ACCEPT || status == SMFIS_DISCARD) {
        end_message_after_final(context, step, status);
    }
}

// After eom was answered with `status`: sends the edits that were held back if the message is accepted, and ends it.
// Returns the status, or TEMPFAIL if an edit did not reach the MTA.
sfsistat end_message_at_eom(const Service &service, Connection &connection, sfsistat status);

// The connection and its message are over: calls the close handler, and frees what the connection has.
void end_connection(Service &service, SMFICTX *context);

}  // namespace pymilter
