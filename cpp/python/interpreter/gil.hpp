// Thread states: how a thread of libmilter's enters Python, how it leaves for a while, and when it may no longer.
//
// A PyThreadState belongs to the OS thread, never to a connection: libmilter's worker pool runs one connection on many
// threads. It is made by PyGILState_Ensure, so that ctypes or sqlite3 in a handler find the same one, and kept until
// the thread ends, because making it costs eight times as much as attaching it.
#pragma once

#include <csignal>

#include <chrono>
#include <cstdint>

#include "python/interpreter/python.hpp"

namespace pymilter {

class Connection;

// Passed by every callback. Once the interpreter begins to end it is shut, and nothing of libmilter's enters Python.
class Gate {
public:
    // False when shut: the caller answers without Python.
    static bool enter() noexcept;
    static void leave() noexcept;

    // Shuts the gate and waits for the callbacks inside. Returns false if some are still inside at the deadline.
    static bool shut(std::chrono::milliseconds limit) noexcept;
    static bool is_shut() noexcept;
    // In a forked process: shut, and nobody is inside but perhaps the thread that forked.
    static void disown_in_child() noexcept;
    // In a process that was forked within a callback: it must not live on as a thread of libmilter's.
    static bool ends_with_callback() noexcept;

    // How many callbacks are inside just now.
    static std::uint64_t inside() noexcept;
};

// RAII, for the length of one callback: through the gate and attached to Python. Tests false when the gate is shut.
//
// It cannot be nested: the inner one would detach the thread that the outer one still needs. A thread that is in a
// callback (is_here()) is attached already, and a function that makes an Attach says so by "without the GIL".
class Attach {
public:
    // For a callback of `connection`, which must live as long as this or be taken back by set_connection(nullptr). In a
    // process that was forked within the callback, its end is that of the process.
    explicit Attach(Connection *connection = nullptr) noexcept;
    ~Attach();
    Attach(const Attach &) = delete;
    Attach &operator=(const Attach &) = delete;
    explicit operator bool() const { return m_thread != nullptr; }

    // Names the connection, where it is made only within the callback.
    static void set_connection(Connection *connection) noexcept;

    // Whether the calling thread is in a callback.
    static bool is_here() noexcept;
    // The connection whose callback the calling thread is in, or null.
    static Connection *connection() noexcept;
    // Gives the calling thread the signal mask `mask` until its callback ends; outside of one, nothing.
    static void lend(const sigset_t &mask) noexcept;

    struct Thread;

private:
    Thread *m_thread;  // null when the gate is shut
};

// RAII, for calls that block or touch the socket.
class Release {
public:
    Release() : m_state(PyEval_SaveThread()) {}
    ~Release() { PyEval_RestoreThread(m_state); }
    Release(const Release &) = delete;
    Release &operator=(const Release &) = delete;

private:
    PyThreadState *m_state;
};

}  // namespace pymilter
