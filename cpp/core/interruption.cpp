// A signal that makes a system call of one thread return early, and does nothing else.
#include "core/interruption.hpp"

#include <stdexcept>

namespace pymilter {

namespace {

void on_interruption(int) {}

#ifdef SIGRTMAX
// Programs that use such signals count from SIGRTMIN.
int highest() { return SIGRTMAX; }
int lowest() { return SIGRTMIN; }
#else
int highest() { return SIGUSR2; }
int lowest() { return SIGUSR1; }
#endif

}  // namespace

Interruption::Interruption() {
    struct sigaction ours{};
    ours.sa_handler = on_interruption;  // without SA_RESTART
    sigemptyset(&ours.sa_mask);
    for (int number = highest(); number >= lowest(); --number) {
        if (::sigaction(number, nullptr, &m_earlier) == 0 && m_earlier.sa_handler == SIG_DFL &&
            ::sigaction(number, &ours, nullptr) == 0) {
            m_number = number;
            return;
        }
    }
    throw std::runtime_error("every real-time signal has a handler, and one is needed to end libmilter's polls");
}

Interruption::~Interruption() {
    struct sigaction current{};
    ::sigaction(m_number, nullptr, &current);
    if (current.sa_handler == on_interruption) {
        ::sigaction(m_number, &m_earlier, nullptr);
    }
}

}  // namespace pymilter
