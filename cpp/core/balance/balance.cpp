// A fair distribution of connections among the processes that serve one socket.
#include "core/balance/balance.hpp"

#include <poll.h>
#include <unistd.h>

#include <csignal>

#include "core/process/descriptors.hpp"
#include "core/process/signals.hpp"

namespace pymilter {

namespace {

using namespace std::chrono_literals;

// How often the watcher looks at a connection that waits for another process.
constexpr auto look_every = 1ms;

bool is_ready(int descriptor) noexcept {
    pollfd waiting{descriptor, POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
}

}  // namespace

Balance::~Balance() {
    if (m_watcher.joinable()) {
        m_watcher.detach();  // only if leave() was never reached: the process is ending
    }
}

void Balance::join(int descriptor, std::size_t slot, std::chrono::milliseconds patience) {
    m_loads.emplace(descriptor, slot);
    m_patience = patience;
}

void Balance::start(Listener &listener, Loop &loop) {
    if (!m_loads) {
        return;
    }
    m_bell = open_pipe();
    listener.keep_real();
    m_listener = &listener;
    m_loop = &loop;
    m_idle.resize(m_loads->size());
    m_others.resize(m_loads->size());
    const std::lock_guard<std::mutex> lock(m_mutex);
    m_watcher = std::thread([this] { watch(); });
    m_loads->publish(m_own);
    m_is_on.store(true);
}

void Balance::leave() noexcept {
    std::thread watcher;
    {
        const std::lock_guard<std::mutex> lock(m_mutex);
        if (!m_is_on.exchange(false)) {
            return;
        }
        m_loads->clear_own();
        watcher = std::move(m_watcher);
        ring();
    }
    watcher.join();
    m_listener->drop_real();
    for (const int end : m_bell) {
        ::close(end);
    }
}

void Balance::disown_in_child() noexcept {
    // Without the mutex: it may be held by a thread that does not exist in this process.
    if (m_is_on.exchange(false)) {
        m_listener->put_back();
        m_listener->drop_real();
        for (const int end : m_bell) {
            ::close(end);
        }
    }
}

bool Balance::opened() noexcept {
    if (!m_is_on.load(std::memory_order_relaxed)) {
        return false;
    }
    const std::lock_guard<std::mutex> lock(m_mutex);
    if (!m_is_on.load(std::memory_order_relaxed)) {
        return false;
    }
    ++m_own.open;
    ++m_own.taken;
    m_loads->publish(m_own);
    if (!m_is_aside && !may_take_next()) {
        set_aside();
    }
    return true;
}

void Balance::closed() noexcept {
    if (!m_is_on.load(std::memory_order_relaxed)) {
        return;
    }
    const std::lock_guard<std::mutex> lock(m_mutex);
    if (!m_is_on.load(std::memory_order_relaxed)) {
        return;
    }
    --m_own.open;
    m_loads->publish(m_own);
    if (m_is_aside && may_take_next()) {
        put_back();
    }
}

bool Balance::may_take_next() const noexcept {
    for (std::size_t slot = 0; slot < m_loads->size(); ++slot) {
        const std::optional<Load> other = m_loads->of(slot);
        if (slot != m_loads->own() && other && other->open < m_own.open && m_idle[slot] != other->taken) {
            return false;
        }
    }
    return true;
}

void Balance::set_aside() noexcept {
    m_is_aside = m_listener->set_aside();
    // A poll that is running still looks at the real socket. If it returns, accept() finds nothing.
    if (m_is_aside && m_watch == Watch::nothing) {
        ring();
    }
}

void Balance::put_back() noexcept {
    if (m_listener->put_back()) {
        m_is_aside = false;
        m_loop->renew_poll();
    }
}

void Balance::note_others() noexcept {
    m_since = std::chrono::steady_clock::now();
    for (std::size_t slot = 0; slot < m_loads->size(); ++slot) {
        m_others[slot] = m_loads->of(slot);
    }
}

// If a process took nothing while a connection waited, it is not waited for again until it takes one.
void Balance::give_up_others() noexcept {
    for (std::size_t slot = 0; slot < m_loads->size(); ++slot) {
        const std::optional<Load> other = m_loads->of(slot);
        if (other && m_others[slot] && other->taken == m_others[slot]->taken) {
            m_idle[slot] = other->taken;
        }
    }
}

// Decides what to do about a connection that may be waiting, and what to watch next.
void Balance::look() noexcept {
    if (!m_is_aside) {
        m_watch = Watch::nothing;
        return;
    }
    if (!is_ready(m_listener->real())) {
        m_watch = Watch::socket;
        return;
    }
    if (m_watch != Watch::time) {
        note_others();
    } else if (std::chrono::steady_clock::now() >= m_since + m_patience) {
        give_up_others();
        note_others();
    }
    if (may_take_next()) {
        put_back();
    }
    m_watch = m_is_aside ? Watch::time : Watch::nothing;
}

void Balance::watch() noexcept {
    const sigset_t mask = signals_of_others();
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    std::array<pollfd, 2> watched{{{m_bell[0], POLLIN, 0}, {m_listener->real(), POLLIN, 0}}};
    Watch watch = Watch::nothing;
    while (true) {
        const bool for_time = watch == Watch::time;
        const int limit = for_time ? static_cast<int>(std::chrono::milliseconds{look_every}.count()) : -1;
        ::poll(watched.data(), watch == Watch::socket ? 2 : 1, limit);
        std::array<char, 64> rung{};
        while (::read(m_bell[0], rung.data(), rung.size()) > 0) {
        }
        const std::lock_guard<std::mutex> lock(m_mutex);
        if (!m_is_on.load(std::memory_order_relaxed)) {
            return;
        }
        look();
        watch = m_watch;
    }
}

void Balance::ring() noexcept { write_byte(m_bell[1], 0); }

}  // namespace pymilter
