// libmilter's main loop in a thread of its own, and the pipe through which the waiting thread hears of events.
#include "core/process/loop.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include "core/process/counters.hpp"
#include "core/process/descriptors.hpp"
#include "core/protocol/libmilter.hpp"
#include "core/process/signal_thread.hpp"
#include "core/process/signals.hpp"

namespace pymilter {

namespace {

using namespace std::chrono_literals;

// A byte in the pipe is the number of a signal, or one of these, which are no signals.
constexpr unsigned char byte_stop = 254;
constexpr unsigned char byte_end = 255;

// smfi_main keeps static state that a second call does not reset: the call would return success and do nothing.
std::atomic<bool> has_run{false};

}  // namespace

Loop::Loop() {
    const std::array<int, 2> ends = open_pipe();
    m_read = ends[0];
    m_write = ends[1];
}

Loop::~Loop() {
    if (m_thread.joinable()) {
        m_thread.detach();  // only if finish() was never reached: the process is ending
        return;
    }
    ::close(m_read);
    ::close(m_write);
}

void Loop::start() {
    if (has_run.exchange(true)) {
        throw std::logic_error("libmilter can run only once in a process: start another process for another run");
    }
    std::promise<int> promise;
    m_result = promise.get_future().share();
    m_interruption.emplace();
    sigset_t mask = signals_of_others();
    sigdelset(&mask, m_interruption->number());
    std::promise<void> created;
    m_thread = std::thread([descriptor = m_write, mask, promise = std::move(promise),
                            is_created = created.get_future()]() mutable {
        ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
        // While a thread creates another, its signals are blocked, so a signal would go to libmilter's thread: wait.
        is_created.wait();
        const auto begun = std::chrono::steady_clock::now();
        const int result = ::smfi_main();
        // Its signal thread may stop it before it has begun, and it calls that a failure. A failure of the listener
        // takes longer, because libmilter tries again.
        const bool never_began = std::chrono::steady_clock::now() - begun < 250ms && counters.connections_opened == 0;
        promise.set_value(never_began ? MI_SUCCESS : result);
        write_byte(descriptor, byte_end);
    });
    created.set_value();
    park_signal_thread(*m_interruption, m_thread.native_handle(), mask, m_result);
}

void Loop::request_stop() noexcept { write_byte(m_write, byte_stop); }

LoopEvent Loop::wait(std::optional<std::chrono::milliseconds> limit) {
    using Kind = LoopEvent::Kind;
    pollfd waiting{m_read, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, limit ? static_cast<int>(limit->count()) : -1);
    if (ready < 0) {
        return {Kind::interrupted};
    }
    unsigned char byte = 0;
    if (ready == 0 || ::read(m_read, &byte, 1) != 1) {
        return {Kind::nothing};
    }
    switch (byte) {
    case byte_stop:
        return {Kind::stop_requested};
    case byte_end:
        return {Kind::ended};
    default:
        // Python writes the number of every signal for which it has a handler.
        return is_watched(byte) ? LoopEvent{Kind::signal, byte} : LoopEvent{Kind::nothing};
    }
}

void Loop::renew_poll() noexcept { m_interruption->interrupt(m_thread.native_handle()); }

void Loop::stop_accepting(Listener &listener) {
    listener.stop_accepting();
    // A poll that is running still looks at the old socket.
    renew_poll();
}

int Loop::finish() {
    const std::lock_guard<std::mutex> lock(m_finishing);
    if (m_thread.joinable()) {
        // smfi_stop waits for a lock that the polling listener holds for up to 5 s. So it runs in a thread of its own,
        // while the poll is interrupted: again and again, because an interruption between two polls is lost.
        const bool was_running = !has_ended();
        std::thread stopper;
        try {
            stopper = std::thread([] { ::smfi_stop(); });
        } catch (const std::system_error &) {
            ::smfi_stop();  // no thread can be made, so wait for the lock here
        }
        while (m_result.wait_for(5ms) != std::future_status::ready) {
            m_interruption->interrupt(m_thread.native_handle());
        }
        if (stopper.joinable()) {
            stopper.join();
        }
        m_thread.join();
        m_interruption.reset();
        // smfi_main reports a failure if it is stopped before it has begun.
        m_code = was_running ? MI_SUCCESS : m_result.get();
    }
    return m_code;
}

}  // namespace pymilter
