// A signal that makes a system call of one thread return early, or puts the thread to rest. Never with the GIL.
//
// libmilter polls its listening socket for 5 s at a time with a lock held. A connection of our own would end the poll
// too, but where several processes share the socket another one may take it.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <csignal>

namespace pymilter {

class Interruption {
public:
    // Takes a signal that nobody handles, until the end of its life. Throws std::runtime_error when there is none.
    Interruption();
    ~Interruption();
    Interruption(const Interruption &) = delete;
    Interruption &operator=(const Interruption &) = delete;

    int number() const { return m_number; }
    void interrupt(pthread_t thread) const noexcept { ::pthread_kill(thread, m_number); }

    // Ends all that one thread does in its life: it sleeps until the process ends. By the kernel's number. Does nothing
    // unless it waits in a system call, which can be seen on some machines only.
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
    static constexpr bool can_put_to_rest = true;
#else
    static constexpr bool can_put_to_rest = false;
#endif
    void put_to_rest(pid_t thread) const noexcept;
    static bool has_put_to_rest() noexcept;

private:
    int m_number = 0;
    struct sigaction m_earlier{};
};

}  // namespace pymilter
