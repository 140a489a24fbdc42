// A message as a MessageFilter gets it: what was gathered of it, read when Python asks. Needs the GIL.
#include "python/connection/received.hpp"

#include "python/handlers/text.hpp"

namespace pymilter {

namespace {

py::object to_tuple(const WholeMessage::Path &path) {
    py::tuple tuple(path.size());
    for (std::size_t index = 0; index < path.size(); ++index) {
        PyObject *const text = to_text(path[index].data(), path[index].size(), TextMode::surrogateescape);
        if (text == nullptr) {
            throw py::error_already_set();
        }
        PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(index), text);
    }
    return std::move(tuple);
}

py::object to_tuple(const WholeMessage::Recipient &recipient) {
    return py::make_tuple(recipient.is_accepted, to_tuple(recipient.path));
}

}  // namespace

py::object Received::sender() const { return to_tuple(m_message->sender()); }

py::object Received::recipients() const {
    py::list list;
    for (const WholeMessage::Recipient &recipient : m_message->recipients()) {
        list.append(to_tuple(recipient));
    }
    return std::move(list);
}

py::object Received::last_recipient() const {
    if (m_message->recipient_count() == 0) {
        throw py::index_error("there is no recipient yet");
    }
    return to_tuple(m_message->last_recipient());
}

std::shared_ptr<WholeMessage> whole_message(Connection &connection) {
    auto &whole = connection.gathered.whole;
    if (!whole) {
        whole = std::make_shared<WholeMessage>();
    }
    return whole;
}

Received take_message(Connection &connection) {
    if (!connection.is_at(Step::eom)) {
        return {whole_message(connection), py::object()};
    }
    auto body =
        py::reinterpret_steal<py::object>(connection.gathered.body.take(connection.gathered.body.buffer.is_in_file()));
    if (!body) {
        throw py::error_already_set();
    }
    return {whole_message(connection), std::move(body)};
}

}  // namespace pymilter
