// THE boundary: the one place where a callback of libmilter's becomes a call of Python's, and its result a status.
#include "python/boundary/dispatch.hpp"

#include <cstring>

#include "core/process/counters.hpp"
#include "core/protocol/peer_text.hpp"
#include "core/process/rehearsal.hpp"
#include "core/protocol/socket_address.hpp"
#include "python/boundary/policy.hpp"
#include "python/boundary/arguments.hpp"
#include "python/connection/connection.hpp"
#include "python/service/service.hpp"
#include "python/boundary/gather.hpp"
#include "python/interpreter/gil.hpp"
#include "python/boundary/invoke.hpp"
#include "python/boundary/begin.hpp"

namespace pymilter::dispatch {

namespace {

// TEMPFAIL because the filter has stopped, or is about to, which is logged once: somebody will ask for the message. A
// step that is not answered goes on to the next that is.
sfsistat give_up(SMFICTX *context, const Service &service, Step step) {
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return SMFIS_TEMPFAIL;
    }
    if (!connection->is_given_up) {
        connection->is_given_up = true;
        warn(service, *connection, step, "the filter has stopped, the answer is TEMPFAIL");
    }
    connection->is_too_late = connection->is_too_late || (is_message_step(step) && !connection->has_message());
    return connection->options.is_no_reply(step) ? SMFIS_NOREPLY : SMFIS_TEMPFAIL;
}

// The connection of a callback, or null where only TEMPFAIL can be answered.
Connection *usable_connection(SMFICTX *context, Service &service) {
    if (service.is_stopped() || Gate::is_shut()) {
        return nullptr;
    }
    Connection *const connection = Connection::find(context);
    return connection != nullptr ? connection : begin_connection_anew(service, context);
}

// A callback whose answer libmilter ignores: abort and close.
void run_unheard(Connection &connection, Service &service, Step step) {
    if (!connection.plan || !connection.plan->has(step) || !connection.receiver) {
        return;
    }
    connection.enter(step);
    guarded(service.report(), step,
            [&] { call_handler(service.handlers(), connection, step, [](Arguments &, TextMode) {}); });
    connection.leave();
}

// Ends the message that is under way, if there is one, before its end. An MTA may say ABORT after each message (Postfix
// does), and HELO, MAIL or nothing at all in place of it.
void leave_message(Connection &connection) {
    Service &service = *Service::registered();
    if (connection.has_message() && connection.knows_message() &&
        look_for_new_handler(service, connection, Step::abort) && connection.plan->has(Step::abort)) {
        const Attach attach(&connection);
        if (attach) {
            run_unheard(connection, service, Step::abort);
        }
    }
    connection.reset_message();
}

// One callback that may answer, from beginning to end. `work(service, connection)` answers where there is a handler.
template <typename Work>
sfsistat run(SMFICTX *context, Step step, Work &&work) {
    Service &service = *Service::registered();
    Connection *const connection = usable_connection(context, service);
    if (connection == nullptr) {
        return give_up(context, service, step);
    }
    if (connection->options.is_no_reply(step)) {
        connection->socket.acknowledge();
    }
    if (is_connection_step(step) || step == Step::envfrom) {
        leave_message(*connection);
    }
    if (const Answer *const failure = connection->failure()) {
        return give(*connection, step, *failure);
    }
    if (is_message_step(step) && !connection->begin_envelope(step)) {
        warn(service, *connection, step, "it came without MAIL, the answer is TEMPFAIL");
        return fail(*connection, step, SMFIS_TEMPFAIL);
    }
    if (is_message_step(step) && !connection->has_message()) {
        const bool is_new = !connection->message.has_begun;
        if (!connection->begin_message()) {
            return give_up(context, service, step);
        }
        if (is_new && !begin_message(service, *connection, step)) {
            return fail(*connection, step, service.handlers().exception_policy());
        }
    }
    return work(service, *connection);
}

// `note(service, connection)` gathers the step where whole messages are wanted; CONTINUE where that went well.
template <typename Note, typename Fill>
sfsistat run_step(SMFICTX *context, Step step, Note &&note, Fill &&fill) {
    const sfsistat status = run(context, step, [&](const Service &service, Connection &connection) {
        const sfsistat noted = connection.plan->whole ? note(service, connection) : SMFIS_CONTINUE;
        if (noted != SMFIS_CONTINUE) {
            return noted;
        }
        return connection.plan->has(step) ? invoke_and_answer(service, connection, step, fill)
                                          : nothing_to_say(connection, step);
    });
    end_message_after(context, step, status);
    return status;
}

sfsistat note_nothing(const Service &, const Connection &) { return SMFIS_CONTINUE; }

void add_text(Arguments &arguments, const char *text, TextMode mode) {
    arguments.add(text == nullptr ? to_text("", 0, mode) : to_text(text, std::strlen(text), mode));
}

}  // namespace

sfsistat negotiate(SMFICTX *context, Options offered, Options &agreed) {
    return begin_connection(*Service::registered(), context, offered, agreed);
}

