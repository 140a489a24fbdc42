// Negotiation, the peer in words, addresses, and the counts.
#include <arpa/inet.h>
#include <sys/un.h>

#include <cstring>

#include "case.hpp"
#include "core/process/counters.hpp"
#include "core/process/traffic.hpp"
#include "core/protocol/answer.hpp"
#include "core/protocol/negotiation.hpp"
#include "core/protocol/peer_text.hpp"
#include "core/protocol/socket_address.hpp"

using namespace pymilter;

namespace {

constexpr std::uint32_t everything = ~0U;
constexpr std::uint32_t all_sent_no_reply = all_no_reply_bits;

std::uint32_t agreed(std::uint32_t wanted, std::uint32_t offered, Transport transport) {
    return agree({0, wanted}, {0, offered}, transport).protocol;
}

template <typename Address>
SocketAddress read(const Address &address) {
    // As libmilter lends it: not aligned, and gone soon.
    const sockaddr_storage copy = copy_address(reinterpret_cast<const sockaddr *>(&address));
    return to_socket_address(reinterpret_cast<const sockaddr *>(&copy));
}

sockaddr_in inet(const char *ip, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, ip, &address.sin_addr);
    return address;
}

}  // namespace

CASE(no_more_is_agreed_than_is_wanted_and_offered) {
    const Options both = agree({0b1100, 0b011}, {0b0110, 0b110}, Transport::local);
    EQUAL(both.actions, 0b0100U);
    EQUAL(both.protocol, 0b010U);
    HOLDS(both.has_action(0b0100));
    HOLDS(!both.has_action(0b0110));
    HOLDS(!both.is_no_reply(Step::connect));
    HOLDS((Options{0, SMFIP_NR_HDR}.is_no_reply(Step::header)));
    HOLDS((Options{0, SMFIP_SKIP}.can_skip()));
    HOLDS((!Options{0, everything - SMFIP_SKIP}.can_skip()));
}

CASE(data_is_sent_where_it_is_needed) {
    // On a unix socket without `unknown`, it may be left out, and so may EOH.
    constexpr std::uint32_t neither = SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOEOH;
    EQUAL(agreed(neither, everything, Transport::local), neither);
    // Over TCP Postfix would write the macros of DATA alone. After DATA libmilter
    // wants a header or EOH.
    EQUAL(agreed(neither, everything, Transport::acknowledged_tcp), SMFIP_NR_DATA | SMFIP_NOUNKNOWN | SMFIP_NR_EOH);
    EQUAL(agreed(neither, ~SMFIP_NR_DATA, Transport::acknowledged_tcp), SMFIP_NOUNKNOWN | SMFIP_NR_EOH);
    EQUAL(agreed(neither, ~SMFIP_NR_EOH, Transport::acknowledged_tcp), SMFIP_NR_DATA | SMFIP_NOUNKNOWN);
    EQUAL(agreed(neither | SMFIP_NOHDRS, everything, Transport::acknowledged_tcp),
          SMFIP_NR_DATA | SMFIP_NOUNKNOWN | SMFIP_NOEOH | SMFIP_NOHDRS);
    // After an unknown command libmilter accepts no header before DATA.
    EQUAL(agreed(SMFIP_NODATA | SMFIP_NOEOH, everything, Transport::local), SMFIP_NR_DATA | SMFIP_NR_EOH);
    // What is sent and answered stays so.
    EQUAL(agreed(0, everything, Transport::acknowledged_tcp), 0U);
    EQUAL(agreed(SMFIP_NOEOH | SMFIP_NOUNKNOWN, everything, Transport::local), SMFIP_NOUNKNOWN | SMFIP_NR_EOH);
}

CASE(over_plain_tcp_each_step_is_answered) {
    EQUAL(agreed(all_sent_no_reply, everything, Transport::plain_tcp), 0U);
    EQUAL(agreed(SMFIP_NODATA | SMFIP_SKIP, everything, Transport::plain_tcp), SMFIP_SKIP);
    EQUAL(agreed(all_sent_no_reply, everything, Transport::acknowledged_tcp), all_sent_no_reply);
}

CASE(an_unknown_handler_decides_on_data_too) {
    EQUAL(bits_decided_by(Step::unknown), SMFIP_NOUNKNOWN | SMFIP_NR_UNKN | SMFIP_NODATA | SMFIP_NR_DATA);
    EQUAL(bits_decided_by(Step::data), SMFIP_NODATA | SMFIP_NR_DATA);
    EQUAL(bits_decided_by(Step::header), SMFIP_NOHDRS | SMFIP_NR_HDR);
}

