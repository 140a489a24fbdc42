// Bodies that are gathered before Python gets them. Called without the GIL.
#pragma once

#include <cstddef>

#include "core/libmilter.hpp"
#include "python/connection.hpp"
#include "python/filter.hpp"

namespace pymilter {

// Appends a chunk, without the GIL; hands a piece over when it is large enough.
sfsistat gather_chunk(const Filter &filter, Connection &connection, const unsigned char *chunk, std::size_t size);

// At eom: the whole body (an empty one too), or the last piece. Its verdict is the answer to eom.
sfsistat hand_over_rest(const Filter &filter, Connection &connection);

}  // namespace pymilter
