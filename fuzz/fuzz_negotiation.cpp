// Fuzzes the negotiation: what is agreed is never more than is offered, and no more silent than is safe.
#include "core/protocol/negotiation.hpp"
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
    // DATA and EOH may be asked for although nobody wants them, and left unanswered; nothing else is added.
    constexpr std::uint32_t added = SMFIP_NR_DATA | SMFIP_NR_EOH;
    expect((agreed.protocol & ~both.protocol & ~added) == 0);
    for (std::size_t index = 0; index < pymilter::step_count; ++index) {
        const auto step = static_cast<pymilter::Step>(index);
        const auto &traits = pymilter::traits(step);
        const bool is_left_out = (agreed.protocol & traits.not_sent) != 0;
        expect(!is_left_out || (both.protocol & traits.not_sent) != 0);
        expect(transport != Transport::plain_tcp || !agreed.is_no_reply(step));
        if (step != pymilter::Step::data && step != pymilter::Step::eoh) {
            expect(is_left_out == ((both.protocol & traits.not_sent) != 0));
            expect(agreed.is_no_reply(step) == (transport != Transport::plain_tcp && both.is_no_reply(step)));
        }
    }
    const auto is_sent = [&](std::uint32_t bit) { return (agreed.protocol & bit) == 0; };
    expect(!is_sent(SMFIP_NODATA) || !is_sent(SMFIP_NOHDRS) || is_sent(SMFIP_NOEOH));
    expect(!is_sent(SMFIP_NOUNKNOWN) || is_sent(SMFIP_NODATA));
    expect(transport == Transport::local || is_sent(SMFIP_NODATA));
    expect(agreed.can_skip() == both.can_skip());
    return 0;
}