CASE(steps_belong_to_the_connection_or_to_a_message) {
    for (int number = 0; number < static_cast<int>(step_count); ++number) {
        const auto step = static_cast<Step>(number);
        EQUAL(is_connection_step(step), (step == Step::negotiate || step == Step::connect || step == Step::helo));
        EQUAL(is_message_step(step), (!is_connection_step(step) && step != Step::unknown));
    }
    EQUAL(bit(Step::idle), 1U);
    EQUAL(bit(Step::helo), 8U);
    EQUAL(all_no_reply_bits, SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA |
                                 SMFIP_NR_UNKN | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY);
}

CASE(a_verdict_is_every_status_but_two) {
    for (const int status : {SMFIS_REJECT, SMFIS_DISCARD, SMFIS_ACCEPT, SMFIS_TEMPFAIL, SMFIS_SKIP}) {
        HOLDS(is_verdict(status));
    }
    HOLDS(!is_verdict(SMFIS_CONTINUE));
    HOLDS(!is_verdict(SMFIS_NOREPLY));
}

CASE(the_peer_in_words) {
    const SocketAddress ip{AF_INET, "192.0.2.1", 25, 0, 0};
    EQUAL(peer_text("mx.example", ip), "mx.example[192.0.2.1]");
    EQUAL(peer_text("unknown", ip), "192.0.2.1");
    EQUAL(peer_text("[192.0.2.1]", ip), "192.0.2.1");
    EQUAL(peer_text("", ip), "192.0.2.1");
    EQUAL(peer_text(nullptr, ip), "192.0.2.1");
    EQUAL(peer_text("mx.example", {}), "mx.example");
    EQUAL(peer_text(nullptr, {}), "");
    EQUAL(peer_text("localhost", {AF_UNIX, "/run/smtp", 0, 0, 0}), "unix:/run/smtp");
    EQUAL(peer_text(std::string(300, 'n').c_str(), ip), std::string(255, 'n') + "[192.0.2.1]");
}

CASE(the_peer_of_macros_in_words) {
    EQUAL(peer_text_of_macros("mx.example", "192.0.2.1", "other [192.0.2.9]"), "mx.example[192.0.2.1]");
    EQUAL(peer_text_of_macros("mx.example", "IPv6:2001:db8::1", nullptr), "mx.example[2001:db8::1]");
    EQUAL(peer_text_of_macros("mx.example", "2001:db8::1", nullptr), "mx.example[2001:db8::1]");
    EQUAL(peer_text_of_macros(nullptr, "192.0.2.1", nullptr), "192.0.2.1");
    EQUAL(peer_text_of_macros("unknown", "192.0.2.1", nullptr), "192.0.2.1");
    EQUAL(peer_text_of_macros("mx.example", "unknown", nullptr), "mx.example");
    EQUAL(peer_text_of_macros("localhost", "/run/smtp", nullptr), "unix:/run/smtp");
    EQUAL(peer_text_of_macros("mx.example", ("/" + std::string(300, 'p')).c_str(), nullptr),
          "unix:/" + std::string(254, 'p'));
    EQUAL(peer_text_of_macros("unknown", "unknown", "mx.example [192.0.2.9]"), "mx.example[192.0.2.9]");
    EQUAL(peer_text_of_macros("mx.example", nullptr, nullptr), "");
    EQUAL(peer_text_of_macros(nullptr, nullptr, nullptr), "");
}

CASE(the_peer_of_the_macro_underscore_in_words) {
    const auto words = [](const char *text) { return peer_text_of_macros(nullptr, nullptr, text); };
    EQUAL(words("mx.example [192.0.2.1]"), "mx.example[192.0.2.1]");
    EQUAL(words("ident@mx.example  [192.0.2.1]"), "mx.example[192.0.2.1]");
    EQUAL(words("a@b@mx.example [192.0.2.1]"), "mx.example[192.0.2.1]");
    EQUAL(words("[192.0.2.1]"), "192.0.2.1");
    EQUAL(words("mx.example [192.0.2.1] (may be forged)"), "192.0.2.1");
    EQUAL(words("forged.example [192.0.2.1]"), "forged.example[192.0.2.1]");
    EQUAL(words("[x] mx.example [IPv6:2001:db8::1]"), "2001:db8::1");
    EQUAL(words("mx.example [192.0.2.1"), "mx.example[192.0.2.1]");
    EQUAL(words("root@localhost"), "localhost");
    EQUAL(words("localhost"), "localhost");
    EQUAL(words("   "), "");
    EQUAL(words(""), "");
}

