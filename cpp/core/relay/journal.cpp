// What happens on the relayed connections, on its way into a pipe.
#include "core/relay/journal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace pymilter {

namespace {

// Between two batches: waking the reader for each event would cost the connections more than the relay itself.
constexpr std::chrono::milliseconds pause_between_batches{20};
// At once into the pipe, so that those who wait for room notice soon that there is some.
constexpr std::size_t largest_write = 1U << 20;

template <typename Value>
void append(std::string &to, Value value) {
    to.append(reinterpret_cast<const char *>(&value), sizeof value);
}

}  // namespace

Journal::~Journal() {
    close();
    if (m_thread.joinable()) {
        m_thread.join();
    } else {
        ::close(m_pipe);
    }
}

void Journal::start() {
    m_thread = std::thread([this] { hand_over(); });
}

void Journal::note(std::uint64_t connection, RelayEvent what, RelaySide side, std::string_view data) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - m_began;
    std::unique_lock lock(m_mutex);
    m_has_room.wait(lock, [this] { return m_is_closed || m_is_lost || m_noted.size() + m_in_hand <= m_most_waiting; });
    if (m_is_lost) {
        return;
    }
    const std::size_t before = m_noted.size();
    try {
        append(m_noted, seconds.count());
        append(m_noted, connection);
        append(m_noted, what);
        append(m_noted, side);
        append(m_noted, static_cast<std::uint32_t>(data.size()));
        m_noted.append(data);
    } catch (const std::bad_alloc &) {
        m_noted.resize(before);  // half an event would spoil all that follow
        throw;
    }
    lock.unlock();
    if (before == 0) {
        m_has_work.notify_one();
    }
}

void Journal::close() noexcept {
    {
        const std::lock_guard lock(m_mutex);
        m_is_closed = true;
    }
    m_has_work.notify_one();
    m_has_room.notify_all();
}

void Journal::hand_over() noexcept {
    std::string batch;
    bool is_over = false;
    while (!is_over) {
        std::unique_lock lock(m_mutex);
        m_has_work.wait(lock, [this] { return m_is_closed || !m_noted.empty(); });
        m_has_work.wait_for(lock, pause_between_batches, [this] { return m_is_closed; });
        is_over = m_is_closed;
        batch.clear();
        batch.swap(m_noted);
        m_in_hand = batch.size();
        lock.unlock();
        if (!write_out(batch)) {
            break;
        }
    }
    {
        const std::lock_guard lock(m_mutex);
        m_is_lost = true;
        m_noted.clear();
    }
    m_has_room.notify_all();
    ::close(m_pipe);
}

bool Journal::write_out(std::string_view batch) noexcept {
    while (!batch.empty()) {
        const ssize_t written = ::write(m_pipe, batch.data(), std::min(batch.size(), largest_write));
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            batch.remove_prefix(static_cast<std::size_t>(written));
            {
                const std::lock_guard lock(m_mutex);
                m_in_hand = batch.size();
            }
            m_has_room.notify_all();
        }
    }
    return true;
}

}  // namespace pymilter
