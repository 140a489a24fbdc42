// A gathered body as Python sees it: bytes, or a read-only memoryview that stays valid as long as it is held.
#include "python/connection/body_view.hpp"

#include "python/interpreter/gil.hpp"

namespace pymilter {

namespace {

py::object bytes_of_file(const BodyBuffer &body) {
    auto bytes =
        py::reinterpret_steal<py::object>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(body.size())));
    if (!bytes) {
        throw py::error_already_set();
    }
    {
        // Nobody else knows the new object yet, so it may be written without the GIL.
        const Release release;
        body.copy_file(PyBytes_AS_STRING(bytes.ptr()));
    }
    return bytes;
}

}  // namespace

py::buffer_info BodyView::buffer() const {
    return py::buffer_info(reinterpret_cast<const unsigned char *>(m_file->data()),
                           static_cast<py::ssize_t>(m_file->size()));
}

PyObject *GatheredBody::take(bool as_view) {
    py::object body;
    if (!buffer.is_in_file()) {
        body = m_memory.take(buffer.size());
    } else if (as_view) {
        body = py::cast(BodyView(buffer.map()));
    } else {
        body = bytes_of_file(buffer);
    }
    buffer.begin_piece();
    return as_view ? PyMemoryView_FromObject(body.ptr()) : body.release().ptr();
}

}  // namespace pymilter
