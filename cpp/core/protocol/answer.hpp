// An answer to the MTA: a status, and for a refusal the reply that the SMTP client gets. Any thread.
#pragma once

#include "core/protocol/checks.hpp"
#include "core/protocol/libmilter.hpp"

namespace pymilter {

struct Answer {
    int status = SMFIS_CONTINUE;
    ReplyText text{};  // if its code is empty, libmilter uses a text of its own
};

// Every status but CONTINUE and NOREPLY.
constexpr bool is_verdict(int status) { return status != SMFIS_CONTINUE && status != SMFIS_NOREPLY; }

// Calls smfi_setreply, or smfi_setmlreply for more than one line. The status that is returned afterwards must fit the
// code.
int send_reply(SMFICTX *context, const ReplyText &reply);

}  // namespace pymilter
