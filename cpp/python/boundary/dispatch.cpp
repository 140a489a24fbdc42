// THE boundary: the one place where a callback of libmilter becomes a call of Python, and its result a status.
#include "python/boundary/dispatch.hpp"

#include "core/process/counters.hpp"
#include "core/process/rehearsal.hpp"
#include "python/boundary/admit.hpp"
#include "python/boundary/begin.hpp"
#include "python/boundary/end.hpp"
#include "python/boundary/fill.hpp"
#include "python/boundary/gather.hpp"
#include "python/boundary/invoke.hpp"
#include "python/boundary/policy.hpp"

namespace pymilter::dispatch {

namespace {

// One callback that may answer, from beginning to end. `work(service, connection)` answers if the callback is admitted.
template <typename Work>
sfsistat run(SMFICTX *context, Step step, Work &&work) {
    Service &service = *Service::registered();
    const Admission admission = admit(service, context, step);
    return admission.connection == nullptr ? admission.answer : work(service, *admission.connection);
}

// A callback whose work is to note the step and to call its handler. `note(service, connection)` returns CONTINUE, or
// the answer if noting has failed. `fill` adds the arguments of the handler.
template <typename Note, typename Fill>
sfsistat run_step(SMFICTX *context, Step step, Note &&note, Fill &&fill) {
    const sfsistat status = run(context, step, [&](const Service &service, Connection &connection) {
        const sfsistat noted = note(service, connection);
        if (noted != SMFIS_CONTINUE) {
            return noted;
        }
        return connection.plan->has(step) ? invoke_and_answer(service, connection, step, fill)
                                          : nothing_to_say(connection, step);
    });
    end_message_after(context, step, status);
    return status;
}

// Notes a step only if the filter gets messages whole: otherwise its handlers get all that it needs.
template <typename Note>
auto if_whole(Note &&note) {
    return [note](const Service &service, Connection &connection) {
        return connection.plan->whole ? note(service, connection) : SMFIS_CONTINUE;
    };
}

sfsistat note_nothing(const Service &, const Connection &) { return SMFIS_CONTINUE; }

}  // namespace

sfsistat negotiate(SMFICTX *context, Options offered, Options &agreed) {
    return begin_connection(*Service::registered(), context, offered, agreed);
}

sfsistat connect(SMFICTX *context, const char *hostname, const sockaddr *address) {
    const auto note = [&](const Service &service, Connection &connection) {
        return note_client(service, connection, hostname, address);
    };
    return run_step(context, Step::connect, note, FillClient{context});
}

sfsistat helo(SMFICTX *context, const char *name) {
    const auto note =
        if_whole([&](const Service &service, Connection &connection) { return note_helo(service, connection, name); });
    return run_step(context, Step::helo, note, FillText{name});
}

sfsistat envfrom(SMFICTX *context, char **list) {
    const auto note = if_whole(
        [&](const Service &service, Connection &connection) { return note_sender(service, connection, list); });
    return run_step(context, Step::envfrom, note, FillEnvelope{list});
}

sfsistat envrcpt(SMFICTX *context, char **list) {
    bool is_noted = false;
    const auto note = if_whole([&](const Service &service, Connection &connection) {
        const sfsistat status = note_recipient(service, connection, context, list);
        is_noted = status == SMFIS_CONTINUE;
        return status;
    });
    const sfsistat status = run_step(context, Step::envrcpt, note, FillEnvelope{list});
    if (is_noted && (status == SMFIS_REJECT || status == SMFIS_TEMPFAIL)) {
        forget_recipient(Connection::find(context));
    }
    return status;
}

sfsistat data(SMFICTX *context) { return run_step(context, Step::data, note_nothing, FillNothing{}); }

sfsistat unknown(SMFICTX *context, const char *command) {
    return run_step(context, Step::unknown, note_nothing, FillText{command});
}

sfsistat header(SMFICTX *context, const char *name, const char *value) {
    const auto note = if_whole(
        [&](const Service &service, Connection &connection) { return note_field(service, connection, name, value); });
    return run_step(context, Step::header, note, FillField{name, value});
}

sfsistat eoh(SMFICTX *context) { return run_step(context, Step::eoh, note_nothing, FillNothing{}); }

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
        return invoke_and_answer(service, connection, Step::body, FillChunk{chunk, size});
    });
    end_message_after(context, Step::body, status);
    return status;
}

sfsistat eom(SMFICTX *context) {
    const sfsistat status = run(context, Step::eom, [](const Service &service, Connection &connection) {
        const sfsistat verdict = hand_over_rest(service, connection);
        if (verdict != SMFIS_CONTINUE) {
            return verdict;
        }
        if (!look_for_new_handler(service, connection, Step::eom)) {
            return answer_failure(connection, Step::eom, service.handlers().exception_policy());
        }
        if (!connection.plan->has(Step::eom)) {
            return verdict;
        }
        return connection.plan->whole ? invoke_and_answer(service, connection, Step::eom, FillWhole{&connection})
                                      : invoke_and_answer(service, connection, Step::eom, FillNothing{});
    });
    Connection *const connection = Connection::find(context);
    return connection == nullptr ? status : end_message_at_eom(*Service::registered(), *connection, status);
}

sfsistat abort(SMFICTX *context) {
    Connection *const connection = Connection::find(context);
    // An abort that libmilter makes up means nothing: the message goes on, or the next callback ends it.
    if (connection != nullptr && !Rehearsal::is_own_abort(context)) {
        connection->socket.acknowledge();  // abort has no answer that could carry the acknowledgement
        leave_message(*Service::registered(), *connection);
    }
    return SMFIS_CONTINUE;
}

sfsistat close(SMFICTX *context) {
    if (Connection::find(context) != nullptr) {
        end_connection(*Service::registered(), context);
    }
    return SMFIS_CONTINUE;
}

}  // namespace pymilter::dispatch
