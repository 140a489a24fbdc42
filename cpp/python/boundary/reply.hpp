// What a handler returned, read as an answer. Needs the GIL.
#pragma once

#include "core/protocol/answer.hpp"
#include "core/protocol/step.hpp"
#include "python/connection/connection.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

// Sets the enums against which results are checked: of all kinds of int only `statuses` and int itself are statuses.
void use_enums(const py::object &statuses, const py::object &actions);

// Reads `_wire` of a Reply: (status, code, enhanced code, lines), checked and encoded when the Reply was made.
Answer to_answer(const py::object &wire);

// Reads None, a status or a Reply, and sends nothing. Throws a Python exception for anything else, and for a verdict if
// the step `is_no_reply`. `plan` names the handler.
Answer read_result(const py::object &result, const Plan &plan, Step step, bool is_no_reply);

// Gives libmilter the text of a Reply, for the status that follows. Does nothing for a plain status. Throws as
// Connection::call does.
void send_text(Connection &connection, const Answer &answer);

}  // namespace pymilter
