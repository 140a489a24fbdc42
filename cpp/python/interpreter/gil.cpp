// Thread states: how a thread of libmilter enters Python, how it leaves for a while, and when it may enter no more.
#include "python/interpreter/gil.hpp"

#include <array>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <mutex>
#include <thread>

#include "python/interpreter/forked.hpp"

namespace pymilter {

namespace {

// The lowest bit is set if the gate is shut; the rest counts the callbacks inside, in steps of two. One word, so that
// nobody can get in between the test and the count.
std::atomic<std::uint64_t> gate{0};
constexpr std::uint64_t shut_bit = 1;
constexpr std::uint64_t one_inside = 2;

std::atomic<bool> is_forked_within_callback{false};

// Held by whoever makes a thread state or forks. Nobody waits for it with the GIL, because its owner may wait for that.
std::mutex making_or_forking;
thread_local int forks_under_way = 0;  // a function that runs before a fork may fork as well

// Does what Python does at the beginning of each of its threads, so that whoever follows all of them (a debugger,
// coverage, a profiler) follows this one too. Needs the GIL.
void begin_as_python_thread() noexcept {
    constexpr std::array<std::array<const char *, 2>, 2> hooks{
        {{"gettrace", "settrace"}, {"getprofile", "setprofile"}}};
    try {
        const auto threading = py::module_::import("threading");
        for (const auto &[get, set] : hooks) {
            if (const py::object hook = threading.attr(get)(); !hook.is_none()) {
                py::module_::import("sys").attr(set)(hook);
            }
        }
    } catch (py::error_already_set &error) {
        error.discard_as_unraisable("pymilter: following a thread");
    }
}

}  // namespace

// In one struct, because each lookup of thread-local memory is a call.
struct Attach::Thread {
    // The thread state of this OS thread, from its first callback to its end.
    class KeptThreadState {
    public:
        ~KeptThreadState() {
            // The thread exits. If the interpreter is ending, the state ends with it.
            if (m_state != nullptr && Gate::enter()) {
                PyEval_RestoreThread(m_state);
                PyGILState_Release(m_first);
                Gate::leave();
            }
        }

        void attach() {
            if (m_state != nullptr) {
                PyEval_RestoreThread(m_state);
                return;
            }
            {
                const std::lock_guard<std::mutex> lock(making_or_forking);
                m_first = PyGILState_Ensure();
            }
            m_state = PyThreadState_Get();
            begin_as_python_thread();
        }

        void detach() {
            // CPython up to 3.13 ends threads that ask for the GIL of an interpreter that is gone. Such a thread
            // unwinds through here without being attached.
            if (current() == m_state) {
                PyEval_SaveThread();
            }
        }

    private:
        static PyThreadState *current() {
#if PY_VERSION_HEX >= 0x030D0000
            return PyThreadState_GetUnchecked();
#else
            return _PyThreadState_UncheckedGet();
#endif
        }

        PyThreadState *m_state = nullptr;
        PyGILState_STATE m_first = PyGILState_UNLOCKED;
    };

    KeptThreadState state;
    bool is_inside = false;
    Connection *connection = nullptr;
    // The signal mask to restore at the end of the callback, if another one has been lent.
    bool is_lent = false;
    sigset_t own_mask{};
};

namespace {

thread_local Attach::Thread here;

}  // namespace

bool Gate::enter() noexcept {
    if ((gate.fetch_add(one_inside, std::memory_order_acquire) & shut_bit) == 0) {
        return true;
    }
    leave();
    return false;
}

void Gate::leave() noexcept { gate.fetch_sub(one_inside, std::memory_order_release); }

bool Gate::is_shut() noexcept { return (gate.load(std::memory_order_acquire) & shut_bit) != 0; }

std::uint64_t Gate::inside() noexcept { return gate.load(std::memory_order_relaxed) / one_inside; }

bool Gate::shut(std::chrono::milliseconds limit) noexcept {
    using clock = std::chrono::steady_clock;
    const auto deadline = clock::now() + limit;
    gate.fetch_or(shut_bit, std::memory_order_acq_rel);
    while (gate.load(std::memory_order_acquire) >= one_inside) {
        if (clock::now() >= deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

void Gate::disown_in_child() noexcept {
    gate.store(shut_bit | (Attach::is_here() ? one_inside : 0));
    is_forked_within_callback.store(Attach::is_here());
}

bool Gate::ends_with_callback() noexcept { return is_forked_within_callback.load(std::memory_order_relaxed); }

void ForkGuard::hold() noexcept {
    if (forks_under_way == 0) {
        const Release release;
        making_or_forking.lock();
    }
    ++forks_under_way;
}

void ForkGuard::release() noexcept {
    if (forks_under_way == 0) {
        return;
    }
    --forks_under_way;
    if (forks_under_way == 0) {
        making_or_forking.unlock();
    }
}

bool Attach::is_here() noexcept { return here.is_inside; }

Connection *Attach::connection() noexcept { return here.connection; }

void Attach::set_connection(Connection *connection) noexcept { here.connection = connection; }

void Attach::lend(const sigset_t &mask) noexcept {
    Thread &thread = here;
    if (thread.is_inside && !thread.is_lent) {
        thread.is_lent = ::pthread_sigmask(SIG_SETMASK, &mask, &thread.own_mask) == 0;
    }
}

Attach::Attach(Connection *connection) noexcept : m_thread(Gate::enter() ? &here : nullptr) {
    if (m_thread != nullptr) {
        assert(!m_thread->is_inside);
        m_thread->state.attach();
        m_thread->is_inside = true;
        m_thread->connection = connection;
    }
}

Attach::~Attach() {
    if (m_thread != nullptr) {
        if (Gate::ends_with_callback()) {
            end_forked_process();
        }
        m_thread->is_inside = false;
        m_thread->connection = nullptr;
        if (m_thread->is_lent) {
            m_thread->is_lent = false;
            ::pthread_sigmask(SIG_SETMASK, &m_thread->own_mask, nullptr);
        }
        m_thread->state.detach();
        Gate::leave();
    }
}

}  // namespace pymilter
