// Calling a handler: nothing that Python throws leaves these functions.
#include "python/invoke.hpp"

namespace pymilter {

py::object own_hook(const Connection &connection, Step step) {
    const auto index = static_cast<std::size_t>(step);
    const py::object &inherited = connection.plan->inherited_hook[index];
    if (!inherited) {
        return {};
    }
    auto hook = py::reinterpret_steal<py::object>(
        PyObject_GetAttr(connection.receiver.ptr(), Names::get().bytes_hook[index]));
    if (!hook) {
        throw py::error_already_set();
    }
    const bool is_inherited = PyMethod_Check(hook.ptr()) && PyMethod_GET_FUNCTION(hook.ptr()) == inherited.ptr();
    return is_inherited ? py::object() : hook;
}

}  // namespace pymilter
