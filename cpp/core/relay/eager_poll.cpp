// poll() for a connection whose next packet usually comes at once.
#include "core/relay/eager_poll.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace pymilter {

namespace {

constexpr std::chrono::microseconds longest_look{100};
constexpr unsigned most_failures = 10;

}  // namespace

EagerPoll::EagerPoll(const std::atomic<unsigned> &connections) noexcept
    : m_connections(connections), m_has_processors(std::thread::hardware_concurrency() > 1) {}

int EagerPoll::wait(pollfd *ready, nfds_t count) noexcept {
    if (!m_has_processors || m_connections.load(std::memory_order_relaxed) > 1) {
        return ::poll(ready, count, -1);
    }
    if (m_to_skip > 0) {
        m_to_skip--;
        return ::poll(ready, count, -1);
    }
    if (const int found = look(ready, count); found != 0) {
        m_failures = 0;
        return found;
    }
    m_failures = std::min(m_failures + 1, most_failures);
    m_to_skip = (1U << m_failures) - 1;
    return ::poll(ready, count, -1);
}

int EagerPoll::look(pollfd *ready, nfds_t count) noexcept {
    const auto deadline = std::chrono::steady_clock::now() + longest_look;
    int found = 0;
    do {
        found = ::poll(ready, count, 0);
    } while (found == 0 && std::chrono::steady_clock::now() < deadline);
    return found;
}

}  // namespace pymilter
