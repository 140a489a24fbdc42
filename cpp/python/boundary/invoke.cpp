// Calling a handler: nothing that Python throws leaves these functions.
#include "python/boundary/invoke.hpp"

#include <atomic>
#include <string>
#include <utility>

namespace pymilter {

namespace {

bool may_have_new_handler(const Connection &connection, Step step) {
    const Plan &plan = *connection.plan;
    return plan.has_methods && !plan.has(step) && connection.has_run_handler;
}

}  // namespace

void warn(const Service &service, Connection &connection, Step step, const std::string &text) {
    const Attach attach(&connection);
    if (!attach) {
        return;
    }
    connection.enter(step);
    service.report().log_text(LogLevel::warning, step, text);
    connection.leave();
}

py::object own_hook(Connection &connection, Step step) {
    const auto index = static_cast<std::size_t>(step);
    const py::object &inherited = connection.plan->inherited_hook[index];
    auto hook =
        py::reinterpret_steal<py::object>(PyObject_GetAttr(connection.receiver.ptr(), Names::get().bytes_hook[index]));
    if (!hook) {
        throw py::error_already_set();
    }
    const bool is_inherited = PyMethod_Check(hook.ptr()) && PyMethod_GET_FUNCTION(hook.ptr()) == inherited.ptr();
    if (!is_inherited) {
        return hook;
    }
    connection.message.plain_steps |= bit(step);
    return {};
}

bool look_for_new_handler(const Service &service, Connection &connection, Step step) {
    if (!may_have_new_handler(connection, step)) {
        return true;
    }
    const Attach attach(&connection);
    return !attach || look_for_new_handler_attached(service, connection, step);
}

bool look_for_new_handler_attached(const Service &service, Connection &connection, Step step) {
    if (!may_have_new_handler(connection, step)) {
        return true;
    }
    connection.has_run_handler = false;
    return guarded(service.report(), step, [&] {
        if (auto found = service.handlers().plan_with_new_handlers({connection.receiver, connection.plan})) {
            connection.plan = std::move(found);
        }
    });
}

bool begin_message(const Service &service, Connection &connection, Step step) {
    if (!connection.plan->has_begin) {
        return true;
    }
    const Attach attach(&connection);
    if (!attach) {
        return true;  // the step itself is answered with TEMPFAIL then
    }
    connection.enter(step);
    const bool done = guarded(service.report(), "begin_message", [&] {
        const auto result = py::reinterpret_steal<py::object>(
            PyObject_CallMethodNoArgs(connection.receiver.ptr(), Names::get().begin_message));
        if (!result) {
            throw py::error_already_set();
        }
        if (result.is_none()) {
            return;
        }
        if (service.handlers().is_classic()) {  // a method of the program's that has the name by chance
            static std::atomic<bool> is_told{false};
            if (!is_told.exchange(true)) {
                service.report().log_text(
                    LogLevel::warning, step,
                    std::string{"begin_message() returned "} + Py_TYPE(result.ptr())->tp_name + ", which is ignored");
            }
        } else {
            throw py::type_error("begin_message() returned " + std::string(py::repr(result)) +
                                 ": it gives no verdict, so that it must return None");
        }
    });
    connection.leave();
    return done;
}

void throw_failure(Connection &connection, Step step) {
    if (connection.plan->has_methods && PyErr_ExceptionMatches(PyExc_TypeError) != 0) {
        py::error_already_set error;
        PyObject *const name = Names::get().method[static_cast<std::size_t>(step)];
        const auto hiding = py::reinterpret_steal<py::object>(PyObject_GetAttr(connection.receiver.ptr(), name));
        if (hiding && PyCallable_Check(hiding.ptr()) == 0) {
            PyErr_Format(PyExc_TypeError, "self.%U was set to %s: it hides the method", name,
                         Py_TYPE(hiding.ptr())->tp_name);
        } else {
            error.restore();
        }
    }
    throw py::error_already_set();
}

}  // namespace pymilter
