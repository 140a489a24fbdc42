// Counts of what this process has done, kept without the GIL. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/protocol/negotiation.hpp"
#include "core/protocol/step.hpp"

namespace pymilter {

constexpr std::size_t status_count = 11;  // SMFIS_CONTINUE to SMFIS_ALL_OPTS
constexpr std::size_t transport_count = 3;
// Edits, by the smfi_ call that makes them.
constexpr std::array<std::string_view, 8> edit_names{"addheader", "insheader", "chgheader",   "addrcpt",
                                                     "delrcpt",   "chgfrom",   "replacebody", "quarantine"};

struct Counters {
    using Count = std::atomic<std::uint64_t>;

    Count connections_opened{0};
    Count connections_closed{0};
    Count connections_freed{0};  // after they were closed and nothing refers to the Context any more
    Count body_bytes{0};         // in body callbacks
    Count failures{0};           // handlers that raised, or returned something that is no status
    std::array<Count, step_count> callbacks{};
    std::array<std::array<Count, status_count>, step_count> answers{};
    std::array<Count, transport_count> transports{};  // connections, by Transport
    std::array<Count, edit_names.size()> edits{};     // by edit_names

    void count_callback(Step step) noexcept { add(callbacks[static_cast<std::size_t>(step)]); }
    void count_answer(Step step, int status) noexcept {
        if (status >= 0 && static_cast<std::size_t>(status) < status_count) {
            add(answers[static_cast<std::size_t>(step)][static_cast<std::size_t>(status)]);
        }
    }
    void count_edit(std::string_view name) noexcept {
        for (std::size_t index = 0; index < edit_names.size(); ++index) {
            if (edit_names[index] == name) {
                add(edits[index]);
            }
        }
    }
    void count_transport(Transport transport) noexcept { add(transports[static_cast<std::size_t>(transport)]); }

    static void add(Count &count, std::uint64_t number = 1) noexcept {
        count.fetch_add(number, std::memory_order_relaxed);
    }
};

// The counters of this process.
inline Counters counters;

}  // namespace pymilter
