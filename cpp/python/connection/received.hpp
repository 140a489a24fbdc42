// A message as a MessageFilter gets it: what was gathered of it, read when Python asks. Needs the GIL.
#pragma once

#include <memory>
#include <utility>

#include "core/body/whole_message.hpp"
#include "python/connection/connection.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

class Received {
public:
    // `body` is empty while the message is still coming in.
    Received(std::shared_ptr<const WholeMessage> message, py::object body)
        : m_message(std::move(message)), m_body(std::move(body)) {}

    // All of these throw what Python raises. Bytes that are not UTF-8 become surrogates.
    py::object sender() const;
    py::object recipients() const;
    py::object last_recipient() const;
    // For each field its name and its value, each ended by NUL.
    py::bytes header() const { return py::bytes(m_message->header()); }
    std::size_t recipient_count() const { return m_message->recipient_count(); }
    std::size_t field_count() const { return m_message->field_count(); }
    py::object body() const { return m_body ? m_body : py::bytes(); }

private:
    std::shared_ptr<const WholeMessage> m_message;
    py::object m_body;
};

// What has been gathered of the message, made at the first use. Any thread that owns the connection.
std::shared_ptr<WholeMessage> whole_message(Connection &connection);

// The message so far; at eom with its body, for the first that asks. Needs the GIL; throws what Python raises.
Received take_message(Connection &connection);

}  // namespace pymilter
