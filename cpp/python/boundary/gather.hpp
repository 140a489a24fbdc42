// What is gathered of a message before Python gets it: the body, and for some filters all of it. Called without the
// GIL.
#pragma once

#include <cstddef>

#include "core/protocol/libmilter.hpp"
#include "python/connection/connection.hpp"
#include "python/service/service.hpp"

namespace pymilter {

// Appends a chunk, without the GIL; hands a piece over when it is large enough.
sfsistat gather_chunk(const Service &service, Connection &connection, const unsigned char *chunk, std::size_t size);

// These note a step: note_client() for every filter, the others for filters that get messages whole. They return
// CONTINUE, or the answer if noting has failed.
sfsistat note_client(const Service &service, Connection &connection, const char *hostname, const sockaddr *address);
sfsistat note_helo(const Service &service, Connection &connection, const char *name);
sfsistat note_sender(const Service &service, Connection &connection, char **list);
sfsistat note_recipient(const Service &service, Connection &connection, SMFICTX *context, char **list);
sfsistat note_field(const Service &service, Connection &connection, const char *name, const char *value);
// The filter has refused the recipient that was noted last.
void forget_recipient(Connection *connection) noexcept;

// At eom: the whole body (an empty one too), or the last piece. Its verdict is the answer to eom.
sfsistat hand_over_rest(const Service &service, Connection &connection);

}  // namespace pymilter
