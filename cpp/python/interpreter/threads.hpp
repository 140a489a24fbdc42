// The threads that handlers start, as pymilter._process.threads keeps them: each belongs to the message in which it was
// started. Needs the GIL.
#pragma once

#include <cstdint>

#include "python/interpreter/python.hpp"

namespace pymilter {

// Notes that a handler is starting a thread that will run `function`, during a message of a connection. Throws what
// Python raises.
void note_thread(py::handle function, std::uint64_t connection, std::uint64_t message);

// The message of `connection` during which a handler started the calling thread; 0 if there is none. Throws what Python
// raises.
std::uint64_t message_of_thread(std::uint64_t connection);

}  // namespace pymilter
