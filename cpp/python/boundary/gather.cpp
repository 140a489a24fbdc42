// What is gathered of a message before Python gets it: the body, and for some filters all of it. Called without the
// GIL.
#include "python/boundary/gather.hpp"

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "python/boundary/fill.hpp"
#include "python/boundary/invoke.hpp"
#include "python/connection/received.hpp"

namespace pymilter {

namespace {

std::string in_words(const ReplyText &reply) {
    return "the answer is " + reply.code + (reply.xcode.empty() ? "" : ' ' + reply.xcode);
}

// Gathering has failed: there is no memory, or no room on the disk.
sfsistat fail_to_gather(const Service &service, Connection &connection, Step step, const std::exception &error) {
    const std::string reason = error.what();
    if (const Attach attach(&connection); attach) {
        connection.enter(step);
        guarded(service.report(), step, [&] { throw std::runtime_error(reason); });
        connection.leave();
    }
    connection.gathered.body.buffer.clear();
    return answer_failure(connection, step, service.handlers().exception_policy());
}

template <typename Work>
sfsistat note(const Service &service, Connection &connection, Step step, Work &&work) {
    try {
        work();
        return SMFIS_CONTINUE;
    } catch (const std::exception &error) {
        return fail_to_gather(service, connection, step, error);
    }
}

// A filter that asks for it is shown recipients that the MTA has refused.
bool is_refused_by_mta(const Connection &connection, SMFICTX *context) {
    if ((connection.options.protocol & SMFIP_RCPT_REJ) == 0) {
        return false;
    }
    std::string name = "{rcpt_mailer}";
    const char *const mailer = ::smfi_getsymval(context, name.data());
    return mailer != nullptr && std::strcmp(mailer, "error") == 0;
}

}  // namespace

sfsistat note_client(const Service &service, Connection &connection, const char *hostname, const sockaddr *address) {
    return note(service, connection, Step::connect, [&] { connection.note_client(hostname, address); });
}

sfsistat note_helo(const Service &service, Connection &connection, const char *name) {
    return note(service, connection, Step::helo, [&] { connection.note_helo(name); });
}

sfsistat note_sender(const Service &service, Connection &connection, char **list) {
    return note(service, connection, Step::envfrom, [&] { gathered_envelope(connection)->set_sender(list); });
}

sfsistat note_recipient(const Service &service, Connection &connection, SMFICTX *context, char **list) {
    return note(service, connection, Step::envrcpt,
                [&] { gathered_envelope(connection)->add_recipient(list, !is_refused_by_mta(connection, context)); });
}

void forget_recipient(Connection *connection) noexcept {
    if (connection != nullptr && connection->gathered.envelope) {
        connection->gathered.envelope->drop_recipient();
    }
}

sfsistat note_field(const Service &service, Connection &connection, const char *name, const char *value) {
    const Whole &wanted = *connection.plan->whole;
    bool fits = true;
    const sfsistat status = note(service, connection, Step::header,
                                 [&] { fits = connection.gathered.header.add(name, value, wanted.header_limit); });
    if (fits) {
        return status;
    }
    warn(service, connection, Step::header,
         "the header has more than " + std::to_string(wanted.header_limit) + " bytes, " +
             in_words(wanted.header_exceeded.text));
    return give_or_keep_answer(connection, Step::header, wanted.header_exceeded);
}

sfsistat gather_chunk(const Service &service, Connection &connection, const unsigned char *chunk, std::size_t size) {
    const Gather &wanted = *connection.plan->gather;
    try {
        if (!connection.gathered.body.buffer.append(chunk, size, wanted.limits)) {
            warn(service, connection, Step::body,
                 "the body has more than " + std::to_string(wanted.limits.most) + " bytes, " +
                     in_words(wanted.exceeded.text));
            return give_or_keep_answer(connection, Step::body, wanted.exceeded);
        }
    } catch (const std::exception &error) {
        return fail_to_gather(service, connection, Step::body, error);
    }
    if (wanted.piece == 0 || connection.gathered.body.buffer.size() < wanted.piece) {
        return nothing_to_say(connection, Step::body);
    }
    return invoke_and_answer(service, connection, Step::body, FillGathered{&connection});
}

sfsistat hand_over_rest(const Service &service, Connection &connection) {
    const Plan &plan = *connection.plan;
    const bool has_rest = plan.gather && plan.has(Step::body) && !connection.message.skips_body &&
                          (plan.gathers_whole() || connection.gathered.body.buffer.size() > 0);
    if (!has_rest) {
        return SMFIS_CONTINUE;
    }
    const auto status =
        invoke(service, connection, Step::body, plan.is_no_reply(Step::body), FillGathered{&connection});
    if (!status) {
        return answer_failure(connection, Step::eom, service.handlers().exception_policy());
    }
    return is_verdict(*status) && *status != SMFIS_SKIP ? *status : SMFIS_CONTINUE;
}

}  // namespace pymilter
