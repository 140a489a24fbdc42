// Who answers the callbacks: functions with the context first, or methods of an object per connection; and the plan
// that says how. Needs the GIL.
#include "python/receiver.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace pymilter {

namespace {

constexpr std::array<const char *, 5> mode_names{"surrogateescape", "strict", "ignore", "replace", "bytes"};

Names make_names() {
    Names names;
    for (std::size_t index = 0; index < step_count; ++index) {
        names.method[index] = PyUnicode_InternFromString(step_traits[index].name);
    }
    for (const Step step : {Step::envfrom, Step::envrcpt, Step::header}) {
        const std::string hook = std::string{traits(step).name} + "_bytes";
        names.bytes_hook[static_cast<std::size_t>(step)] = PyUnicode_InternFromString(hook.c_str());
    }
    names.begin_message = PyUnicode_InternFromString("begin_message");
    names.set_context = PyUnicode_InternFromString("_setctx");
    names.had_connection = PyUnicode_InternFromString("_had_connection");
    names.actions = PyUnicode_InternFromString("_actions");
    names.protocol = PyUnicode_InternFromString("_protocol");
    names.wire = PyUnicode_InternFromString("_wire");
    return names;
}

// Nearly all text is, and CPython's decoder takes a third longer to see that and to copy it.
bool is_ascii(const char *data, std::size_t size) {
    std::uint64_t seen = 0;
    std::uint64_t word = 0;
    // No early end: so the compiler may look at many bytes at once.
    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        std::memcpy(&word, data, sizeof word);
        seen |= word;
    }
    word = 0;
    std::memcpy(&word, data, size);
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

const Names &Names::get() {
    static const Names names = make_names();
    return names;
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
