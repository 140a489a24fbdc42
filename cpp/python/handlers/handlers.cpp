// Who handles the callbacks: functions that get the context, or methods of one object per connection; and the answer if
// a handler fails. Needs the GIL.
#include "python/handlers/handlers.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "python/handlers/names.hpp"

namespace pymilter {

namespace {

// What functions get: the classic module passes headers and envelopes on as bytes.
std::array<TextMode, step_count> function_text_modes() {
    std::array<TextMode, step_count> modes{};
    for (const Step step : {Step::envfrom, Step::envrcpt, Step::header}) {
        modes[static_cast<std::size_t>(step)] = TextMode::bytes;
    }
    return modes;
}

// An object that serves two connections would mix their messages up.
void check_is_new(const py::object &receiver, py::handle type) {
    if (py::cast<bool>(receiver.attr(Names::get().had_connection))) {
        throw py::type_error("the factory gave the same " + std::string(py::str(type.attr("__qualname__"))) +
                             " twice: it must make a new object for each connection");
    }
}

// Whether an attribute of the object is the method of that name of its class. The object's __dict__ is not read,
// because CPython would then make one, and every later access to an attribute would be slower.
bool is_method_of_class(const py::object &receiver, py::handle type, PyObject *name) {
    const auto found = py::reinterpret_steal<py::object>(PyObject_GetAttr(receiver.ptr(), name));
    if (!found) {
        PyErr_Clear();
        return false;
    }
    // Asked a dozen times for each connection, so not by PyObject_GetAttr, which takes five times as long.
    PyObject *const own = _PyType_Lookup(reinterpret_cast<PyTypeObject *>(type.ptr()), name);
    return PyMethod_Check(found.ptr()) && PyMethod_GET_SELF(found.ptr()) == receiver.ptr() &&
           PyMethod_GET_FUNCTION(found.ptr()) == own;
}

// Whether the object itself has a callable attribute of that name. Any other attribute is the program's business.
bool sets_handler(const py::object &receiver, PyObject *name) {
    const auto attributes = py::reinterpret_steal<py::dict>(PyObject_GenericGetDict(receiver.ptr(), nullptr));
    if (!attributes) {
        throw py::error_already_set();
    }
    PyObject *const found = PyDict_GetItemWithError(attributes.ptr(), name);
    return found != nullptr && PyCallable_Check(found) != 0;
}

// A filter that gets messages whole is called rarely, so making the __dict__ once costs less than avoiding it.
bool is_set(const py::object &receiver, py::handle type, const Plan &plan, PyObject *name) {
    return name != nullptr && (plan.whole || !is_method_of_class(receiver, type, name)) && sets_handler(receiver, name);
}

// Whether the object itself has an attribute with the name of any handler. Most objects have few attributes, so this is
// far quicker than to look for each name.
bool has_name_of_handler(const py::object &receiver) {
    const auto attributes = py::reinterpret_steal<py::dict>(PyObject_GenericGetDict(receiver.ptr(), nullptr));
    if (!attributes) {
        throw py::error_already_set();
    }
    const auto is_handler = [](const auto &item) {
        return PySet_Contains(Names::get().handlers, item.first.ptr()) == 1;
    };
    return std::any_of(attributes.begin(), attributes.end(), is_handler);
}

// Whether an object has handlers set on itself, as by `self.eom = self.my_eom`, for steps that its class does not
// handle or handles without a verdict. For any other step, the handler is found when it is called.
bool sets_handlers(const py::object &receiver, py::handle type, const Plan &plan) {
    const Names &names = Names::get();
    if (plan.whole && !has_name_of_handler(receiver)) {
        return false;
    }
    for (std::size_t index = 1; index < step_count; ++index) {
        const auto step = static_cast<Step>(index);
        const bool is_handled = plan.has(step);
        if ((!is_handled || plan.is_no_reply(step)) && is_set(receiver, type, plan, names.method[index])) {
            return true;
        }
        if (!is_handled && is_set(receiver, type, plan, names.bytes_hook[index])) {
            return true;
        }
    }
    // These would not be called: reading the plan of the object raises for them.
    if (plan.whole && ((!plan.has(Step::envfrom) && is_set(receiver, type, plan, names.mail)) ||
                       (!plan.has(Step::envrcpt) && is_set(receiver, type, plan, names.recipient)))) {
        return true;
    }
    return !plan.has_begin && is_set(receiver, type, plan, names.begin_message);
}

}  // namespace

Handlers::Handlers(int exception_policy, bool is_classic)
    : m_exception_policy(exception_policy), m_is_classic(is_classic) {
    set_exception_policy(exception_policy);
    remake_function_plan();
}

void Handlers::use_methods(py::object make, py::object plan_of) {
    m_make = std::move(make);
    m_plan_of = std::move(plan_of);
}

py::object Handlers::set_function(Step step, py::object callback) {
    if (!callback.is_none() && PyCallable_Check(callback.ptr()) == 0) {
        throw py::type_error(std::string{"the callback for "} + traits(step).name + " must be callable or None, not " +
                             Py_TYPE(callback.ptr())->tp_name);
    }
    py::object earlier = callback.is_none() ? py::object() : std::move(callback);
    const std::lock_guard<std::mutex> lock(m_functions_mutex);
    std::swap(m_functions[static_cast<std::size_t>(step)], earlier);
    remake_function_plan();
    return earlier ? earlier : py::none();
}

py::object Handlers::function(Step step) const {
    const std::lock_guard<std::mutex> lock(m_functions_mutex);
    return m_functions[static_cast<std::size_t>(step)];
}

void Handlers::set_wanted(Options wanted) {
    const std::lock_guard<std::mutex> lock(m_functions_mutex);
    m_wanted = wanted;
    remake_function_plan();
}

void Handlers::remake_function_plan() {
    const auto plan = std::make_shared<Plan>();
    plan->wanted = m_wanted;
    plan->has_methods = false;
    plan->text = function_text_modes();
    for (std::size_t index = 0; index < step_count; ++index) {
        const auto step = static_cast<Step>(index);
        if (m_functions[index]) {
            plan->steps |= bit(step);
        } else {
            plan->wanted.protocol |= traits(step).not_sent;
        }
    }
    plan->negotiates = plan->has(Step::negotiate);
    m_function_plan = plan;
}

void Handlers::set_exception_policy(int status) {
    if (status != SMFIS_TEMPFAIL && status != SMFIS_REJECT && status != SMFIS_ACCEPT && status != SMFIS_CONTINUE) {
        throw std::invalid_argument("exception policy is " + std::to_string(status) +
                                    ": allowed are TEMPFAIL, REJECT, ACCEPT and CONTINUE");
    }
    m_exception_policy.store(status, std::memory_order_relaxed);
}

Receiver Handlers::make_receiver(const py::object &handle) {
    if (m_make) {
        return make_object(handle);
    }
    const std::lock_guard<std::mutex> lock(m_functions_mutex);
    return {handle, m_function_plan};
}

std::shared_ptr<const Plan> Handlers::plan_with_new_handlers(const Receiver &receiver) const {
    const py::handle type = py::type::handle_of(receiver.object);
    for (const Step step : {Step::eom, Step::abort, Step::close}) {
        if (!receiver.plan->has(step) &&
            is_set(receiver.object, type, *receiver.plan, Names::get().method[static_cast<std::size_t>(step)])) {
            return py::cast<std::shared_ptr<const Plan>>(m_plan_of(receiver.object));
        }
    }
    return nullptr;
}

Receiver Handlers::make_object(const py::object &handle) {
    py::object object = m_make();
    const py::handle type = py::type::handle_of(object);
    auto plan = py::cast<std::shared_ptr<const Plan>>(m_plan_of(type));
    check_is_new(object, type);
    py::reinterpret_steal<py::object>(PyObject_CallMethodOneArg(object.ptr(), Names::get().set_context, handle.ptr()));
    if (PyErr_Occurred() != nullptr) {
        throw py::error_already_set();
    }
    if (sets_handlers(object, type, *plan)) {
        plan = py::cast<std::shared_ptr<const Plan>>(m_plan_of(object));
    }
    return {std::move(object), std::move(plan)};
}

}  // namespace pymilter
