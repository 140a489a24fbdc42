// A fair distribution of connections among the processes that serve one socket. Any thread, never with the GIL.
//
// libmilter polls the socket and accepts by itself, so whichever process wakes first gets a connection, however many it
// already has. Here a process with more connections than another gives libmilter a silent socket to poll, until it may
// take the next connection: it has no more than the others, or nobody else takes the one that waits.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/process/listener.hpp"
#include "core/balance/loads.hpp"
#include "core/process/loop.hpp"

namespace pymilter {

class Balance {
public:
    // Counts one open connection for as long as it lives. Empty, and free, if this process serves the socket alone.
    class Seat {
    public:
        Seat() = default;
        explicit Seat(Balance &balance) : m_balance(balance.opened() ? &balance : nullptr) {}
        Seat(Seat &&other) noexcept : m_balance(std::exchange(other.m_balance, nullptr)) {}
        Seat &operator=(Seat &&other) noexcept {
            std::swap(m_balance, other.m_balance);
            return *this;
        }
        Seat(const Seat &) = delete;
        Seat &operator=(const Seat &) = delete;
        ~Seat() { clear(); }

        void clear() noexcept {
            if (Balance *const balance = std::exchange(m_balance, nullptr)) {
                balance->closed();
            }
        }

    private:
        Balance *m_balance = nullptr;
    };

    Balance() = default;
    ~Balance();
    Balance(const Balance &) = delete;
    Balance &operator=(const Balance &) = delete;

    // Names the processes that serve the socket: each has a slot in the memory behind `descriptor`, this process has
    // `slot`. A connection waits at most `patience` for a process that has fewer connections than this one. Throws as
    // Loads does.
    void join(int descriptor, std::size_t slot, std::chrono::milliseconds patience);
    // Begins to balance, if join() was called. To be called before the loop runs and after the listener has its socket;
    // both must live until leave(). Throws std::system_error.
    void start(Listener &listener, Loop &loop);
    // Stops balancing, before the socket is taken from libmilter or libmilter ends. May be called more than once.
    void leave() noexcept;
    // In a forked process, which has only this thread: leaves the slot to the parent.
    void disown_in_child() noexcept;

private:
    enum class Watch { nothing, socket, time };  // what the watcher waits for, besides the bell

    bool opened() noexcept;
    void closed() noexcept;
    // All of these with the mutex held.
    bool may_take_next() const noexcept;
    void set_aside() noexcept;
    void put_back() noexcept;
    void look() noexcept;
    void note_others() noexcept;
    void give_up_others() noexcept;

    void watch() noexcept;
    void ring() noexcept;

    std::atomic<bool> m_is_on{false};
    std::mutex m_mutex;
    std::optional<Loads> m_loads;
    std::chrono::milliseconds m_patience{};
    Listener *m_listener = nullptr;
    Loop *m_loop = nullptr;
    Load m_own;
    bool m_is_aside = false;

    std::thread m_watcher;
    std::array<int, 2> m_bell{-1, -1};  // a pipe; a byte in it makes the watcher look
    Watch m_watch = Watch::nothing;
    std::chrono::steady_clock::time_point m_since;     // when the watcher saw that a connection waits
    std::vector<std::optional<Load>> m_others;         // at that time
    std::vector<std::optional<std::uint32_t>> m_idle;  // by slot: Load::taken when it left a connection waiting
};

}  // namespace pymilter
