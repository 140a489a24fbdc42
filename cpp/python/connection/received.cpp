// The envelope as a MessageFilter gets it: gathered, and read when Python asks. Needs the GIL.
#include "python/connection/received.hpp"

#include <algorithm>
#include <cstring>

#include "python/handlers/text.hpp"

namespace pymilter {

namespace {

py::object to_tuple(const GatheredEnvelope::Path &path) {
    py::tuple tuple(static_cast<std::size_t>(std::count(path.begin(), path.end(), '\0')));
    const char *part = path.data();
    for (std::size_t index = 0; index < tuple.size(); ++index) {
        const std::size_t size = std::strlen(part);
        PyObject *const text = to_text(part, size, TextMode::surrogateescape);
        if (text == nullptr) {
            throw py::error_already_set();
        }
        PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(index), text);
        part += size + 1;
    }
    return std::move(tuple);
}

py::object to_tuple(const GatheredEnvelope::Recipient &recipient) {
    return py::make_tuple(recipient.is_accepted, to_tuple(recipient.path));
}

}  // namespace

py::object Received::sender() const { return to_tuple(m_envelope->sender()); }

py::object Received::recipients() const {
    py::list list;
    for (const GatheredEnvelope::Recipient &recipient : m_envelope->recipients()) {
        list.append(to_tuple(recipient));
    }
    return std::move(list);
}

py::object Received::last_recipient() const {
    if (m_envelope->recipient_count() == 0) {
        throw py::index_error("there is no recipient yet");
    }
    return to_tuple(m_envelope->last_recipient());
}

const std::shared_ptr<GatheredEnvelope> &gathered_envelope(Connection &connection) {
    auto &envelope = connection.gathered.envelope;
    if (!envelope) {
        envelope = std::make_shared<GatheredEnvelope>();
    }
    return envelope;
}

}  // namespace pymilter
