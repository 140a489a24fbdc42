// The messages in progress in this process, for which a filter waits before it stops. Any thread, without the GIL.
#pragma once

#include <atomic>
#include <cstdint>

namespace pymilter {

// Counts messages in progress, until close() forbids new ones. A message is in progress from the first step that the
// filter receives; a filter with only `eom` sees it at its end.
class Traffic {
public:
    std::int64_t under_way() const noexcept { return m_word.load(std::memory_order_relaxed) / one; }
    // Messages that began after close() and whose MTA has had no answer yet, because their first steps are no-reply.
    std::int64_t late() const noexcept { return m_late.load(std::memory_order_relaxed); }

    // Forbids new messages.
    void close() noexcept { m_word.fetch_or(closed_bit, std::memory_order_acq_rel); }
    // The same, but only if no message is in progress. Otherwise returns false, and more messages may begin.
    bool close_when_empty() noexcept {
        std::int64_t expected = 0;
        return m_word.compare_exchange_strong(expected, closed_bit) || expected == closed_bit;
    }

private:
    friend class MessageMark;

    bool begin() noexcept {
        if ((m_word.fetch_add(one, std::memory_order_acq_rel) & closed_bit) == 0) {
            return true;
        }
        end();
        return false;
    }
    void end() noexcept { m_word.fetch_sub(one, std::memory_order_acq_rel); }

    // The lowest bit is set by close(); the rest is the count, in steps of two. One word, so that no message can begin
    // between the test and the change.
    static constexpr std::int64_t closed_bit = 1;
    static constexpr std::int64_t one = 2;
    std::atomic<std::int64_t> m_word{0};
    std::atomic<std::int64_t> m_late{0};
};

inline Traffic traffic;

// The message of one connection, as Traffic counts it.
class MessageMark {
public:
    MessageMark() = default;
    ~MessageMark() { clear(); }
    MessageMark(const MessageMark &) = delete;
    MessageMark &operator=(const MessageMark &) = delete;

    bool is_set() const noexcept { return state() == State::under_way; }
    // Counts a new message. Returns false after close().
    bool set() noexcept {
        if (state() == State::none) {
            if (traffic.begin()) {
                m_state.store(State::under_way, std::memory_order_relaxed);
            } else {
                m_state.store(State::late, std::memory_order_relaxed);
                traffic.m_late.fetch_add(1, std::memory_order_relaxed);
            }
        }
        return is_set();
    }
    void clear() noexcept {
        switch (m_state.exchange(State::none, std::memory_order_relaxed)) {
        case State::none:
            break;
        case State::under_way:
            traffic.end();
            break;
        case State::late:
            traffic.m_late.fetch_sub(1, std::memory_order_relaxed);
            break;
        }
    }

private:
    enum class State : std::uint8_t { none, under_way, late };

    State state() const noexcept { return m_state.load(std::memory_order_relaxed); }

    std::atomic<State> m_state{State::none};  // written by its one owner, read by any thread
};

}  // namespace pymilter
