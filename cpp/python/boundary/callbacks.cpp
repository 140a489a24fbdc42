// The extern "C" functions that libmilter calls, each in a thread of libmilter and without the GIL.
#include "python/boundary/callbacks.hpp"

#include "core/process/counters.hpp"
#include "core/process/rehearsal.hpp"
#include "python/boundary/dispatch.hpp"

namespace pymilter {

namespace {

// Counts a callback and the answer that `work()` returns.
template <typename Work>
sfsistat answered(SMFICTX *context, Step step, Work &&work) {
    if (Rehearsal::is_on()) {
        return Rehearsal::note(context, step);
    }
    const sfsistat status = work();
    counters.count_callback(step);
    counters.count_answer(step, status);
    return status;
}

extern "C" {

sfsistat xxfi_negotiate(SMFICTX *context, unsigned long actions, unsigned long protocol, unsigned long, unsigned long,
                        unsigned long *agreed_actions, unsigned long *agreed_protocol, unsigned long *f2,
                        unsigned long *f3) {
    *f2 = 0;
    *f3 = 0;
    const Options offered{static_cast<std::uint32_t>(actions), static_cast<std::uint32_t>(protocol)};
    Options agreed = Rehearsal::agreed();
    const sfsistat status = answered(context, Step::negotiate, [&] {
        agreed = {};
        return dispatch::negotiate(context, offered, agreed);
    });
    *agreed_actions = agreed.actions;
    *agreed_protocol = agreed.protocol;
    return status;
}

sfsistat xxfi_connect(SMFICTX *context, char *hostname, sockaddr *address) {
    return answered(context, Step::connect, [&] { return dispatch::connect(context, hostname, address); });
}

sfsistat xxfi_helo(SMFICTX *context, char *hostname) {
    return answered(context, Step::helo, [&] { return dispatch::helo(context, hostname); });
}

sfsistat xxfi_envfrom(SMFICTX *context, char **arguments) {
    return answered(context, Step::envfrom, [&] { return dispatch::envfrom(context, arguments); });
}

sfsistat xxfi_envrcpt(SMFICTX *context, char **arguments) {
    return answered(context, Step::envrcpt, [&] { return dispatch::envrcpt(context, arguments); });
}

sfsistat xxfi_data(SMFICTX *context) {
    return answered(context, Step::data, [&] { return dispatch::data(context); });
}

sfsistat xxfi_unknown(SMFICTX *context, const char *command) {
    return answered(context, Step::unknown, [&] { return dispatch::unknown(context, command); });
}

sfsistat xxfi_header(SMFICTX *context, char *name, char *value) {
    return answered(context, Step::header, [&] { return dispatch::header(context, name, value); });
}

sfsistat xxfi_eoh(SMFICTX *context) {
    return answered(context, Step::eoh, [&] { return dispatch::eoh(context); });
}

sfsistat xxfi_body(SMFICTX *context, unsigned char *chunk, size_t size) {
    return answered(context, Step::body, [&] { return dispatch::body(context, chunk, size); });
}

sfsistat xxfi_eom(SMFICTX *context) {
    return answered(context, Step::eom, [&] { return dispatch::eom(context); });
}

sfsistat xxfi_abort(SMFICTX *context) {
    return answered(context, Step::abort, [&] { return dispatch::abort(context); });
}

sfsistat xxfi_close(SMFICTX *context) {
    return answered(context, Step::close, [&] { return dispatch::close(context); });
}

}  // extern "C"

}  // namespace

smfiDesc describe_callbacks() noexcept {
    smfiDesc description{};
    description.xxfi_version = SMFI_VERSION;
    description.xxfi_connect = xxfi_connect;
    description.xxfi_helo = xxfi_helo;
    description.xxfi_envfrom = xxfi_envfrom;
    description.xxfi_envrcpt = xxfi_envrcpt;
    description.xxfi_header = xxfi_header;
    description.xxfi_eoh = xxfi_eoh;
    description.xxfi_body = xxfi_body;
    description.xxfi_eom = xxfi_eom;
    description.xxfi_abort = xxfi_abort;
    description.xxfi_close = xxfi_close;
    description.xxfi_unknown = xxfi_unknown;
    description.xxfi_data = xxfi_data;
    description.xxfi_negotiate = xxfi_negotiate;
    return description;
}

}  // namespace pymilter
