// Stands between an MTA and a filter: takes connections and passes each on. Any thread, never with the GIL.
//
// A thread serves one connection, and afterwards the next: one thread waits for a connection (the leader), serves it
// itself, so that nobody has to be woken for it, and lets another one lead. There are as many threads as there were
// connections at once, and one more.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/relay/eager_poll.hpp"
#include "core/relay/journal.hpp"
#include "core/relay/pair.hpp"
#include "core/relay/stream.hpp"

namespace pymilter {

class Relay {
public:
    // Takes the connections of `listener`, which must be non-blocking and belongs to the caller. `name` is the target
    // in words. What happens goes to `pipe`, which the relay closes at the end. Throws std::system_error.
    Relay(int listener, RelayTarget target, std::string name, int pipe, std::size_t most_waiting);
    ~Relay();
    Relay(const Relay &) = delete;
    Relay &operator=(const Relay &) = delete;

    // Throws std::system_error.
    void start();
    // Ends all connections and waits for their threads. What was noted is still written after that.
    void stop() noexcept;

private:
    void work();
    // Returns false if there will be no more connections.
    bool serve_next(RelayBuffers &buffers, EagerPoll &poll) noexcept;
    // The next connection and its number. The stream is empty if there will be none.
    Stream next_connection(std::uint64_t &number);
    void pass_on(std::uint64_t number, const Stream &mta, RelayBuffers &buffers, EagerPoll &poll);
    // The calling thread leaves the idle ones; if it was the last, another thread is begun.
    void leave_idle() noexcept;
    void add_thread();

    const int m_listener;
    const RelayTarget m_target;
    const std::string m_name;
    Journal m_journal;
    std::array<int, 2> m_stop;  // a pipe; a byte in it, which nobody reads, ends everything
    std::atomic<unsigned> m_connections{0};
    std::mutex m_leading;  // held by the thread that waits for a connection
    std::uint64_t m_number = 0;
    std::mutex m_mutex;  // for the threads
    std::vector<std::thread> m_threads;
    std::size_t m_idle = 0;
    bool m_is_stopped = false;
};

}  // namespace pymilter
