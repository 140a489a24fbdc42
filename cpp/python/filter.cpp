// The filter of this process: how connections get their receiver, what happens on failure, register, run, stop.
#include "python/filter.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/body_buffer.hpp"
#include "core/rehearsal.hpp"
#include "python/callbacks.hpp"
#include "python/context.hpp"
#include "python/errors.hpp"
#include "python/gil.hpp"
#include "python/spawning.hpp"
#include "python/wakeup.hpp"

namespace pymilter {

namespace {

std::atomic<Filter *> the_filter{nullptr};

// What functions get at this level: the classic module hands headers and envelopes over as they are.
std::array<TextMode, step_count> function_text_modes() {
    std::array<TextMode, step_count> modes{};
    for (const Step step : {Step::envfrom, Step::envrcpt, Step::header}) {
        modes[static_cast<std::size_t>(step)] = TextMode::bytes;
    }
    return modes;
}

// An object that serves two connections would mix up their messages.
void check_is_new(const py::object &receiver, py::handle type) {
    if (py::cast<bool>(receiver.attr(Names::get().had_connection))) {
        throw py::type_error("the factory gave the same " + std::string(py::str(type.attr("__qualname__"))) +
                             " twice: it must make a new object for each connection");
    }
}

// Whether an attribute of the object is the method of that name of its class. Asking so, and not the object's __dict__,
// spares CPython from making one, with which every later access to an attribute would be slower.
bool is_method_of_class(const py::object &receiver, py::handle type, PyObject *name) {
    const auto found = py::reinterpret_steal<py::object>(PyObject_GetAttr(receiver.ptr(), name));
    const auto own = py::reinterpret_steal<py::object>(PyObject_GetAttr(type.ptr(), name));
    PyErr_Clear();
    return found && PyMethod_Check(found.ptr()) && PyMethod_GET_SELF(found.ptr()) == receiver.ptr() &&
           PyMethod_GET_FUNCTION(found.ptr()) == own.ptr();
}

// Whether the object itself has an attribute of that name which can be called. Any other is the program's own.
bool sets_handler(const py::object &receiver, PyObject *name) {
    const auto attributes = py::reinterpret_steal<py::dict>(PyObject_GenericGetDict(receiver.ptr(), nullptr));
    if (!attributes) {
        throw py::error_already_set();
    }
    PyObject *const found = PyDict_GetItemWithError(attributes.ptr(), name);
    return found != nullptr && PyCallable_Check(found) != 0;
}

// Whether an object has handlers that are set on itself, as `self.eom = self.my_eom` does, that its class does not
// have, or has without a verdict. Any other is found when it is called.
bool sets_handlers(const py::object &receiver, py::handle type, const Plan &plan) {
    const auto is_set = [&](PyObject *name) {
        return name != nullptr && !is_method_of_class(receiver, type, name) && sets_handler(receiver, name);
    };
    const Names &names = Names::get();
    for (std::size_t index = 1; index < step_count; ++index) {
        const auto step = static_cast<Step>(index);
        const bool is_handled = plan.has(step);
        if ((!is_handled || plan.is_mute(step)) && is_set(names.method[index])) {
            return true;
        }
        if (!is_handled && is_set(names.bytes_hook[index])) {
            return true;
        }
    }
    return !plan.has_begin && is_set(names.begin_message);
}

}  // namespace

Filter *Filter::registered() noexcept { return the_filter.load(std::memory_order_acquire); }

Filter::Filter(std::string name, int exception_policy, py::object report)
    : m_name(std::move(name)), m_exception_policy(exception_policy), m_report(std::move(report)) {
    set_exception_policy(exception_policy);
    remake_function_plan();
}

void Filter::use_methods(py::object make, py::object plan_of) {
    m_make = std::move(make);
    m_plan_of = std::move(plan_of);
}

py::object Filter::set_function(Step step, py::object callback) {
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

py::object Filter::function(Step step) const {
    const std::lock_guard<std::mutex> lock(m_functions_mutex);
    return m_functions[static_cast<std::size_t>(step)];
}

void Filter::set_wanted(Options wanted) {
    const std::lock_guard<std::mutex> lock(m_functions_mutex);
    m_wanted = wanted;
    remake_function_plan();
}

void Filter::remake_function_plan() {
    const auto plan = std::make_shared<Plan>();
    plan->wanted = m_wanted;
    plan->has_methods = false;
    plan->text = function_text_modes();
    for (std::size_t index = 0; index < step_count; ++index) {
        const auto step = static_cast<Step>(index);
        if (m_functions[index]) {
            plan->steps |= bit(step);
        } else {
            plan->wanted.protocol |= traits(step).skip;
        }
    }
    plan->negotiates = plan->has(Step::negotiate);
    m_function_plan = plan;
}

void Filter::set_exception_policy(int status) {
    if (status != SMFIS_TEMPFAIL && status != SMFIS_REJECT && status != SMFIS_ACCEPT && status != SMFIS_CONTINUE) {
        throw std::invalid_argument("exception policy is " + std::to_string(status) +
                                    ": allowed are TEMPFAIL, REJECT, ACCEPT and CONTINUE");
    }
    m_exception_policy.store(status, std::memory_order_relaxed);
}

void Filter::furnish(Connection &connection) {
    connection.handle = py::cast(Context(connection.share()));
    if (!m_make) {
        connection.receiver = connection.handle;
        const std::lock_guard<std::mutex> lock(m_functions_mutex);
        connection.plan = m_function_plan;
        return;
    }
    py::object receiver = m_make();
    const py::handle type = py::type::handle_of(receiver);
    auto plan = py::cast<std::shared_ptr<const Plan>>(m_plan_of(type));
    check_is_new(receiver, type);
    py::reinterpret_steal<py::object>(
        PyObject_CallMethodOneArg(receiver.ptr(), Names::get().set_context, connection.handle.ptr()));
    if (PyErr_Occurred() != nullptr) {
        throw py::error_already_set();
    }
    if (sets_handlers(receiver, type, *plan)) {
        plan = py::cast<std::shared_ptr<const Plan>>(m_plan_of(receiver));
    }
    connection.receiver = receiver;
    connection.priv = std::move(receiver);
    connection.plan = std::move(plan);
}

void Filter::report(const char *handler, const py::object &exception) const noexcept {
    log(LogLevel::error, handler, exception);
}

void Filter::tell(LogLevel level, Step step, const std::string &text) const noexcept {
    try {
        log(level, traits(step).name, py::str(text));
    } catch (...) {
        // No memory for the text.
    }
}

void Filter::log(LogLevel level, const char *where, const py::object &what) const noexcept {
    try {
        m_report(static_cast<int>(level), where, what);
    } catch (py::error_already_set &error) {
        error.discard_as_unraisable("pymilter: logging a failure");
    } catch (...) {
        // Nothing is left to tell it to; the failure itself is answered all the same.
    }
}

void Filter::register_filter(std::optional<int> timeout) {
    Filter *nobody = nullptr;
    if (!the_filter.compare_exchange_strong(nobody, this)) {
        raise_milter_error("a filter is registered already: there is one filter in a process");
    }
    if (timeout) {
        ::smfi_settimeout(*timeout);
    }
    if (::smfi_register(describe_callbacks(m_name.data())) != MI_SUCCESS) {
        the_filter.store(nullptr);
        raise_milter_error("libmilter refused to register the filter (smfi_register)");
    }
}

Transport Filter::transport_of(Connection &connection, SMFICTX *context) const {
    if (m_listener.is_local()) {
        return Transport::local;
    }
    connection.socket = PeerSocket(context, m_listener);
    return m_mute_over_tcp && connection.socket ? Transport::acknowledged_tcp : Transport::plain_tcp;
}

void Filter::watch_signals(bool hold, bool reloads) {
    m_signals.emplace(m_loop.signal_descriptor(), hold, reloads);
    Wakeup::claim(m_loop.signal_descriptor());
}

void Filter::leave_signals() {
    if (m_signals) {
        Wakeup::release(m_loop.signal_descriptor());
        m_signals.reset();
    }
}

std::string Filter::start(int descriptor, bool mute_over_tcp, bool tell_connections) {
    m_mute_over_tcp = mute_over_tcp;
    m_tells_connections = tell_connections;
    note_temporary_folder();
    const int rehearsal = m_listener.prepare(descriptor);
    watch_spawning();
    m_share.begin(m_listener, m_loop);
    Rehearsal::Result libmilter;
    {
        const Release release;
        m_loop.start();
        libmilter = Rehearsal::play(rehearsal, m_loop);
        if (m_listener.adopt()) {
            m_loop.renew_poll();
        }
    }
    if ((libmilter.takes_any_order && libmilter.shows_state) || m_loop.has_ended()) {
        return "";
    }
    const std::string reason =
        libmilter.was_played ? "this libmilter throws them away" : "libmilter could not be reached to change that";
    return "commands that come out of order may get no answer, so that a sender can get a message past the filter: " +
           reason + " (docs/design.md, \"No command goes unanswered\")";
}

void Filter::use_share(int memory, std::size_t slot, double patience) {
    m_share.use(memory, slot, std::chrono::milliseconds{static_cast<std::int64_t>(patience * 1000)});
}

int Filter::wait(std::optional<double> seconds) {
    std::optional<std::chrono::milliseconds> limit;
    if (seconds) {
        limit = std::chrono::milliseconds{static_cast<std::int64_t>(*seconds * 1000)};
    }
    if (m_signals) {
        m_signals->let_through();
    }
    int event = Loop::nothing;
    {
        const Release release;
        event = m_loop.wait(limit);
    }
    if (PyErr_CheckSignals() != 0) {
        throw py::error_already_set();
    }
    if (m_signals) {
        m_signals->renew();
    }
    return event;
}

void Filter::refuse() {
    const Release release;
    m_share.leave();
    m_loop.refuse(m_listener);
}

int Filter::finish() {
    int result = MI_SUCCESS;
    {
        const Release release;
        m_share.leave();
        result = m_loop.finish();
        m_stopped.store(true, std::memory_order_relaxed);
    }
    leave_signals();
    return result;
}

void Filter::abandon() {
    m_stopped.store(true, std::memory_order_relaxed);
    leave_signals();
    m_share.abandon();
    m_listener.abandon();
    Connection::abandon_all();
    Gate::abandon();
}

}  // namespace pymilter
