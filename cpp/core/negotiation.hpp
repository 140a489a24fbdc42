// What a filter wants and an MTA offers, and what both agree on. Pure; any thread.
#pragma once

#include <cstdint>

#include "core/stage.hpp"

namespace pymilter {

struct Options {
    std::uint32_t actions = 0;   // SMFIF_*
    std::uint32_t protocol = 0;  // SMFIP_*

    bool has_action(std::uint32_t action) const { return (actions & action) == action; }
    bool is_mute(Step step) const { return (protocol & traits(step).mute) != 0; }
    bool can_skip() const { return (protocol & SMFIP_SKIP) != 0; }
};

// Asks for no more than is offered, because libmilter ends the session otherwise. `mute_is_safe` is false where an
// unanswered step would stall the MTA (Nagle over TCP): each step is answered then.
Options agree(Options wanted, Options offered, bool mute_is_safe) noexcept;

}  // namespace pymilter