CASE(addresses_of_each_family) {
    const SocketAddress four = read(inet("192.0.2.1", 2525));
    EQUAL(four.family, AF_INET);
    EQUAL(four.text, "192.0.2.1");
    EQUAL(four.port, 2525);
    sockaddr_in6 inet6{};
    inet6.sin6_family = AF_INET6;
    inet6.sin6_port = htons(2526);
    inet6.sin6_flowinfo = htonl(7);
    inet6.sin6_scope_id = 3;
    ::inet_pton(AF_INET6, "2001:db8::1", &inet6.sin6_addr);
    const SocketAddress six = read(inet6);
    EQUAL(six.family, AF_INET6);
    EQUAL(six.text, "2001:db8::1");
    EQUAL(six.port, 2526);
    EQUAL(six.flowinfo, 7U);
    EQUAL(six.scope_id, 3U);
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    std::memset(local.sun_path, 'p', sizeof local.sun_path);
    EQUAL(read(local).text, std::string(sizeof local.sun_path, 'p'));
    EQUAL(read(local).family, AF_UNIX);
    std::strcpy(local.sun_path, "/run/smtp");
    EQUAL(read(local).text, "/run/smtp");
    EQUAL(read(local).port, 0);
    sockaddr strange{};
    strange.sa_family = 77;
    std::memset(strange.sa_data, 'x', sizeof strange.sa_data);
    EQUAL(read(strange).family, 77);
    EQUAL(read(strange).text, "");
    EQUAL(to_socket_address(nullptr).family, AF_UNSPEC);
    EQUAL(copy_address(nullptr).ss_family, AF_UNSPEC);
}

CASE(counts_of_what_was_done) {
    Counters own;
    own.count_callback(Step::helo);
    own.count_answer(Step::helo, SMFIS_REJECT);
    own.count_answer(Step::helo, SMFIS_CONTINUE);
    own.count_answer(Step::helo, -1);
    own.count_answer(Step::helo, SMFIS_ALL_OPTS);
    own.count_answer(Step::helo, SMFIS_ALL_OPTS + 1);
    own.count_edit("addrcpt");
    own.count_edit("nothing");
    own.count_transport(Transport::plain_tcp);
    Counters::add(own.body_bytes, 7);
    EQUAL(own.callbacks[3], 1U);
    std::uint64_t answers = 0;
    for (const auto &steps : own.answers) {
        for (const auto &count : steps) {
            answers += count;
        }
    }
    EQUAL(answers, 3U);
    EQUAL(own.answers[3][SMFIS_REJECT], 1U);
    EQUAL(own.answers[3][SMFIS_ALL_OPTS], 1U);
    EQUAL(own.edits[3], 1U);
    EQUAL(own.edits[0] + own.edits[7], 0U);
    EQUAL(own.transports[2], 1U);
    EQUAL(own.body_bytes, 7U);
}

CASE(messages_in_progress_and_those_that_come_too_late) {
    MessageMark first;
    HOLDS(!first.is_set());
    HOLDS(first.set());
    HOLDS(first.set());  // counted once
    HOLDS(first.is_set());
    EQUAL(traffic.under_way(), 1);
    HOLDS(!traffic.close_when_empty());
    {
        MessageMark second;
        HOLDS(second.set());
        EQUAL(traffic.under_way(), 2);
    }
    EQUAL(traffic.under_way(), 1);
    traffic.close();
    traffic.close();
    EQUAL(traffic.under_way(), 1);
    MessageMark late;
    HOLDS(!late.set());
    HOLDS(!late.is_set());
    HOLDS(!late.set());
    EQUAL(traffic.late(), 1);
    EQUAL(traffic.under_way(), 1);
    HOLDS(!traffic.close_when_empty());
    late.clear();
    late.clear();
    EQUAL(traffic.late(), 0);
    first.clear();
    first.clear();
    EQUAL(traffic.under_way(), 0);
    HOLDS(traffic.close_when_empty());  // it is closed already
    HOLDS(!first.set());
}

CASE(no_message_begins_after_it_was_closed_when_empty) {
    HOLDS(traffic.close_when_empty());
    MessageMark mark;
    HOLDS(!mark.set());
}
