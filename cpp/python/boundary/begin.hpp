// The beginning of a connection: its receiver, and what is agreed with the MTA. Called without the GIL.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/protocol/negotiation.hpp"
#include "python/connection/connection.hpp"
#include "python/service/service.hpp"

namespace pymilter {

// xxfi_negotiate. A failure of the user's code is kept, and all steps are asked for, so that the first can tell it.
sfsistat begin_connection(Service &service, SMFICTX *context, Options offered, Options &agreed);

// A connection that libmilter goes on with after QUIT_NC: a new one, with no negotiation of its own. Null where the
// interpreter is ending.
Connection *begin_connection_anew(Service &service, SMFICTX *context);

}  // namespace pymilter
