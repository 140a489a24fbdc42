// The values that filters pass to libmilter and get from it: str and bytes there, checked text here. Needs the GIL.
#include "python/connection/values.hpp"

#include "core/protocol/checks.hpp"
#include "python/handlers/text.hpp"

namespace pymilter {

std::string to_bytes(const char *what, py::handle text) {
    if (PyBytes_Check(text.ptr())) {
        return py::reinterpret_borrow<py::bytes>(text);
    }
    if (!PyUnicode_Check(text.ptr())) {
        throw py::type_error(std::string{what} + " must be str or bytes, not " + Py_TYPE(text.ptr())->tp_name);
    }
    const auto encoded =
        py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
    if (!encoded) {
        throw py::error_already_set();
    }
    return encoded;
}

py::str to_str(const std::string &text) {
    auto result = py::reinterpret_steal<py::str>(to_text(text.data(), text.size(), TextMode::surrogateescape));
    if (!result) {
        throw py::error_already_set();
    }
    return result;
}

std::string to_parameters(const py::object &parameters) {
    std::string joined;
    if (parameters.is_none()) {
        return joined;
    }
    if (PyUnicode_Check(parameters.ptr()) || PyBytes_Check(parameters.ptr())) {
        joined = to_bytes("ESMTP parameters", parameters);
    } else {
        for (const py::handle parameter : parameters) {
            if (!joined.empty()) {
                joined += ' ';
            }
            joined += to_bytes("ESMTP parameter", parameter);
        }
    }
    check_parameters(joined);
    return joined;
}

std::string to_address(const char *what, const py::object &address) {
    std::string text = to_bytes(what, address);
    check_address(what, text);
    return text;
}

HeldBytes::HeldBytes(const char *what, const py::object &data)
    : m_data(PyUnicode_Check(data.ptr()) ? py::object(py::bytes(to_bytes(what, data))) : data) {
    if (PyObject_GetBuffer(m_data.ptr(), &m_view, PyBUF_SIMPLE) != 0) {
        throw py::error_already_set();
    }
}

}  // namespace pymilter
