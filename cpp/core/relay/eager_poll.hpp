// poll() for a connection whose next packet usually comes at once. One thread; never with the GIL.
//
// Falling asleep and being woken takes longer than a fast filter takes for its answer. So this looks again and again
// for a short time before it sleeps, and does it less often the less it finds: in one wait of 1024 if nothing ever
// comes in time, as with a slow filter or on a busy machine. It looks only if no other connection is open, which would
// need the processor meanwhile, and only if there is more than one processor.
#pragma once

#include <poll.h>

#include <array>
#include <atomic>

namespace pymilter {

class EagerPoll {
public:
    // `connections` is how many are open now.
    explicit EagerPoll(const std::atomic<unsigned> &connections) noexcept;
    ~EagerPoll() = default;
    EagerPoll(const EagerPoll &) = delete;
    EagerPoll &operator=(const EagerPoll &) = delete;

    // As poll() without a timeout.
    int operator()(std::array<pollfd, 3> &ready) noexcept { return wait(ready.data(), ready.size()); }

private:
    int wait(pollfd *ready, nfds_t count) noexcept;
    static int look(pollfd *ready, nfds_t count) noexcept;

    const std::atomic<unsigned> &m_connections;
    const bool m_has_processors;
    unsigned m_failures = 0;  // in a row
    unsigned m_to_skip = 0;   // waits until it looks again
};

}  // namespace pymilter
