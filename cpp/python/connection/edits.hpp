// Edits of a message: made at eom only, only if the MTA granted their action, and sent in an order that MTAs take.
#pragma once

#include <cstdint>

#include "python/connection/connection.hpp"

namespace pymilter {

// Makes an edit that needs `action` (SMFIF_*). Postfix wants the chunks of a new body in one run, so an edit after the
// first chunk is held back until flush_edits(). Needs the GIL. Throws MilterError or DisabledAction.
void make_edit(Connection &connection, std::uint32_t action, const char *what, Calls::Call function,
               MessageNumber number);

// Sends a chunk of a new body. Needs the GIL. Throws MilterError or DisabledAction.
void replace_body(Connection &connection, const Calls::Call &function, MessageNumber number);

// Sends the edits that were held back, after the handler of eom. Called without the GIL. Returns false if libmilter
// could not send one.
bool flush_edits(Connection &connection) noexcept;

}  // namespace pymilter
