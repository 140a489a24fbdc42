// libmilter's main loop in a thread of its own, and the pipe that tells the waiting thread what happened.
//
// libmilter blocks the signals of the thread that runs smfi_main and of all that it makes. Here that is never a thread
// of the program, so the main thread keeps Python's signal handling. Never with the GIL.
#pragma once

#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "core/process/interruption.hpp"
#include "core/process/listener.hpp"

namespace pymilter {

// What a thread learns that waits for the loop.
struct LoopEvent {
    enum class Kind : int {
        nothing,         // the time is up
        interrupted,     // a signal came to this thread
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

    // Throws std::logic_error when libmilter ran before in this process: it cannot run twice.
    // When it returns, signals come to the program's own threads alone.
    void start();

    // Whether smfi_main has returned, or is about to. After start().
    bool has_ended() const noexcept { return m_result.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }

    // From any thread, from a callback too: only asks. The waiting thread then calls finish().
    void request_stop() noexcept;

    // Waits for the next event; without a limit if `limit` is empty.
    LoopEvent wait(std::optional<std::chrono::milliseconds> limit);

    // Lets libmilter look again at what is behind the descriptor that it polls. From start() to finish().
    void renew_poll() noexcept;

    // Makes smfi_main accept no connection any more; those that are open go on.
    void stop_accepting(Listener &listener);

    // Makes smfi_main return, and waits for it; from any thread, more than once. Returns its result, MI_SUCCESS or
    // MI_FAILURE.
    int finish();

    // Where signals are to be written to.
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
