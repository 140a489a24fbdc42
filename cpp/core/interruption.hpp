// A signal that makes a system call of one thread return early, and does nothing else. Never with the GIL.
//
// libmilter polls its listening socket for 5 s at a time with a lock held. A connection of our own would end the poll
// too, but where several processes share the socket another one may take it.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <csignal>

namespace pymilter {

// The kernel's number of the calling thread, 0 where there is none to be had.
pid_t current_thread_id() noexcept;

class Interruption {
public:
    // Takes a signal that nobody handles, until the end of its life. Throws std::runtime_error when there is none.
    Interruption();
    ~Interruption();
    Interruption(const Interruption &) = delete;
    Interruption &operator=(const Interruption &) = delete;

    int number() const { return m_number; }
    void interrupt(pthread_t thread) const noexcept { ::pthread_kill(thread, m_number); }

    // By the kernel's number of the thread, which may have ended; 0: nobody. Not as pthread_kill, which blocks all
    // signals of the caller for a moment, so that one that comes then goes to libmilter's thread for signals.
    void interrupt_unblocked(pid_t thread) const noexcept;

private:
    int m_number = 0;
    struct sigaction m_earlier{};
};

}  // namespace pymilter
