// Thread states: how a thread of libmilter enters Python, how it leaves for a while, and when it may enter no more.
//
// A PyThreadState belongs to the OS thread, never to a connection: libmilter's worker pool runs one connection on many
// threads. PyGILState_Ensure makes it, so that ctypes or sqlite3 in a handler find the same state. It is kept until the
// thread ends, because making it costs eight times as much as attaching it.
#pragma once

#include <csignal>

#include <chrono>
#include <cstdint>

#include "python/interpreter/python.hpp"

namespace pymilter {

class Connection;

// Every callback passes it. It is shut when the interpreter begins to end; then no thread of libmilter enters Python.
class Gate {
public:
    // Returns false if the gate is shut: the caller then answers without Python.
    static bool enter() noexcept;
    static void leave() noexcept;

    // Shuts the gate and waits for the callbacks inside. Returns false if some are still inside at the deadline.
    static bool shut(std::chrono::milliseconds limit) noexcept;
    static bool is_shut() noexcept;
    // In a forked process: shuts the gate, with nobody inside but perhaps the thread that forked.
    static void disown_in_child() noexcept;
    // Whether this process was forked within a callback. It must end with the callback, and not go on as a thread of
    // libmilter.
    static bool ends_with_callback() noexcept;

    // How many callbacks are inside now.
    static std::uint64_t inside() noexcept;
};

// Keeps other threads from making a thread state while this one forks. CPython makes one under a lock of its own,
// without the GIL, and up to 3.11 the child of a fork waits for that lock for ever if another thread held it.
class ForkGuard {
public:
    // Before the fork, and after it in the parent and in the child. Each needs the GIL.
    static void hold() noexcept;
    static void release() noexcept;
};

// RAII, for the length of one callback: passes the gate and attaches the thread to Python. Tests false if the gate is
// shut.
//
// It cannot be nested, because the inner one would detach the thread that the outer one still needs; the builds for
// sanitizers assert that. A thread in a callback (is_here()) is attached already. Functions that make an Attach say
// "called without the GIL".
class Attach {
public:
    // For a callback of `connection`, which must live as long as this, or until set_connection(nullptr). In a process
    // that the callback has forked, the destructor ends the process.
    explicit Attach(Connection *connection = nullptr) noexcept;
    ~Attach();
    Attach(const Attach &) = delete;
    Attach &operator=(const Attach &) = delete;
    explicit operator bool() const { return m_thread != nullptr; }

    // Names the connection, if it is made only within the callback.
    static void set_connection(Connection *connection) noexcept;

    // Whether the calling thread is in a callback.
    static bool is_here() noexcept;
    // The connection whose callback the calling thread is in, or null.
    static Connection *connection() noexcept;
    // Gives the calling thread the signal mask `mask` until its callback ends. Does nothing outside of a callback.
    static void lend(const sigset_t &mask) noexcept;

    struct Thread;

private:
    Thread *m_thread;  // null when the gate is shut
};

// RAII, detaches the thread from Python for calls that block or use the socket.
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
