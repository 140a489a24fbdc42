// The beginning of a connection: its receiver, and what is negotiated with the MTA. Called without the GIL.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/protocol/negotiation.hpp"
#include "python/connection/connection.hpp"
#include "python/service/service.hpp"

namespace pymilter {

// For xxfi_negotiate. If the user's code fails, the failure is kept and every step is asked for, so that the first one
// can report it.
sfsistat begin_connection(Service &service, SMFICTX *context, Options offered, Options &agreed);

// For a connection with which libmilter goes on after QUIT_NC: a new one, which is not negotiated again. Returns null
// if the interpreter is ending.
Connection *begin_connection_anew(Service &service, SMFICTX *context);

}  // namespace pymilter
