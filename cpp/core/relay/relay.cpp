// Stands between an MTA and a filter: takes connections and passes each on.
#include "core/relay/relay.hpp"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <system_error>
#include <utility>

#include "core/process/descriptors.hpp"
#include "core/process/signals.hpp"

namespace pymilter {

namespace {

// How long to wait, in ms, before the next attempt if no descriptor is left for a connection.
constexpr int pause_when_exhausted = 100;

// The threads that are started meanwhile get no signals: Ctrl-C belongs to the main thread.
class SignalsHeldBack {
public:
    SignalsHeldBack() noexcept {
        const sigset_t all = signals_of_others();
        ::pthread_sigmask(SIG_BLOCK, &all, &m_before);
    }
    ~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &m_before, nullptr); }
    SignalsHeldBack(const SignalsHeldBack &) = delete;
    SignalsHeldBack &operator=(const SignalsHeldBack &) = delete;

private:
    sigset_t m_before{};
};

}  // namespace

Relay::Relay(int listener, RelayTarget target, std::string name, int pipe, std::size_t most_waiting)
    : m_listener(listener),
      m_target(std::move(target)),
      m_name(std::move(name)),
      m_journal(pipe, most_waiting),
      m_stop(open_pipe()) {}

Relay::~Relay() {
    stop();
    for (const int end : m_stop) {
        ::close(end);
    }
}

void Relay::start() {
    const SignalsHeldBack held_back;
    m_journal.start();
    const std::lock_guard lock(m_mutex);
    add_thread();
}

void Relay::stop() noexcept {
    m_journal.close();
    write_byte(m_stop[1], 0);
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(m_mutex);
        m_is_stopped = true;
        threads.swap(m_threads);
    }
    for (std::thread &one : threads) {
        one.join();
    }
}

// With m_mutex held.
void Relay::add_thread() {
    if (!m_is_stopped) {
        m_threads.emplace_back([this] { work(); });
        m_idle++;
    }
}

void Relay::leave_idle() noexcept {
    const std::lock_guard lock(m_mutex);
    m_idle--;
    try {
        if (m_idle == 0) {
            add_thread();
        }
    } catch (const std::exception &) {
        // No thread can be started: the next connection waits until one that is open has ended.
    }
}

void Relay::work() {
    RelayBuffers buffers;
    EagerPoll poll(m_connections);
    while (serve_next(buffers, poll)) {
    }
}

bool Relay::serve_next(RelayBuffers &buffers, EagerPoll &poll) noexcept {
    bool is_serving = false;
    try {
        std::uint64_t number = 0;
        const Stream mta = next_connection(number);
        if (!mta) {
            return false;
        }
        leave_idle();
        is_serving = true;
        m_connections++;
        pass_on(number, mta, buffers, poll);
    } catch (const std::exception &) {
        // Without memory for the data, the connection ends, as it would if the filter ran out of memory.
    }
    if (is_serving) {
        m_connections--;
        const std::lock_guard lock(m_mutex);
        m_idle++;
    }
    return true;
}

Stream Relay::next_connection(std::uint64_t &number) {
    const std::lock_guard leading(m_leading);
    while (true) {
        std::array<pollfd, 2> ready{{{m_listener, POLLIN, 0}, {m_stop[0], POLLIN, 0}}};
        if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) {
            return {};
        }
        if (ready[1].revents != 0) {
            return {};
        }
        Stream mta(accept_from(m_listener));
        if (mta) {
            number = ++m_number;
            m_journal.note(number, RelayEvent::open, RelaySide::mta);
            return mta;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            is_stopped_within(m_stop[0], pause_when_exhausted);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
            return {};
        }
    }
}

void Relay::pass_on(std::uint64_t number, const Stream &mta, RelayBuffers &buffers, EagerPoll &poll) {
    std::string problem;
    const Stream filter = m_target.connect(m_stop[0], problem);
    if (!filter) {
        m_journal.note(number, RelayEvent::failed, RelaySide::filter, "cannot connect to " + m_name + ": " + problem);
        return;
    }
    Pair(number, mta, filter, buffers, m_journal).run(m_stop[0], poll);
}

}  // namespace pymilter
