// What a handler returned, as libmilter's status; a Reply is set on the way. Needs the GIL.
#pragma once

#include "core/checks.hpp"
#include "core/libmilter.hpp"
#include "core/stage.hpp"
#include "python/connection.hpp"
#include "python/python.hpp"

namespace pymilter {

// smfi_setreply, or smfi_setmlreply when there is more than one line.
int send_reply(SMFICTX *context, const ReplyText &reply);

// None, a status or a Reply. Throws a Python exception for anything else, and for a verdict of a handler that said it
// gives none.
int to_status(const py::object &result, Connection &connection, Step step);

}  // namespace pymilter
