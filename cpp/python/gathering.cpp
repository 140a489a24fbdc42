// Bodies that are gathered before Python gets them. Called without the GIL.
#include "python/gathering.hpp"

#include <stdexcept>
#include <string>

#include "python/invoke.hpp"

namespace pymilter {

namespace {

// Adds what was gathered to the arguments of the handler.
auto gathered(Connection &connection) {
    return
        [&](Arguments &arguments, TextMode) { arguments.add(connection.body.take(connection.plan->gather->as_view)); };
}

}  // namespace

sfsistat gather_chunk(const Filter &filter, Connection &connection, const unsigned char *chunk, std::size_t size) {
    const Gather &wanted = *connection.plan->gather;
    try {
        if (!connection.body.buffer.append(chunk, size, wanted.limits)) {
            const ReplyText &reply = wanted.exceeded.text;
            warn(filter, connection, Step::body,
                 "the body has more than " + std::to_string(wanted.limits.most) + " bytes, the answer is " +
                     reply.code + (reply.xcode.empty() ? "" : ' ' + reply.xcode));
            return give_or_keep(connection, Step::body, wanted.exceeded);
        }
    } catch (const std::exception &error) {
        const std::string reason = error.what();
        if (const Attach attach(&connection); attach) {
            connection.enter(Step::body);
            guarded(filter, Step::body, [&] { throw std::runtime_error(reason); });
            connection.leave();
        }
        connection.body.buffer.clear();
        return fail(connection, Step::body, filter.exception_policy());
    }
    if (wanted.piece == 0 || connection.body.buffer.size() < wanted.piece) {
        return nothing_to_say(connection, Step::body);
    }
    return invoke_and_answer(filter, connection, Step::body, gathered(connection));
}

sfsistat hand_over_rest(const Filter &filter, Connection &connection) {
    const Plan &plan = *connection.plan;
    const bool has_rest = plan.gather && plan.has(Step::body) && !connection.skips_body &&
                          (plan.gathers_whole() || connection.body.buffer.size() > 0);
    if (!has_rest) {
        return SMFIS_CONTINUE;
    }
    const auto status = invoke(filter, connection, Step::body, !plan.is_mute(Step::body), gathered(connection));
    if (!status) {
        return fail(connection, Step::eom, filter.exception_policy());
    }
    return is_verdict(*status) && *status != SMFIS_SKIP ? *status : SMFIS_CONTINUE;
}

}  // namespace pymilter
