// What is under way in this process: whoever stops a filter waits for it. Any thread, without the GIL.
#pragma once

#include <atomic>
#include <cstdint>

namespace pymilter {

// Messages between their first step that the filter sees and their end.
inline std::atomic<std::int64_t> messages_under_way{0};

// One connection's share in that count.
class MessageMark {
public:
    MessageMark() = default;
    ~MessageMark() { clear(); }
    MessageMark(const MessageMark &) = delete;
    MessageMark &operator=(const MessageMark &) = delete;

    void set() noexcept {
        if (!m_is_set) {
            m_is_set = true;
            messages_under_way.fetch_add(1, std::memory_order_relaxed);
        }
    }
    void clear() noexcept {
        if (m_is_set) {
            m_is_set = false;
            messages_under_way.fetch_sub(1, std::memory_order_relaxed);
        }
    }

private:
    bool m_is_set = false;
};

}  // namespace pymilter
