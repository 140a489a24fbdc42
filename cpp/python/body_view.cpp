// A gathered body as Python sees it: bytes, or a read-only memoryview that stays valid as long as it is held.
#include "python/body_view.hpp"

namespace pymilter {

py::buffer_info BodyView::buffer() const {
    static const unsigned char nothing = 0;
    const auto *const data =
        m_bytes->size() == 0 ? &nothing : reinterpret_cast<const unsigned char *>(m_bytes->data());
    return py::buffer_info(data, static_cast<py::ssize_t>(m_bytes->size()));
}

PyObject *to_python(std::shared_ptr<const BodyBytes> bytes, bool as_view) {
    if (!as_view) {
        return PyBytes_FromStringAndSize(bytes->data(), static_cast<Py_ssize_t>(bytes->size()));
    }
    const py::object owner = py::cast(BodyView(std::move(bytes)));
    return PyMemoryView_FromObject(owner.ptr());
}

}  // namespace pymilter
