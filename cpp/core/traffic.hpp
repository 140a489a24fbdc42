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

    bool is_set() const noexcept { return m_is_set.load(std::memory_order_relaxed); }
    void set() noexcept {
        if (!is_set()) {
            m_is_set.store(true, std::memory_order_relaxed);
            messages_under_way.fetch_add(1, std::memory_order_relaxed);
        }
    }
    void clear() noexcept {
        if (is_set()) {
            m_is_set.store(false, std::memory_order_relaxed);
            messages_under_way.fetch_sub(1, std::memory_order_relaxed);
        }
    }

private:
    std::atomic<bool> m_is_set{false};  // has one owner, but any thread may look
};

}  // namespace pymilter
