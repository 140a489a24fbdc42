// A signal that makes a system call of one thread return early, or parks the thread for good. Never with the GIL.
//
// libmilter polls its listening socket for 5 s at a time with a lock held. A connection of our own would end the poll
// too, but if several processes serve the socket, another one may take that connection.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <csignal>

namespace pymilter {

class Interruption {
public:
    // Takes a signal that nobody handles, until this object dies. Throws std::runtime_error if there is none.
    Interruption();
    ~Interruption();
    Interruption(const Interruption &) = delete;
    Interruption &operator=(const Interruption &) = delete;

    int number() const { return m_number; }
    void interrupt(pthread_t thread) const noexcept { ::pthread_kill(thread, m_number); }

    // Parks a thread (given by its kernel thread id) until the process exits. Does nothing unless the thread waits in a
    // system call, which can be seen on some machines only.
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
    static constexpr bool can_park = true;
#else
    static constexpr bool can_park = false;
#endif
    void park(pid_t thread) const noexcept;
    static bool has_parked() noexcept;

private:
    int m_number = 0;
    struct sigaction m_earlier{};
};

}  // namespace pymilter
