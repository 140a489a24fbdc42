// A gathered body as Python sees it: bytes, or a read-only memoryview that stays valid as long as it is held.
#include "python/body_view.hpp"

#include "python/gil.hpp"

namespace pymilter {

py::buffer_info BodyView::buffer() const {
    static const unsigned char nothing = 0;
    const auto *const data =
        m_bytes->size == 0 ? &nothing : reinterpret_cast<const unsigned char *>(m_bytes->memory.data());
    return py::buffer_info(data, static_cast<py::ssize_t>(m_bytes->size));
}

PyObject *take_body(BodyBuffer &body, bool as_view) {
    if (as_view) {
        const py::object owner = py::cast(BodyView(body.take()));
        return PyMemoryView_FromObject(owner.ptr());
    }
    auto bytes =
        py::reinterpret_steal<py::object>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(body.size())));
    if (!bytes) {
        throw py::error_already_set();
    }
    {
        // Nobody else has the new object yet.
        const Release release;
        body.take_into(PyBytes_AS_STRING(bytes.ptr()));
    }
    return bytes.release().ptr();
}

}  // namespace pymilter
