// libmilter's main loop in a thread of its own, and the pipe through which the waiting thread hears of events.
//
// libmilter blocks signals in the thread that runs smfi_main and in all threads that it creates. Here that is never a
// thread of the program, so the main thread keeps Python's signal handling. Never with the GIL.
#pragma once

#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "core/process/interruption.hpp"
#include "core/process/listener.hpp"

namespace pymilter {

// What Loop::wait() returns.
struct LoopEvent {
    enum class Kind : int {
        nothing,         // the time is up
        interrupted,     // a signal interrupted the wait
        signal,          // SIGTERM, SIGHUP or SIGINT came to the process
        stop_requested,  // request_stop() was called
        ended,           // smfi_main has returned
    };

    Kind kind = Kind::nothing;
    int signal = 0;  // the number of the signal, if that is the kind
};

class Loop {
public:
    Loop();
    ~Loop();
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    // Throws std::logic_error if libmilter has run in this process before: it cannot run twice.
    // After this returns, signals reach only threads of the program.
    void start();

    // Whether smfi_main has returned, or is about to. After start().
    bool has_ended() const noexcept { return m_result.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }

    // Makes wait() return; whoever waits then calls finish(). From any thread, also from a callback.
    void request_stop() noexcept;

    // Waits for the next event, without end if `limit` is empty.
    LoopEvent wait(std::optional<std::chrono::milliseconds> limit);

    // Makes libmilter poll again, so that it sees what its descriptor is now. From start() to finish().
    void renew_poll() noexcept;

    // Makes smfi_main accept no more connections; open ones go on.
    void stop_accepting(Listener &listener);

    // Makes smfi_main return, and waits for that. Returns its result, MI_SUCCESS or MI_FAILURE. From any thread; may be
    // called more than once.
    int finish();

    // The end of the pipe to which signal handlers write.
    int signal_descriptor() const { return m_write; }

private:
    int m_read = -1;
    int m_write = -1;
    std::mutex m_finishing;
    std::optional<Interruption> m_interruption;
    std::thread m_thread;
    std::shared_future<int> m_result;
    int m_code = 0;
};

}  // namespace pymilter
