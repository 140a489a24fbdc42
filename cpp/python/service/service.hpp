// How this process serves its filter: register with libmilter, listen, run libmilter's loop, wait for events, stop.
//
// There is one service in a process, because smfi_register and smfi_main keep static state. Once registered it is never
// freed, because libmilter's threads may use it at any time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/balance/balance.hpp"
#include "core/process/listener.hpp"
#include "core/process/loop.hpp"
#include "core/process/signals.hpp"
#include "python/handlers/handlers.hpp"
#include "python/handlers/report.hpp"

namespace pymilter {

class Service {
public:
    Service(std::string name, std::shared_ptr<Handlers> handlers, Report report);

    // The service of this process, or null before register_callbacks().
    static Service *registered() noexcept;

    Handlers &handlers() const { return *m_handlers; }
    const Report &report() const { return m_report; }
    Balance &balance() { return m_balance; }
    const Listener &listener() const { return m_listener; }
    // Whether steps may be no-reply over TCP too, on connections where that causes no delays.
    bool allows_no_reply_over_tcp() const { return m_no_reply_over_tcp; }
    // Whether every step is answered with TEMPFAIL.
    bool is_stopped() const { return m_is_stopped.load(std::memory_order_relaxed); }

    // Calls smfi_settimeout, if there is a `timeout` in seconds, and smfi_register. Throws MilterError.
    void register_callbacks(smfiDesc callbacks, std::optional<int> timeout);
    // From now on SIGTERM, SIGHUP and SIGINT are events for wait(). Called before the socket listens, because whoever
    // sees the socket may send the first signal. With `hold`, the program's own signal handlers run only once wait()
    // begins, so that they do not interrupt the thread that starts the filter. With `reloads`, SIGHUP may come any
    // number of times.
    void watch_signals(bool hold, bool reloads);
    void leave_signals();
    // Called before start() if other processes serve the same socket. See Balance::join.
    void join_balance(int memory, std::size_t slot, double patience);
    // Starts libmilter. Returns a warning for the log, or an empty string.
    std::string start(int descriptor, bool no_reply_over_tcp, bool log_connections);
    void request_stop() noexcept { m_loop.request_stop(); }
    // As Loop::wait, but runs Python's handlers for the signals that have come, and raises what they raise. In a forked
    // process it returns at once, as after the end: the parent's events are not for it.
    LoopEvent wait(std::optional<double> seconds);
    // Accepts no more connections; open ones go on.
    void stop_accepting();
    // From now on every step is answered with TEMPFAIL.
    void answer_tempfail() noexcept { m_is_stopped.store(true, std::memory_order_relaxed); }
    int open_connections() const { return m_listener.connections(); }
    // Ends libmilter's loop, and waits for its end. Returns the result of smfi_main.
    int finish();
    // In a forked process: leaves signals, socket and connections to the parent.
    void disown_in_child();

private:
    std::string m_name;
    std::shared_ptr<Handlers> m_handlers;
    Report m_report;
    Listener m_listener;
    Loop m_loop;
    Balance m_balance;
    bool m_no_reply_over_tcp = true;
    std::optional<SignalChain> m_signals;
    std::atomic<bool> m_is_stopped{false};
    std::atomic<bool> m_is_disowned{false};
};

}  // namespace pymilter
