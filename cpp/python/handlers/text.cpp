// How bytes of the wire become Python's text. Needs the GIL.
#include "python/handlers/text.hpp"

#include <sys/socket.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace pymilter {

namespace {

constexpr std::array<const char *, 5> mode_names{"surrogateescape", "strict", "ignore", "replace", "bytes"};

// Nearly all text is ASCII, and CPython's decoder takes a third longer to find that out and copy it.
bool is_ascii(const char *data, std::size_t size) {
    std::uint64_t seen = 0;
    std::uint64_t word = 0;
    if (size < sizeof word) {
        for (std::size_t index = 0; index < size; ++index) {
            seen |= static_cast<unsigned char>(data[index]);
        }
        return (seen & 0x80) == 0;
    }
    // The loop never ends early, so the compiler can test many bytes at once. The last word may overlap the one before.
    const char *const last = data + size - sizeof word;
    for (; data < last; data += sizeof word) {
        std::memcpy(&word, data, sizeof word);
        seen |= word;
    }
    std::memcpy(&word, last, sizeof word);
    return ((seen | word) & 0x8080808080808080) == 0;
}

}  // namespace

TextMode to_text_mode(const std::string &name) {
    for (std::size_t index = 0; index < mode_names.size(); ++index) {
        if (name == mode_names[index]) {
            return static_cast<TextMode>(index);
        }
    }
    throw std::invalid_argument("text mode is '" + name +
                                "': allowed are surrogateescape, strict, ignore, replace and bytes");
}

PyObject *to_text(const char *data, std::size_t size, TextMode mode) {
    const auto length = static_cast<Py_ssize_t>(size);
    if (mode == TextMode::bytes) {
        return PyBytes_FromStringAndSize(data, length);
    }
    if (is_ascii(data, size)) {
        PyObject *const text = PyUnicode_New(length, 127);
        if (text != nullptr) {
            std::memcpy(PyUnicode_DATA(text), data, size);
        }
        return text;
    }
    return PyUnicode_DecodeUTF8(data, length, mode_names[static_cast<std::size_t>(mode)]);
}

PyObject *to_hostaddr(const SocketAddress &address) {
    const auto text = [&] { return to_text(address.text.data(), address.text.size(), TextMode::surrogateescape); };
    switch (address.family) {
    case AF_INET:
        return Py_BuildValue("(NH)", text(), address.port);
    case AF_INET6:
        return Py_BuildValue("(NHII)", text(), address.port, address.flowinfo, address.scope_id);
    case AF_UNIX:
        return text();
    default:
        return py::none().release().ptr();
    }
}

}  // namespace pymilter
