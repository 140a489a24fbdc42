// What a filter wants, what an MTA offers, and what both agree on. Pure; any thread.
#pragma once

#include <cstdint>

#include "core/protocol/step.hpp"

namespace pymilter {

struct Options {
    std::uint32_t actions = 0;   // SMFIF_*
    std::uint32_t protocol = 0;  // SMFIP_*

    bool has_action(std::uint32_t action) const { return (actions & action) == action; }
    bool is_no_reply(Step step) const { return (protocol & traits(step).no_reply) != 0; }
    bool can_skip() const { return (protocol & SMFIP_SKIP) != 0; }
};

// What no-reply steps do on a connection. Over TCP the second small write of the MTA waits for the acknowledgement of
// the first (Nagle), which the kernel delays by 40 ms unless each callback tells the socket otherwise.
enum class Transport {
    local,             // a unix socket, without such delays
    acknowledged_tcp,  // each callback tells the socket
    plain_tcp,         // we cannot tell it, so each step is answered
};

// The options of the protocol that a handler for `step` decides: its own, and for `unknown` those of DATA as well,
// because libmilter accepts no header after an unknown command unless DATA is sent.
constexpr std::uint32_t bits_decided_by(Step step) {
    const std::uint32_t own = traits(step).not_sent | traits(step).no_reply;
    return step == Step::unknown ? own | traits(Step::data).not_sent | traits(Step::data).no_reply : own;
}

// Asks for no more than is offered, because libmilter ends the session otherwise.
Options agree(Options wanted, Options offered, Transport transport) noexcept;

}  // namespace pymilter
