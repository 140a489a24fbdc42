// The threads that handlers start, as pymilter._process.threads keeps them: each belongs to the message in which it was
// started.
#include "python/interpreter/threads.hpp"

namespace pymilter {

namespace {

py::object in_threads_module(const char *function) {
    return py::module_::import("pymilter._process.threads").attr(function);
}

}  // namespace

void note_thread(py::handle function, std::uint64_t connection, std::uint64_t message) {
    in_threads_module("note")(function, connection, message);
}

std::uint64_t message_of_thread(std::uint64_t connection) {
    return py::cast<std::uint64_t>(in_threads_module("message_of")(connection));
}

}  // namespace pymilter
