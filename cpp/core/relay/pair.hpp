// A relayed connection: what either side sends is noted, and reaches the other byte for byte. One thread, never with
// the GIL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/relay/eager_poll.hpp"
#include "core/relay/journal.hpp"
#include "core/relay/stream.hpp"

namespace pymilter {

// The memory for what is on its way between two sides; a thread keeps it from one connection to the next.
class RelayBuffers {
public:
    static constexpr std::size_t size = 65536;

    char *of(RelaySide side) { return (*m_memory)[side == RelaySide::mta ? 0 : 1].data(); }

private:
    std::unique_ptr<std::array<std::array<char, size>, 2>> m_memory =
        std::make_unique<std::array<std::array<char, size>, 2>>();
};

class Pair {
public:
    Pair(std::uint64_t number, const Stream &mta, const Stream &filter, RelayBuffers &buffers,
         Journal &journal) noexcept
        : m_number(number), m_streams{&mta, &filter}, m_buffers(buffers), m_journal(journal) {}

    ~Pair() = default;
    Pair(const Pair &) = delete;
    Pair &operator=(const Pair &) = delete;

    // Passes on what both sides send until both have ended, one has broken off, or `stop` can be read. Throws
    // std::bad_alloc.
    void run(int stop, EagerPoll &poll);

private:
    // All return false if a side has broken off.
    bool serve(RelaySide side, short events);
    bool read(RelaySide side);
    bool send(RelaySide side, std::string_view data);
    bool break_off(RelaySide side);

    // While the other side has not taken all that this one has sent, nothing more is read.
    bool is_read(RelaySide side) const { return !m_has_ended[index(side)] && m_unsent[index(side)].empty(); }
    short wanted(RelaySide side) const;
    const Stream &stream(RelaySide side) const { return *m_streams[index(side)]; }
    static std::size_t index(RelaySide side) { return side == RelaySide::mta ? 0 : 1; }
    static RelaySide other(RelaySide side) { return side == RelaySide::mta ? RelaySide::filter : RelaySide::mta; }

    const std::uint64_t m_number;
    const std::array<const Stream *, 2> m_streams;
    RelayBuffers &m_buffers;
    Journal &m_journal;
    std::array<std::string_view, 2> m_unsent;  // what a side has sent and the other has not taken yet
    std::array<bool, 2> m_has_ended{};
};

}  // namespace pymilter
