// The values that filters pass to libmilter and get from it: str and bytes there, checked text here. Needs the GIL.
//
// All of these throw a TypeError for a value of another type, and the checks throw std::invalid_argument.
#pragma once

#include <cstddef>
#include <string>

#include "python/interpreter/python.hpp"

namespace pymilter {

// The bytes of a str or bytes. A str becomes UTF-8; its surrogate escapes become the bytes that they stand for, so what
// came from the wire goes back unchanged. `what` names the value in an error.
std::string to_bytes(const char *what, py::handle text);

// The reverse of to_bytes().
py::str to_str(const std::string &text);

// ESMTP parameters in one line, from a string, an iterable of strings, or None.
std::string to_parameters(const py::object &parameters);

// An address that can be sent. `what` names it in an error.
std::string to_address(const char *what, const py::object &address);

// The bytes of an object with a buffer, or of a str as UTF-8, held for the length of a call so that they are not
// copied.
class HeldBytes {
public:
    HeldBytes(const char *what, const py::object &data);
    ~HeldBytes() { PyBuffer_Release(&m_view); }
    HeldBytes(const HeldBytes &) = delete;
    HeldBytes &operator=(const HeldBytes &) = delete;

    unsigned char *data() const { return static_cast<unsigned char *>(m_view.buf); }
    std::size_t size() const { return static_cast<std::size_t>(m_view.len); }

private:
    py::object m_data;
    Py_buffer m_view{};
};

}  // namespace pymilter
