// Who handles the callbacks: functions that get the context, or methods of one object per connection; and the answer if
// a handler fails.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "python/interpreter/python.hpp"
#include "python/handlers/plan.hpp"

namespace pymilter {

// Who handles the callbacks of one connection.
struct Receiver {
    py::object object;  // the first argument of each handler: the user's object, or the Context
    std::shared_ptr<const Plan> plan;
};

class Handlers {
public:
    Handlers(int exception_policy, bool is_classic);

    // Methods of one object per connection: `make()` returns the object, `plan_of(type)` the Plan of its class, and
    // `plan_of(object)` the Plan of an object that has handlers set on itself.
    void use_methods(py::object make, py::object plan_of);
    // A function `callback(context, ...)` or None. Returns the previous one. Applies to later connections.
    py::object set_function(Step step, py::object callback);
    void set_wanted(Options wanted);

    // The status that is the answer if a handler fails. Throws std::invalid_argument.
    void set_exception_policy(int status);
    int exception_policy() const { return m_exception_policy.load(std::memory_order_relaxed); }

    // Whether these are the handlers of a classic program, which must run as with pymilter 1.0.
    bool is_classic() const { return m_is_classic; }

    // The receiver of a new connection, whose Context is `handle`. Throws what the user's code raises. Needs the GIL.
    Receiver make_receiver(const py::object &handle);
    // The plan of `receiver` once more, if a handler has set another one on it since, for a step that is always sent;
    // otherwise null. Throws what the user's code raises. Needs the GIL.
    std::shared_ptr<const Plan> plan_with_new_handlers(const Receiver &receiver) const;
    // The function for a step; null if it has been taken away. Needs the GIL.
    py::object function(Step step) const;

private:
    Receiver make_object(const py::object &handle);
    void remake_function_plan();  // with the mutex held

    std::atomic<int> m_exception_policy;
    const bool m_is_classic;
    py::object m_make;
    py::object m_plan_of;  // keeps what it has read of a class

    mutable std::mutex m_functions_mutex;  // held only while no Python code runs
    std::array<py::object, step_count> m_functions;
    Options m_wanted;
    std::shared_ptr<const Plan> m_function_plan;
};

}  // namespace pymilter
