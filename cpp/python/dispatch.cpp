// THE boundary: the one place where a callback of libmilter's becomes a call of Python's, and its result a status.
#include "python/dispatch.hpp"

#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

#include "core/checks.hpp"
#include "core/socket_address.hpp"
#include "python/arguments.hpp"
#include "python/body_view.hpp"
#include "python/connection.hpp"
#include "python/errors.hpp"
#include "python/filter.hpp"
#include "python/gil.hpp"
#include "python/outcome.hpp"

namespace pymilter::dispatch {

namespace {

// ---------------------------------------------------------------------------------------------- answers

sfsistat nothing_to_say(const Connection &connection, Step step) {
    return connection.options.is_mute(step) ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

// The plain text that the SMTP client sees: nothing internal in it.
Answer failure_answer(int policy) {
    if (policy == SMFIS_REJECT) {
        return {policy, {"554", "5.3.0", {"Mail filter failed"}}};
    }
    return {policy, {"451", "4.3.0", {"Mail filter failed, please try again later"}}};
}

sfsistat answer(Connection &connection, Step step, const Answer &answer) {
    if (connection.options.is_mute(step) || answer.status == SMFIS_CONTINUE) {
        return nothing_to_say(connection, step);
    }
    if (answer.status == SMFIS_TEMPFAIL || answer.status == SMFIS_REJECT) {
        connection.enter(step);
        connection.call_unattached([&](SMFICTX *context) { return send_reply(context, answer.text); });
        connection.leave();
    }
    return answer.status;
}

// Answered at once where that is possible, kept where not (contract, 3).
sfsistat answer_or_keep(Connection &connection, Step step, const Answer &given) {
    const bool is_answered = connection.is_negotiated && !connection.options.is_mute(step);
    if (given.status != SMFIS_CONTINUE) {
        if (is_connection_step(step)) {
            connection.keep_connection_failure(given);
        } else if (!is_answered && step != Step::unknown) {
            // An unknown command is refused whatever is answered, so no mail can be accepted through it.
            connection.keep_message_failure(given);
        }
    }
    return answer(connection, step, given);
}

// A handler failed.
sfsistat fail(Connection &connection, Step step, int policy) {
    return answer_or_keep(connection, step, failure_answer(policy));
}

// After a final answer libmilter sends no more of the message, so that what belonged to it is over.
void end_message_after(SMFICTX *context, Step step, sfsistat status) {
    const bool is_final = status == SMFIS_REJECT || status == SMFIS_TEMPFAIL || status == SMFIS_ACCEPT ||
                          status == SMFIS_DISCARD;
    if (!is_final || is_connection_step(step) || step == Step::envrcpt || step == Step::unknown) {
        return;
    }
    if (Connection *const connection = Connection::find(context)) {
        connection->reset_message();
    }
}

// ---------------------------------------------------------------------------------------------- calls

// Runs `work` with Python attached. Nothing leaves: false when it threw, which is then reported.
template <typename Work>
bool guarded(const Filter &filter, const Connection *connection, Step step, Work &&work) {
    try {
        work();
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
    filter.report(step, connection, take_exception());
    return false;
}

// A classic bytes hook that is not the inherited one, or null.
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

// `fill(arguments, mode)` adds the arguments after the receiver.
template <typename Fill>
py::object call_handler(const Filter &filter, const Connection &connection, Step step, Fill &&fill) {
    const Plan &plan = *connection.plan;
    Arguments arguments(connection.receiver);
    PyObject *result = nullptr;
    if (!plan.has_methods) {
        const py::object function = filter.function(step);
        if (!function) {
            return py::none();
        }
        fill(arguments, plan.text_of(step));
        result = arguments.call(function.ptr());
    } else if (const py::object hook = own_hook(connection, step)) {
        fill(arguments, TextMode::bytes);
        result = arguments.call_bound(hook.ptr());
    } else {
        fill(arguments, plan.text_of(step));
        result = arguments.call_method(Names::get().method[static_cast<std::size_t>(step)]);
    }
    if (result == nullptr) {
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::object>(result);
}

// Makes the receiver of a connection. False when the user's factory failed; the failure is kept.
bool furnish(Filter &filter, Connection &connection) {
    if (guarded(filter, &connection, Step::negotiate, [&] { filter.furnish(connection); })) {
        return true;
    }
    connection.plan = std::make_shared<Plan>();
    fail(connection, Step::negotiate, filter.exception_policy());
    return false;
}

// A connection that libmilter goes on with after QUIT_NC: a new one, with no negotiation of its own.
Connection *connection_without_negotiation(SMFICTX *context, Filter &filter) {
    const Attach attach;
    if (!attach) {
        return nullptr;
    }
    Connection &connection = Connection::open(context);
    furnish(filter, connection);
    connection.options = agree(connection.plan->wanted, {~0U, ~0U}, Transport::plain_tcp);
    return &connection;
}

// The connection of a callback, or null where only TEMPFAIL can be answered.
Connection *usable_connection(SMFICTX *context, Filter &filter) {
    if (filter.is_stopped() || Gate::is_shut()) {
        return nullptr;
    }
    Connection *const connection = Connection::find(context);
    return connection != nullptr ? connection : connection_without_negotiation(context, filter);
}

// Runs the handler of a step. Empty when it failed, which is reported then.
template <typename Fill>
std::optional<int> invoke(const Filter &filter, Connection &connection, Step step, bool is_due, Fill &&fill) {
    const Attach attach;
    if (!attach) {
        return SMFIS_TEMPFAIL;
    }
    int status = SMFIS_CONTINUE;
    connection.enter(step);
    const bool done = guarded(filter, &connection, step, [&] {
        status = to_status(call_handler(filter, connection, step, fill), connection, step, is_due);
    });
    connection.leave();
    return done ? std::optional<int>{status} : std::nullopt;
}

bool is_due(const Connection &connection, Step step) {
    return !connection.options.is_mute(step) && !connection.plan->is_mute(step);
}

bool is_verdict(int status) { return status != SMFIS_CONTINUE && status != SMFIS_NOREPLY; }

template <typename Fill>
sfsistat invoke_and_answer(const Filter &filter, Connection &connection, Step step, Fill &&fill) {
    const auto status = invoke(filter, connection, step, is_due(connection, step), fill);
    if (!status) {
        return fail(connection, step, filter.exception_policy());
    }
    if (*status == SMFIS_SKIP) {
        connection.skips_body = true;
        return connection.options.can_skip() ? SMFIS_SKIP : SMFIS_CONTINUE;
    }
    return is_verdict(*status) ? *status : nothing_to_say(connection, step);
}

// One callback that may answer, from beginning to end. `work(filter, connection)` answers where there is a handler.
template <typename Work>
sfsistat run(SMFICTX *context, Step step, Work &&work) {
    Filter &filter = *Filter::registered();
    Connection *const connection = usable_connection(context, filter);
    if (connection == nullptr) {
        return SMFIS_TEMPFAIL;
    }
    if (connection->options.is_mute(step)) {
        connection->socket.acknowledge();
    }
    if (step == Step::envfrom) {
        connection->reset_message();
    }
    if (const Answer *const failure = connection->failure()) {
        return answer(*connection, step, *failure);
    }
    return work(filter, *connection);
}

template <typename Fill>
sfsistat run_step(SMFICTX *context, Step step, Fill &&fill) {
    const sfsistat status = run(context, step, [&](const Filter &filter, Connection &connection) {
        return connection.plan->has(step) ? invoke_and_answer(filter, connection, step, fill)
                                          : nothing_to_say(connection, step);
    });
    end_message_after(context, step, status);
    return status;
}

// A callback whose answer libmilter ignores: abort and close.
void run_unanswered(Connection &connection, Filter &filter, Step step) {
    if (!connection.plan || !connection.plan->has(step) || !connection.receiver) {
        return;
    }
    connection.enter(step);
    guarded(filter, &connection, step,
            [&] { call_handler(filter, connection, step, [](Arguments &, TextMode) {}); });
    connection.leave();
}

void add_text(Arguments &arguments, const char *text, TextMode mode) {
    arguments.add(text == nullptr ? to_text("", 0, mode) : to_text(text, std::strlen(text), mode));
}

// None, (ip, port), (ip, port, flowinfo, scope_id) or a path, as the socket module has them.
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

// ---------------------------------------------------------------------------------------------- gathered bodies

// Adds what was gathered to the arguments of the handler.
auto gathered(Connection &connection) {
    return [&](Arguments &arguments, TextMode) {
        arguments.add(to_python(connection.body.take(), connection.plan->gather->as_view));
    };
}

// Appends a chunk, without the GIL; hands a piece over when it is large enough.
sfsistat gather(const Filter &filter, Connection &connection, const unsigned char *chunk, std::size_t size) {
    const Gather &wanted = *connection.plan->gather;
    try {
        if (!connection.body.append(chunk, size, wanted.limits)) {
            return answer_or_keep(connection, Step::body, wanted.exceeded);
        }
    } catch (const std::exception &error) {
        const std::string reason = error.what();
        const Attach attach;
        if (attach) {
            guarded(filter, &connection, Step::body, [&] { throw std::runtime_error(reason); });
        }
        connection.body.clear();
        return fail(connection, Step::body, filter.exception_policy());
    }
    if (wanted.piece == 0 || connection.body.size() < wanted.piece) {
        return nothing_to_say(connection, Step::body);
    }
    return invoke_and_answer(filter, connection, Step::body, gathered(connection));
}

// At eom: the whole body (an empty one too), or the last piece. Its verdict is the answer to eom.
sfsistat hand_over_rest(const Filter &filter, Connection &connection) {
    const Plan &plan = *connection.plan;
    const bool has_rest = plan.gather && plan.has(Step::body) && !connection.skips_body &&
                          (plan.gathers_whole() || connection.body.size() > 0);
    if (!has_rest) {
        return SMFIS_CONTINUE;
    }
    const auto status = invoke(filter, connection, Step::body, !plan.is_mute(Step::body), gathered(connection));
    if (!status) {
        return fail(connection, Step::eom, filter.exception_policy());
    }
    return is_verdict(*status) && *status != SMFIS_SKIP ? *status : SMFIS_CONTINUE;
}

// ---------------------------------------------------------------------------------------------- negotiation

constexpr std::uint32_t skip_bit = SMFIP_SKIP;

// A negotiate handler of the user's gets a list of four numbers to change, as libmilter's own callback does.
sfsistat ask_handler(const Filter &filter, Connection &connection, Options offered, Options &wanted) {
    py::list options(4);
    options[0] = offered.actions;
    options[1] = offered.protocol;
    options[2] = 0;
    options[3] = 0;
    const py::object result = call_handler(filter, connection, Step::negotiate, [&](Arguments &arguments, TextMode) {
        arguments.add(py::object(options).release().ptr());
    });
    const int status = to_status(result, connection, Step::negotiate, true);
    if (status == SMFIS_ALL_OPTS) {
        wanted = {offered.actions, skip_bit};
        return SMFIS_CONTINUE;
    }
    wanted = {py::cast<std::uint32_t>(options[0]), py::cast<std::uint32_t>(options[1])};
    return status;
}

void ask_for_macros(SMFICTX *context, const Plan &plan, Options agreed) {
    if (!agreed.has_action(SMFIF_SETSYMLIST)) {
        return;
    }
    for (const auto &[stage, names] : plan.macros) {
        std::string list = names;
        ::smfi_setsymlist(context, stage, list.data());
    }
}

sfsistat negotiate_with(const Filter &filter, SMFICTX *context, Connection &connection, Options offered) {
    const Plan &plan = *connection.plan;
    Options wanted = plan.wanted;
    sfsistat status = SMFIS_CONTINUE;
    if (plan.negotiates) {
        status = ask_handler(filter, connection, offered, wanted);
    } else {
        ask_for_macros(context, plan, agree(wanted, offered, Transport::local));
    }
    connection.options = agree(wanted, offered, filter.transport_of(connection, context));
    if (plan.has_methods) {
        connection.receiver.attr(Names::get().actions) = connection.options.actions;
        connection.receiver.attr(Names::get().protocol) = connection.options.protocol;
    }
    return status;
}

}  // namespace

sfsistat negotiate(SMFICTX *context, Options offered, Options &agreed) {
    Filter *const filter = Filter::registered();
    const Attach attach;
    if (!attach || filter->is_stopped()) {
        return SMFIS_REJECT;  // libmilter ends the session, and the MTA applies its default action
    }
    Connection &connection = Connection::open(context);
    connection.is_negotiated = true;
    if (!furnish(*filter, connection)) {
        return SMFIS_CONTINUE;  // nothing is agreed, so every step is sent, and the first one can tell the failure
    }
    sfsistat status = SMFIS_CONTINUE;
    connection.enter(Step::negotiate);
    const bool done = guarded(*filter, &connection, Step::negotiate,
                              [&] { status = negotiate_with(*filter, context, connection, offered); });
    connection.leave();
    if (!done) {
        connection.options = {};
        fail(connection, Step::negotiate, filter->exception_policy());
        return SMFIS_CONTINUE;
    }
    agreed = connection.options;
    return status;
}

sfsistat connect(SMFICTX *context, const char *hostname, const sockaddr *address) {
    return run_step(context, Step::connect, [&](Arguments &arguments, TextMode mode) {
        const SocketAddress peer = to_socket_address(address);
        add_text(arguments, hostname, mode);
        arguments.add(PyLong_FromLong(peer.family));
        arguments.add(to_hostaddr(peer));
    });
}

sfsistat text(SMFICTX *context, Step step, const char *argument) {
    return run_step(context, step,
                    [&](Arguments &arguments, TextMode mode) { add_text(arguments, argument, mode); });
}

sfsistat envelope(SMFICTX *context, Step step, char **list) {
    return run_step(context, step, [&](Arguments &arguments, TextMode mode) {
        for (char **argument = list; *argument != nullptr; ++argument) {
            add_text(arguments, *argument, mode);
        }
    });
}

sfsistat plain(SMFICTX *context, Step step) {
    return run_step(context, step, [](Arguments &, TextMode) {});
}

sfsistat header(SMFICTX *context, const char *name, const char *value) {
    return run_step(context, Step::header, [&](Arguments &arguments, TextMode mode) {
        add_text(arguments, name, TextMode::surrogateescape);
        add_text(arguments, value, mode);
    });
}

sfsistat body(SMFICTX *context, const unsigned char *chunk, std::size_t size) {
    const sfsistat status = run(context, Step::body, [&](const Filter &filter, Connection &connection) {
        if (!connection.plan->has(Step::body) || connection.skips_body) {
            return nothing_to_say(connection, Step::body);
        }
        if (connection.plan->gather) {
            return gather(filter, connection, chunk, size);
        }
        return invoke_and_answer(filter, connection, Step::body, [&](Arguments &arguments, TextMode) {
            arguments.add(to_text(reinterpret_cast<const char *>(chunk), size, TextMode::bytes));
        });
    });
    end_message_after(context, Step::body, status);
    return status;
}

sfsistat eom(SMFICTX *context) {
    sfsistat status = run(context, Step::eom, [](const Filter &filter, Connection &connection) {
        const sfsistat verdict = hand_over_rest(filter, connection);
        if (verdict != SMFIS_CONTINUE || !connection.plan->has(Step::eom)) {
            return verdict;
        }
        return invoke_and_answer(filter, connection, Step::eom, [](Arguments &, TextMode) {});
    });
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return status;
    }
    if (status == SMFIS_CONTINUE || status == SMFIS_ACCEPT) {
        connection->enter(Step::eom);
        if (!connection->flush_edits()) {
            status = SMFIS_TEMPFAIL;
        }
        connection->leave();
    }
    connection->socket.uncork();
    connection->reset_message();
    return status;
}

sfsistat abort(SMFICTX *context) {
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return SMFIS_CONTINUE;
    }
    connection->reset_message();
    connection->socket.acknowledge();  // abort has no answer that could carry the acknowledgement
    if (connection->plan->has(Step::abort)) {
        const Attach attach;
        if (attach) {
            run_unanswered(*connection, *Filter::registered(), Step::abort);
        }
    }
    return SMFIS_CONTINUE;
}

sfsistat close(SMFICTX *context) {
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return SMFIS_CONTINUE;
    }
    const Attach attach;
    if (attach) {
        run_unanswered(*connection, *Filter::registered(), Step::close);
        Connection::close(context);
    }
    return SMFIS_CONTINUE;
}

}  // namespace pymilter::dispatch
