// The beginning of a connection: its receiver, and what is negotiated with the MTA. Called without the GIL.
#include "python/boundary/begin.hpp"

#include <memory>
#include <string>
#include <utility>

#include "core/process/counters.hpp"
#include "python/connection/context.hpp"
#include "python/boundary/invoke.hpp"

namespace pymilter {

namespace {

// Makes the receiver of a connection. Returns false if the user's factory failed; the failure is then kept.
bool furnish(Service &service, Connection &connection) {
    connection.is_classic = service.handlers().is_classic();
    const bool done = guarded(service.report(), Step::negotiate, [&] {
        connection.context_object = py::cast(Context(connection.handle()));
        Receiver receiver = service.handlers().make_receiver(connection.context_object);
        connection.receiver = std::move(receiver.object);
        connection.plan = std::move(receiver.plan);
        if (connection.plan->has_methods) {
            connection.priv = connection.receiver;
        }
    });
    if (service.report().logs_connections()) {
        service.report().log_text(LogLevel::debug, Step::negotiate, "the connection is open");
    }
    if (done) {
        return true;
    }
    connection.plan = std::make_shared<Plan>();
    answer_failure(connection, Step::negotiate, service.handlers().exception_policy());
    return false;
}

constexpr std::uint32_t can_skip_bit = SMFIP_SKIP;

// The negotiate handler of a program gets a list of four numbers to change, like libmilter's own callback.
sfsistat ask_handler(const Service &service, Connection &connection, Options offered, Options &wanted) {
    py::list options(4);
    options[0] = offered.actions;
    options[1] = offered.protocol;
    options[2] = 0;
    options[3] = 0;
    const py::object result =
        call_handler(service.handlers(), connection, Step::negotiate,
                     [&](Arguments &arguments, TextMode) { arguments.add(py::object(options).release().ptr()); });
    const Answer answer = read_result(result, *connection.plan, Step::negotiate, false);
    send_text(connection, answer);
    if (answer.status == SMFIS_ALL_OPTS) {
        wanted = {offered.actions, can_skip_bit};
        return SMFIS_CONTINUE;
    }
    wanted = {py::cast<std::uint32_t>(options[0]), py::cast<std::uint32_t>(options[1])};
    return answer.status;
}

// Finds out what no-reply steps do on this connection, and keeps its socket if each callback must tell it something.
Transport transport_of(const Service &service, SMFICTX *context, Connection &connection) {
    if (service.listener().is_local()) {
        return Transport::local;
    }
    connection.socket = PeerSocket(context, service.listener());
    return service.allows_no_reply_over_tcp() && connection.socket ? Transport::acknowledged_tcp : Transport::plain_tcp;
}

void ask_for_macros(SMFICTX *context, const Plan &plan, Options agreed) {
    if (!agreed.has_action(SMFIF_SETSYMLIST)) {
        return;
    }
    for (const auto &[stage, names] : plan.macros) {
        ::smfi_setsymlist(context, stage, const_cast<char *>(names.c_str()));  // libmilter copies the names
    }
}

sfsistat negotiate_with(const Service &service, SMFICTX *context, Connection &connection, Options offered) {
    const Plan &plan = *connection.plan;
    Options wanted = plan.wanted;
    sfsistat status = SMFIS_CONTINUE;
    if (plan.negotiates) {
        status = ask_handler(service, connection, offered, wanted);
    } else {
        ask_for_macros(context, plan, agree(wanted, offered, Transport::local));
    }
    const Transport transport = transport_of(service, context, connection);
    counters.count_transport(transport);
    connection.options = agree(wanted, offered, transport);
    if (plan.has_methods) {
        connection.receiver.attr(Names::get().actions) = connection.options.actions;
        connection.receiver.attr(Names::get().protocol) = connection.options.protocol;
    }
    return status;
}

}  // namespace

sfsistat begin_connection(Service &service, SMFICTX *context, Options offered, Options &agreed) {
    Balance::Seat seat(service.balance());  // before waiting for the GIL, so that another process takes the next one
    const Attach attach;
    if (attach && service.is_stopped()) {
        service.report().log_text(LogLevel::warning, Step::negotiate,
                                  "the filter has stopped, the connection is refused");
    }
    if (!attach || service.is_stopped()) {
        return SMFIS_REJECT;  // libmilter ends the session, and the MTA applies its default action
    }
    Connection &connection = Connection::open(context);
    Attach::set_connection(&connection);
    connection.seat = std::move(seat);
    connection.is_negotiated = true;
    if (!furnish(service, connection)) {
        return SMFIS_CONTINUE;  // nothing is negotiated off, so every step is sent and the first can report the failure
    }
    sfsistat status = SMFIS_CONTINUE;
    connection.enter(Step::negotiate);
    const bool done = guarded(service.report(), Step::negotiate,
                              [&] { status = negotiate_with(service, context, connection, offered); });
    connection.leave();
    if (!done) {
        connection.options = {};
        answer_failure(connection, Step::negotiate, service.handlers().exception_policy());
        return SMFIS_CONTINUE;
    }
    agreed = connection.options;
    return status;
}

Connection *begin_connection_anew(Service &service, SMFICTX *context) {
    Balance::Seat seat(service.balance());
    const Attach attach;
    if (!attach) {
        return nullptr;
    }
    Connection &connection = Connection::open(context);
    Attach::set_connection(&connection);
    connection.seat = std::move(seat);
    furnish(service, connection);
    connection.options = agree(connection.plan->wanted, {~0U, ~0U}, Transport::plain_tcp);
    return &connection;
}

}  // namespace pymilter
