// What a handler returned, as libmilter's status; a Reply is set on the way. Needs the GIL.
#pragma once

#include "core/checks.hpp"
#include "core/libmilter.hpp"
#include "core/step.hpp"
#include "python/connection.hpp"
#include "python/python.hpp"

namespace pymilter {

// Anything but CONTINUE and NOREPLY.
constexpr bool is_verdict(int status) { return status != SMFIS_CONTINUE && status != SMFIS_NOREPLY; }

// The enums that results are checked against: of the kinds of int only `statuses` and int itself are statuses.
void use_enums(const py::object &statuses, const py::object &actions);

// smfi_setreply, or smfi_setmlreply when there is more than one line.
int send_reply(SMFICTX *context, const ReplyText &reply);

// `_wire` of a Reply: (status, code, enhanced code, lines), checked and encoded when it was made.
Answer to_answer(const py::object &wire);

// None, a status or a Reply. Throws a Python exception for anything else, and for a verdict where `is_no_reply`.
int to_status(const py::object &result, Connection &connection, Step step, bool is_no_reply);

}  // namespace pymilter
