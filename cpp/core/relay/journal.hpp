// What happens on the relayed connections, on its way into a pipe: many threads record it, one writes it. Never
// with the GIL.
//
// An event is a head without padding, in the order of this machine's bytes, and then its data:
//   double seconds; uint64 connection; uint8 what; uint8 side; uint32 size of the data
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace pymilter {

enum class RelaySide : std::uint8_t { mta, filter };
enum class RelayEvent : std::uint8_t {
    open,    // the MTA has connected
    data,    // a side has sent something
    close,   // a side has closed the connection, or has gone
    failed,  // the filter could not be reached; the data is the reason
};

class Journal {
public:
    // Writes to `pipe`, which blocks, and closes it at the end. At most about `most_waiting` bytes wait for its reader.
    Journal(int pipe, std::size_t most_waiting) noexcept : m_pipe(pipe), m_most_waiting(most_waiting) {}
    ~Journal();
    Journal(const Journal &) = delete;
    Journal &operator=(const Journal &) = delete;

    // Begins to hand over, in a thread of its own. Throws std::system_error.
    void start();
    // Takes an event. If too much waits already, this waits as well, until there is room, the reader has gone or
    // close() was called. Throws std::bad_alloc.
    void note(std::uint64_t connection, RelayEvent what, RelaySide side, std::string_view data = {});
    // From now on, nobody waits for room. What was noted is still written; then the pipe is closed.
    void close() noexcept;

private:
    void hand_over() noexcept;
    // Returns false if the reader has gone.
    bool write_out(std::string_view batch) noexcept;

    const int m_pipe;
    const std::size_t m_most_waiting;
    const std::chrono::steady_clock::time_point m_began = std::chrono::steady_clock::now();
    std::mutex m_mutex;
    std::condition_variable m_has_work;
    std::condition_variable m_has_room;
    std::string m_noted;        // not handed over yet
    std::size_t m_in_hand = 0;  // bytes that are being handed over
    bool m_is_closed = false;
    bool m_is_lost = false;  // the reader has gone
    std::thread m_thread;
};

}  // namespace pymilter
