// Who answers the callbacks: functions with the context first, or methods of an object per connection; and the plan
// that says how. Made with the GIL; what the callbacks read of it without the GIL does not change any more.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/body_buffer.hpp"
#include "core/checks.hpp"
#include "core/negotiation.hpp"
#include "core/socket_address.hpp"
#include "core/step.hpp"
#include "python/python.hpp"

namespace pymilter {

// How bytes of the wire become Python's text.
enum class TextMode : std::uint8_t { surrogateescape, strict, ignore, replace, bytes };

// Throws std::invalid_argument for a name that is none of the above.
TextMode to_text_mode(const std::string &name);

// A new str or bytes. Null with an exception set when `mode` is strict and the bytes are not UTF-8.
PyObject *to_text(const char *data, std::size_t size, TextMode mode);

// A new reference to None, (ip, port), (ip, port, flowinfo, scope_id) or a path, as the socket module has them. Null
// with an exception set when there is no memory.
PyObject *to_hostaddr(const SocketAddress &address);

// A status with its text, ready to be answered.
struct Answer {
    int status;
    ReplyText text;
};

// How the chunks of a body are gathered before Python gets them.
struct Gather {
    BodyLimits limits;
    std::size_t piece;  // bytes handed over at once, or 0 for the whole body
    bool as_view;       // memoryview in place of bytes
    Answer exceeded;    // what a message gets that passes the limit
};

// How a message is gathered for a filter that gets it whole; its body as Gather says.
struct Whole {
    std::size_t header_limit;  // bytes
    Answer header_exceeded;    // what a message gets that passes it
};

// All that dispatch must know of a class of handlers (or of the set of functions), worked out once.
struct Plan {
    Options wanted;
    std::uint32_t steps = 0;     // steps with a handler
    std::uint32_t no_reply = 0;  // steps whose handler never gives a verdict
    bool negotiates = false;     // has a negotiate handler of its own
    bool has_begin = false;      // has a begin_message of its own
    bool has_methods = true;     // false: functions with the context first
    std::array<TextMode, step_count> text{};
    std::vector<std::pair<int, std::string>> macros;  // stage (SMFIM_*), names separated by spaces
    // The inherited envfrom_bytes, envrcpt_bytes and header_bytes. A classic program may replace one in its class or on
    // an instance; then it is called in place of the method.
    std::array<py::object, step_count> inherited_hook;

    std::optional<Gather> gather;  // for body
    std::optional<Whole> whole;    // the steps of a message are gathered, and eom gets them

    bool gathers_whole() const { return gather && gather->piece == 0 && has(Step::body); }
    bool has(Step step) const { return (steps & bit(step)) != 0; }
    bool is_no_reply(Step step) const { return (no_reply & bit(step)) != 0; }
    TextMode text_of(Step step) const { return text[static_cast<std::size_t>(step)]; }
};

// Names of methods and attributes, interned once and never freed.
struct Names {
    std::array<PyObject *, step_count> method{};
    std::array<PyObject *, step_count> bytes_hook{};
    PyObject *begin_message = nullptr;
    PyObject *set_context = nullptr;
    PyObject *had_connection = nullptr;
    PyObject *actions = nullptr;
    PyObject *protocol = nullptr;
    PyObject *wire = nullptr;

    static const Names &get();
};

}  // namespace pymilter
