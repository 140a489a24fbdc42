// The envelope as a MessageFilter gets it: gathered, and read when Python asks. Needs the GIL.
#pragma once

#include <memory>
#include <utility>

#include "core/body/gathered_envelope.hpp"
#include "python/connection/connection.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

class Received {
public:
    explicit Received(std::shared_ptr<const GatheredEnvelope> envelope) : m_envelope(std::move(envelope)) {}

    // All of these throw what Python raises. Bytes that are not UTF-8 become surrogates.
    py::object sender() const;
    py::object recipients() const;
    py::object last_recipient() const;
    std::size_t recipient_count() const { return m_envelope->recipient_count(); }

private:
    std::shared_ptr<const GatheredEnvelope> m_envelope;
};

// The envelope of the message, made at the first use. Any thread that owns the connection.
const std::shared_ptr<GatheredEnvelope> &gathered_envelope(Connection &connection);

}  // namespace pymilter
