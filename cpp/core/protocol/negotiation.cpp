// What a filter wants and an MTA offers, and what both agree on. Pure; any thread.
#include "core/protocol/negotiation.hpp"

namespace pymilter {

namespace {

bool is_sent(std::uint32_t protocol, Step step) { return (protocol & traits(step).not_sent) == 0; }

// Has a step sent that nobody handles, unanswered if the MTA offers that.
void send_all_the_same(std::uint32_t &protocol, std::uint32_t offered, Step step) {
    if (!is_sent(protocol, step)) {
        protocol = (protocol & ~traits(step).not_sent) | (traits(step).no_reply & offered);
    }
}

}  // namespace

Options agree(Options wanted, Options offered, Transport transport) noexcept {
    std::uint32_t protocol = wanted.protocol & offered.protocol;
    // Postfix writes the macros of DATA by themselves when it is not to send DATA, and no callback tells us of macros.
    // After an unknown command libmilter takes no header before DATA.
    if (transport != Transport::local || is_sent(protocol, Step::unknown)) {
        send_all_the_same(protocol, offered.protocol, Step::data);
    }
    // After DATA libmilter takes a body only once the headers have come or ended, and a message may have none.
    if (is_sent(protocol, Step::data) && is_sent(protocol, Step::header)) {
        send_all_the_same(protocol, offered.protocol, Step::eoh);
    }
    if (transport == Transport::plain_tcp) {
        protocol &= ~all_no_reply_bits;
    }
    return {wanted.actions & offered.actions, protocol};
}

}  // namespace pymilter
