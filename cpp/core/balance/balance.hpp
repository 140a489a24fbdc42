// This process's fair share of the connections to a socket that several serve. Any thread, never with the GIL.
//
// libmilter polls the socket and accepts by itself, so whichever process wakes first gets a connection, however many it
// has. Here a process that has more of them than another one gives libmilter a silent socket to look at, until a
// connection is its own to take: it has no more than the others, or nobody else takes the one that waits.
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
    // One open connection, as long as it lives. Empty, at no cost, where this process shares with nobody.
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

    // Who shares: the slots of the memory behind `descriptor`, of which `slot` is this process's. A connection waits no
    // longer than `patience` for a process that has fewer than this one. Throws as Loads does.
    void join(int descriptor, std::size_t slot, std::chrono::milliseconds patience);
    // Begins to share, if join() was called. Before the loop runs, after the listener has its socket; both must live
    // until leave(). Throws std::system_error.
    void start(Listener &listener, Loop &loop);
    // Shares no more, before the socket is refused or libmilter ends; more than once.
    void leave() noexcept;
    // In a process forked from this one, which has this thread alone: the share is the parent's.
    void disown_in_child() noexcept;

private:
    enum class Watch { nothing, socket, time };  // what the watcher waits for, beside the bell

    bool opened() noexcept;
    void closed() noexcept;
    // All of these with the mutex held.
    bool is_due() const noexcept;
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
    std::array<int, 2> m_bell{-1, -1};  // a pipe; a byte in it lets the watcher look
    Watch m_watch = Watch::nothing;
    std::chrono::steady_clock::time_point m_since;     // when the watcher saw that a connection waits
    std::vector<std::optional<Load>> m_others;         // at that time
    std::vector<std::optional<std::uint32_t>> m_idle;  // by slot: what it had taken when it left a connection waiting
};

}  // namespace pymilter
