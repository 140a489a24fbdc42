// What a filter wants and an MTA offers, and what both agree on. Pure; any thread.
#include "core/negotiation.hpp"

namespace pymilter {

Options agree(Options wanted, Options offered, Transport transport) noexcept {
    Options agreed{wanted.actions & offered.actions, wanted.protocol & offered.protocol};
    if (transport == Transport::local) {
        return agreed;
    }
    // Postfix writes the macros of DATA by themselves when it is not to send DATA, and no callback tells us of macros.
    const bool left_out_data = (agreed.protocol & SMFIP_NODATA) != 0;
    agreed.protocol &= ~std::uint32_t{SMFIP_NODATA};
    if (transport == Transport::plain_tcp) {
        agreed.protocol &= ~all_mute_bits;
    } else if (left_out_data) {
        agreed.protocol |= offered.protocol & SMFIP_NR_DATA;
    }
    return agreed;
}

}  // namespace pymilter
