// The exceptions of pymilter.errors, raised from C++. Needs the GIL.
#include "python/interpreter/errors.hpp"

#include <array>

#include "core/protocol/libmilter.hpp"

namespace pymilter {

namespace {

[[noreturn]] void raise(const char *type, const std::string &message) {
    const py::object error = py::module_::import("pymilter.errors").attr(type);
    PyErr_SetString(error.ptr(), message.c_str());
    throw py::error_already_set();
}

struct ActionName {
    std::uint32_t action;
    const char *name;
};

constexpr std::array<ActionName, 9> action_names{{
    {SMFIF_ADDHDRS, "ADDHDRS"},
    {SMFIF_CHGBODY, "CHGBODY"},
    {SMFIF_ADDRCPT, "ADDRCPT"},
    {SMFIF_DELRCPT, "DELRCPT"},
    {SMFIF_CHGHDRS, "CHGHDRS"},
    {SMFIF_QUARANTINE, "QUARANTINE"},
    {SMFIF_CHGFROM, "CHGFROM"},
    {SMFIF_ADDRCPT_PAR, "ADDRCPT_PAR"},
    {SMFIF_SETSYMLIST, "SETSYMLIST"},
}};

}  // namespace

void set_bad_value(const char *message) {
    const py::object error = py::module_::import("pymilter.errors").attr("BadValue");
    PyErr_SetString(error.ptr(), message);
}

void raise_milter_error(const std::string &message) { raise("MilterError", message); }

void raise_disabled_action(std::uint32_t action, const char *what) {
    for (const auto &known : action_names) {
        if (known.action == action) {
            raise("DisabledAction", std::string{what} + " needs the action " + known.name +
                                        ", which was not granted when this connection was negotiated");
        }
    }
    raise_milter_error(std::string{what} + " needs an unknown action");
}

py::object take_exception() {
#if PY_VERSION_HEX >= 0x030C0000
    return py::reinterpret_steal<py::object>(PyErr_GetRaisedException());
#else
    PyObject *type = nullptr;
    PyObject *value = nullptr;
    PyObject *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != nullptr && traceback != nullptr) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return py::reinterpret_steal<py::object>(value);
#endif
}

}  // namespace pymilter
