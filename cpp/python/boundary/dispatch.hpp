// THE boundary: the one place where a callback of libmilter becomes a call of Python, and its result a status.
//
// The contract:
// 1. A callback finds its Connection, passes the gate (is the interpreter still there?), attaches its OS thread, calls
//    the handler by vectorcall and maps the result.
// 2. Nothing leaves it: not a C++ exception, not SystemExit, not a result that is no status. Each is logged with a
//    traceback and answered by the exception policy.
// 3. A failure where no answer is possible is kept and answered at the next step that can: it fails closed.
// 4. A step without a handler never takes the GIL.
// 5. When libmilter's context dies, every Python handle on it expires.
// 6. No step relies on the GIL for its own state: a connection has one owner at a time.
//
// The one thing that passes through is the forced unwinding by which CPython up to 3.13 ends a thread that asks for the
// GIL of an interpreter that is gone; stopping it would end the process. So these functions are not noexcept.
#pragma once

#include <cstddef>

#include "core/protocol/libmilter.hpp"
#include "core/protocol/negotiation.hpp"

namespace pymilter::dispatch {

sfsistat negotiate(SMFICTX *context, Options offered, Options &agreed);
sfsistat connect(SMFICTX *context, const char *hostname, const sockaddr *address);
sfsistat helo(SMFICTX *context, const char *name);
sfsistat envfrom(SMFICTX *context, char **list);
sfsistat envrcpt(SMFICTX *context, char **list);
sfsistat data(SMFICTX *context);
sfsistat unknown(SMFICTX *context, const char *command);
sfsistat header(SMFICTX *context, const char *name, const char *value);
sfsistat eoh(SMFICTX *context);
sfsistat body(SMFICTX *context, const unsigned char *chunk, std::size_t size);
sfsistat eom(SMFICTX *context);
sfsistat abort(SMFICTX *context);
sfsistat close(SMFICTX *context);

}  // namespace pymilter::dispatch
