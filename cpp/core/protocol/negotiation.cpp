// What a filter wants, what an MTA offers, and what both agree on. Pure; any thread.
#include "core/protocol/negotiation.hpp"

namespace pymilter {

namespace {

bool is_sent(std::uint32_t protocol, Step step) { return (protocol & traits(step).not_sent) == 0; }

// Asks for a step that nobody handles, as no-reply if the MTA offers that.
void send_all_the_same(std::uint32_t &protocol, std::uint32_t offered, Step step) {
    if (!is_sent(protocol, step)) {
        protocol = (protocol & ~traits(step).not_sent) | (traits(step).no_reply & offered);
    }
}

}  // namespace

Options agree(Options wanted, Options offered, Transport transport) noexcept {
    std::uint32_t protocol = wanted.protocol & offered.protocol;
    // If Postfix does not send DATA, it writes the macros of DATA alone, and no callback is called for macros.
    // After an unknown command libmilter accepts no header before DATA.
    if (transport != Transport::local || is_sent(protocol, Step::unknown)) {
        send_all_the_same(protocol, offered.protocol, Step::data);
    }
    // After DATA libmilter accepts a body only after a header or EOH, and a message may have no headers.
    if (is_sent(protocol, Step::data) && is_sent(protocol, Step::header)) {
        send_all_the_same(protocol, offered.protocol, Step::eoh);
    }
    if (transport == Transport::plain_tcp) {
        protocol &= ~all_no_reply_bits;
    }
    return {wanted.actions & offered.actions, protocol};
}

}  // namespace pymilter
