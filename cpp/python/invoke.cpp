// Calling a handler: nothing that Python throws leaves these functions.
#include "python/invoke.hpp"

namespace pymilter {

void warn(const Filter &filter, Connection &connection, Step step, const std::string &text) {
    const Attach attach(&connection);
    if (!attach) {
        return;
    }
    connection.enter(step);
    filter.tell(LogLevel::warning, step, text);
    connection.leave();
}

py::object own_hook(Connection &connection, Step step) {
    const auto index = static_cast<std::size_t>(step);
    const py::object &inherited = connection.plan->inherited_hook[index];
    if (!inherited || (connection.plain_steps & bit(step)) != 0) {
        return {};
    }
    auto hook =
        py::reinterpret_steal<py::object>(PyObject_GetAttr(connection.receiver.ptr(), Names::get().bytes_hook[index]));
    if (!hook) {
        throw py::error_already_set();
    }
    const bool is_inherited = PyMethod_Check(hook.ptr()) && PyMethod_GET_FUNCTION(hook.ptr()) == inherited.ptr();
    if (!is_inherited) {
        return hook;
    }
    connection.plain_steps |= bit(step);  // looked up once a message: it is a tenth of the cost of a callback
    return {};
}

}  // namespace pymilter
