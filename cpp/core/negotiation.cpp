// What a filter wants and an MTA offers, and what both agree on. Pure; any thread.
#include "core/negotiation.hpp"

namespace pymilter {

Options agree(Options wanted, Options offered, bool mute_is_safe) noexcept {
    Options agreed{wanted.actions & offered.actions, wanted.protocol & offered.protocol};
    if (!mute_is_safe) {
        agreed.protocol &= ~all_mute_bits;
    }
    return agreed;
}

}  // namespace pymilter
