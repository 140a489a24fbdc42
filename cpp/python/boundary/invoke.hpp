// Calling a handler: nothing that Python throws leaves these functions. Each says whether it needs the GIL.
#pragma once

#include <exception>
#include <optional>
#include <string>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

#include "core/process/counters.hpp"
#include "python/boundary/policy.hpp"
#include "python/boundary/arguments.hpp"
#include "python/connection/connection.hpp"
#include "python/handlers/names.hpp"
#include "python/interpreter/errors.hpp"
#include "python/interpreter/forked.hpp"
#include "python/interpreter/gil.hpp"
#include "python/boundary/reply.hpp"
#include "python/service/service.hpp"

namespace pymilter {

// Runs `work`. Needs the GIL. Returns false if `work` threw; the exception is then logged for `handler`. A process that
// `work` has forked ends here.
template <typename Work>
bool guarded(const Report &report, const char *handler, Work &&work) {
    try {
        work();
        if (Gate::ends_with_callback()) {
            end_forked_process();
        }
        return true;
#if defined(__GLIBCXX__)
    } catch (const abi::__forced_unwind &) {
        throw;
#endif
    } catch (py::error_already_set &error) {
        error.restore();
    } catch (const py::builtin_exception &error) {
        error.set_error();
    } catch (const std::exception &error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
    }
    if (Gate::ends_with_callback()) {
        end_forked_process();
    }
    Counters::add(counters.failures);
    report.log_failure(handler, take_exception());
    return false;
}

template <typename Work>
bool guarded(const Report &report, Step step, Work &&work) {
    return guarded(report, traits(step).name, std::forward<Work>(work));
}

// Logs a warning between two handlers. Called without the GIL. Logs nothing if the gate is shut.
void warn(const Service &service, Connection &connection, Step step, const std::string &text);

// Whether a classic bytes hook may replace the inherited one: looked up once per message, since that is a tenth of a
// callback's cost.
inline bool may_have_own_hook(const Connection &connection, Step step) {
    return (connection.message.plain_steps & bit(step)) == 0 &&
           connection.plan->inherited_hook[static_cast<std::size_t>(step)];
}

// The hook that does, or null. Needs the GIL; throws what Python raises.
py::object own_hook(Connection &connection, Step step);

// Before a step that is always sent and has no handler: looks for one that another handler has set on the object since,
// as `self.eom = self.my_eom` does. Returns false if that failed, which is then logged. Called without the GIL.
bool look_for_new_handler(const Service &service, Connection &connection, Step step);
// The same with the GIL.
bool look_for_new_handler_attached(const Service &service, Connection &connection, Step step);

// Calls begin_message, if the plan has it. Returns false if that failed, which is then logged. Called without the GIL.
bool begin_message(const Service &service, Connection &connection, Step step);

// Throws the exception that a handler has raised, or if an attribute hides the method, an exception that says so.
[[noreturn]] void throw_failure(Connection &connection, Step step);

// `fill(arguments, mode)` adds the arguments after the receiver. Needs the GIL; throws what Python raises.
template <typename Fill>
py::object call_handler(const Handlers &handlers, Connection &connection, Step step, Fill &&fill) {
    const Plan &plan = *connection.plan;
    Arguments arguments(connection.receiver);
    PyObject *result = nullptr;
    if (!plan.has_methods) {
        const py::object function = handlers.function(step);
        if (!function) {
            return py::none();
        }
        fill(arguments, plan.text_of(step));
        result = arguments.call(function.ptr());
    } else if (const py::object hook =
                   may_have_own_hook(connection, step) ? own_hook(connection, step) : py::object()) {
        fill(arguments, TextMode::bytes);
        result = arguments.call_bound(hook.ptr());
    } else {
        fill(arguments, plan.text_of(step));
        const Names &names = Names::get();
        const bool is_whole = plan.whole && step == Step::eom;
        result = arguments.call_method(is_whole ? names.whole : names.method[static_cast<std::size_t>(step)]);
    }
    if (result == nullptr) {
        throw_failure(connection, step);
    }
    return py::reinterpret_steal<py::object>(result);
}

// Runs the handler of a step, and gives libmilter the text of its reply. Returns the status, or nothing if the handler
// failed, which is then logged. Called without the GIL.
template <typename Fill>
std::optional<int> invoke(const Service &service, Connection &connection, Step step, bool is_no_reply, Fill &&fill) {
    const Attach attach(&connection);
    if (!attach) {
        return SMFIS_TEMPFAIL;
    }
    int status = SMFIS_CONTINUE;
    connection.has_run_handler = true;
    connection.enter(step);
    const bool done = guarded(service.report(), connection.plan->handler_name(step), [&] {
        const py::object result = call_handler(service.handlers(), connection, step, fill);
        if (!result.is_none()) {
            const Answer answer = read_result(result, *connection.plan, step, is_no_reply);
            send_text(connection, answer);
            status = answer.status;
        }
    });
    connection.leave();
    return done ? std::optional<int>{status} : std::nullopt;
}

inline bool is_no_reply(const Connection &connection, Step step) {
    return connection.options.is_no_reply(step) || connection.plan->is_no_reply(step);
}

// Runs the handler of a step. Returns the answer to the step. Called without the GIL.
template <typename Fill>
sfsistat invoke_and_answer(const Service &service, Connection &connection, Step step, Fill &&fill) {
    const auto status = invoke(service, connection, step, is_no_reply(connection, step), fill);
    if (!status) {
        return answer_failure(connection, step, service.handlers().exception_policy());
    }
    if (*status == SMFIS_SKIP) {
        connection.message.skips_body = true;
        return connection.options.can_skip() ? SMFIS_SKIP : SMFIS_CONTINUE;
    }
    return is_verdict(*status) ? *status : nothing_to_say(connection, step);
}

}  // namespace pymilter