sfsistat connect(SMFICTX *context, const char *hostname, const sockaddr *address) {
    const auto note = [&](const Service &service, Connection &connection) {
        return note_client(service, connection, hostname, address);
    };
    return run_step(context, Step::connect, note, [&](Arguments &arguments, TextMode mode) {
        const SocketAddress peer = to_socket_address(address);
        Connection::find(context)->set_peer(peer_text(hostname, peer));
        add_text(arguments, hostname, mode);
        arguments.add(PyLong_FromLong(peer.family));
        arguments.add(to_hostaddr(peer));
    });
}

sfsistat text(SMFICTX *context, Step step, const char *argument) {
    const auto note = [&](const Service &service, Connection &connection) {
        return step == Step::helo ? note_helo(service, connection, argument) : SMFIS_CONTINUE;
    };
    const auto fill = [&](Arguments &arguments, TextMode mode) { add_text(arguments, argument, mode); };
    return run_step(context, step, note, fill);
}

sfsistat envelope(SMFICTX *context, Step step, char **list) {
    const bool is_recipient = step == Step::envrcpt;
    const auto note = [&](const Service &service, Connection &connection) {
        return is_recipient ? note_recipient(service, connection, context, list)
                            : note_sender(service, connection, list);
    };
    const sfsistat status = run_step(context, step, note, [&](Arguments &arguments, TextMode mode) {
        for (char **argument = list; *argument != nullptr; ++argument) {
            add_text(arguments, *argument, mode);
        }
    });
    if (is_recipient && (status == SMFIS_REJECT || status == SMFIS_TEMPFAIL)) {
        forget_recipient(Connection::find(context));
    }
    return status;
}

sfsistat plain(SMFICTX *context, Step step) {
    return run_step(context, step, note_nothing, [](Arguments &, TextMode) {});
}

sfsistat header(SMFICTX *context, const char *name, const char *value) {
    const auto note = [&](const Service &service, Connection &connection) {
        return note_field(service, connection, name, value);
    };
    return run_step(context, Step::header, note, [&](Arguments &arguments, TextMode mode) {
        add_text(arguments, name, TextMode::surrogateescape);
        add_text(arguments, value, mode);
    });
}

sfsistat body(SMFICTX *context, const unsigned char *chunk, std::size_t size) {
    Counters::add(counters.body_bytes, size);
    const sfsistat status = run(context, Step::body, [&](const Service &service, Connection &connection) {
        const bool is_wanted = connection.plan->has(Step::body) || connection.plan->whole;
        if (!is_wanted || connection.message.skips_body) {
            return nothing_to_say(connection, Step::body);
        }
        if (connection.plan->gather) {
            return gather_chunk(service, connection, chunk, size);
        }
        return invoke_and_answer(service, connection, Step::body, [&](Arguments &arguments, TextMode) {
            arguments.add(to_text(reinterpret_cast<const char *>(chunk), size, TextMode::bytes));
        });
    });
    end_message_after(context, Step::body, status);
    return status;
}

sfsistat eom(SMFICTX *context) {
    sfsistat status = run(context, Step::eom, [](const Service &service, Connection &connection) {
        const sfsistat verdict = hand_over_rest(service, connection);
        if (verdict != SMFIS_CONTINUE) {
            return verdict;
        }
        if (!look_for_new_handler(service, connection, Step::eom)) {
            return fail(connection, Step::eom, service.handlers().exception_policy());
        }
        if (!connection.plan->has(Step::eom)) {
            return verdict;
        }
        return invoke_and_answer(service, connection, Step::eom, [](Arguments &, TextMode) {});
    });
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return status;
    }
    if (status == SMFIS_CONTINUE || status == SMFIS_ACCEPT) {
        if (!connection->flush_edits()) {
            warn(*Service::registered(), *connection, Step::eom,
                 "an edit did not reach the MTA, the answer is TEMPFAIL");
            status = SMFIS_TEMPFAIL;
        }
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
    if (Rehearsal::is_own_abort(context)) {
        return SMFIS_CONTINUE;  // it says nothing: the message goes on, or the next callback ends it
    }
    connection->socket.acknowledge();  // abort has no answer that could carry the acknowledgement
    leave_message(*connection);
    return SMFIS_CONTINUE;
}

sfsistat close(SMFICTX *context) {
    Connection *const connection = Connection::find(context);
    if (connection == nullptr) {
        return SMFIS_CONTINUE;
    }
    leave_message(*connection);
    connection->seat.clear();
    Service &service = *Service::registered();
    look_for_new_handler(service, *connection, Step::close);
    const Attach attach(connection);
    if (attach) {
        run_unheard(*connection, service, Step::close);
        if (service.report().logs_connections()) {
            connection->enter(Step::close);
            service.report().log_text(LogLevel::debug, Step::close, "the connection is closed");
            connection->leave();
        }
        Connection::close(context);
        Attach::set_connection(nullptr);
    }
    return SMFIS_CONTINUE;
}

}  // namespace pymilter::dispatch
