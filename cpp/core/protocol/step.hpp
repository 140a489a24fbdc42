// The callbacks of libmilter as a type, with the protocol bits that belong to each. No state; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/protocol/libmilter.hpp"

namespace pymilter {

// One value for each xxfi_ callback; `idle` stands for the time between two of them.
enum class Step : std::uint8_t {
    idle,
    negotiate,
    connect,
    helo,
    envfrom,
    envrcpt,
    data,
    unknown,
    header,
    eoh,
    body,
    eom,
    abort,
    close,
};

constexpr std::size_t step_count = 14;

struct StepTraits {
    const char *name;        // the name of the handler in Python
    std::uint32_t not_sent;  // SMFIP_NO*: the MTA does not send it
    std::uint32_t no_reply;  // SMFIP_NR_*: the filter does not answer it
    int macro_stage;         // SMFIM_*: the stage of its macros, or no_macros
    bool has_text;           // its handler gets text, which a class may want decoded in some way
    int state;               // the number of the state in which libmilter calls the callback
};

constexpr int no_macros = -1;

constexpr std::array<StepTraits, step_count> step_traits{{
    {"(between callbacks)", 0, 0, no_macros, false, 0},
    {"negotiate", 0, 0, no_macros, false, 1},
    {"connect", SMFIP_NOCONNECT, SMFIP_NR_CONN, SMFIM_CONNECT, true, 2},
    {"hello", SMFIP_NOHELO, SMFIP_NR_HELO, SMFIM_HELO, true, 3},
    {"envfrom", SMFIP_NOMAIL, SMFIP_NR_MAIL, SMFIM_ENVFROM, true, 4},
    {"envrcpt", SMFIP_NORCPT, SMFIP_NR_RCPT, SMFIM_ENVRCPT, true, 5},
    {"data", SMFIP_NODATA, SMFIP_NR_DATA, SMFIM_DATA, false, 6},
    {"unknown", SMFIP_NOUNKNOWN, SMFIP_NR_UNKN, no_macros, true, 13},
    {"header", SMFIP_NOHDRS, SMFIP_NR_HDR, no_macros, true, 7},
    {"eoh", SMFIP_NOEOH, SMFIP_NR_EOH, SMFIM_EOH, false, 8},
    {"body", SMFIP_NOBODY, SMFIP_NR_BODY, no_macros, false, 9},
    {"eom", 0, 0, SMFIM_EOM, false, 10},
    {"abort", 0, 0, no_macros, false, 12},
    {"close", 0, 0, no_macros, false, 11},
}};

constexpr const StepTraits &traits(Step step) { return step_traits[static_cast<std::size_t>(step)]; }

// The bit of a step in a set of steps.
constexpr std::uint32_t bit(Step step) { return 1U << static_cast<unsigned>(step); }

// Steps of the connection and not of one message.
constexpr bool is_connection_step(Step step) {
    return step == Step::negotiate || step == Step::connect || step == Step::helo;
}

// Steps of a message. An unknown command may come at any time.
constexpr bool is_message_step(Step step) { return !is_connection_step(step) && step != Step::unknown; }

constexpr std::uint32_t all_no_reply_bits = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT |
                                            SMFIP_NR_DATA | SMFIP_NR_UNKN | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;

}  // namespace pymilter
