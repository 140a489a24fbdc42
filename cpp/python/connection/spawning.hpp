// What handlers start: programs get the signal mask of the program, not that of libmilter's threads, and threads belong
// to the message in which they are started.
#pragma once

#include <cstdint>

namespace pymilter {

// Before libmilter's threads begin: notes the mask of the calling thread. Needs the GIL.
void watch_spawning();

// The message of a connection in which a handler started the calling thread, or 0 (any_message). Needs the GIL; throws
// what Python raises.
std::uint64_t message_of_thread(std::uint64_t connection);

}  // namespace pymilter
