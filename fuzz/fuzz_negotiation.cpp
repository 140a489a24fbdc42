// Fuzzes the negotiation: what is agreed is never more than is offered, and no more silent than is safe.
#include "core/negotiation.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using fuzz::expect;
    using pymilter::Transport;
    fuzz::Input input(data, size);
    const pymilter::Options wanted{input.number<std::uint32_t>(), input.number<std::uint32_t>()};
    const pymilter::Options offered{input.number<std::uint32_t>(), input.number<std::uint32_t>()};
    constexpr Transport transports[]{Transport::local, Transport::acknowledged_tcp, Transport::plain_tcp};
    const Transport transport = transports[input.number<std::uint8_t>() % 3];
    const pymilter::Options agreed = pymilter::agree(wanted, offered, transport);

    const pymilter::Options both{wanted.actions & offered.actions, wanted.protocol & offered.protocol};
    expect(agreed.actions == both.actions);
    expect((agreed.protocol & ~offered.protocol) == 0);
    // Steps may be asked for that nobody wants, and one of them left unanswered; nothing else is added.
    expect((agreed.protocol & ~both.protocol & ~std::uint32_t{SMFIP_NR_DATA}) == 0);
    expect(transport != Transport::local || agreed.protocol == both.protocol);
    for (std::size_t index = 0; index < pymilter::step_count; ++index) {
        const auto step = static_cast<pymilter::Step>(index);
        if (step == pymilter::Step::data) {
            continue;
        }
        const auto &traits = pymilter::traits(step);
        expect((agreed.protocol & traits.skip) == (both.protocol & traits.skip));
        expect(agreed.is_mute(step) == (transport != Transport::plain_tcp && both.is_mute(step)));
    }
    expect(agreed.can_skip() == both.can_skip());
    return 0;
}
