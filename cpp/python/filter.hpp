// The filter of this process: how connections get their receiver, what happens on failure, register, run, stop.
//
// There is one, because smfi_register and smfi_main keep static state. Once registered it is never freed: libmilter's
// threads may come back to it at any time.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/listener.hpp"
#include "core/loop.hpp"
#include "core/share.hpp"
#include "core/signals.hpp"
#include "python/connection.hpp"
#include "python/python.hpp"
#include "python/receiver.hpp"

namespace pymilter {

// Of Python's logging module.
enum class LogLevel { debug = 10, warning = 30, error = 40 };

class Filter {
public:
    // `report(level, step, what)` logs an exception, or a text; it must not raise.
    Filter(std::string name, int exception_policy, py::object report);

    // The one that callbacks go to, or null before register_filter().
    static Filter *registered() noexcept;

    // Methods of one object per connection: `make()` gives the object, `plan_of(type)` the Plan of its class, and
    // `plan_of(object)` that of an object which has handlers set on itself.
    void use_methods(py::object make, py::object plan_of);
    // Functions: `callback(context, ...)` or None. Returns the one before. Counts for connections that come later.
    py::object set_function(Step step, py::object callback);
    void set_wanted(Options wanted);

    void set_exception_policy(int status);
    int exception_policy() const { return m_exception_policy.load(std::memory_order_relaxed); }

    // Gives a new connection its receiver, its handle and its plan. Throws what the user's code raises.
    void furnish(Connection &connection);
    // The function for a step; null where there is none any more.
    py::object function(Step step) const;
    // Logs an exception, at a handler's failure. What the report itself raises goes to sys.unraisablehook.
    void report(const char *handler, const py::object &exception) const noexcept;
    // Logs a text.
    void tell(LogLevel level, Step step, const std::string &text) const noexcept;
    // Whether each connection's begin and end is told too, which else costs nothing. Decided at the start.
    bool tells_connections() const { return m_tells_connections; }

    // Calls smfi_register, smfi_settimeout and smfi_setbacklog. `timeout` in seconds.
    void register_filter(std::optional<int> timeout);
    // SIGTERM, SIGHUP and SIGINT end wait(): before the socket listens, because who sees it may send the first one.
    // With `hold`, handlers of the program's run once wait() begins: for the thread that they interrupt. With
    // `reloads`, SIGHUP may come again and again.
    void watch_signals(bool hold, bool reloads);
    void leave_signals();
    // `mute_over_tcp`: leave steps unanswered over TCP too, on connections where that can be made safe.
    // Returns a warning for the log, or nothing.
    std::string start(int descriptor, bool mute_over_tcp, bool tell_connections);
    // Before start(): other processes serve the same socket. See Share::use.
    void use_share(int memory, std::size_t slot, double patience);
    Share &share() { return m_share; }
    void request_stop() noexcept { m_loop.request_stop(); }
    // As Loop::wait, but runs the handlers of Python's that a signal asks for, and raises what they raise.
    int wait(std::optional<double> seconds);
    // Takes no new connection; those that are open go on.
    void refuse();
    // From now on TEMPFAIL to whatever comes.
    void answer_no_more() noexcept { m_stopped.store(true, std::memory_order_relaxed); }
    int connections() const { return m_listener.connections(); }
    int finish();
    // In a forked process, which must leave to its parent what is its parent's: signals, socket and connections.
    void abandon();

    bool is_stopped() const { return m_stopped.load(std::memory_order_relaxed); }
    // Finds out what unanswered steps do on this connection, and keeps its socket where it must be told.
    Transport transport_of(Connection &connection, SMFICTX *context) const;

private:
    void log(LogLevel level, const char *where, const py::object &what) const noexcept;
    void remake_function_plan();  // with the mutex held

    std::string m_name;
    std::atomic<int> m_exception_policy;
    py::object m_report;

    py::object m_make;
    py::object m_plan_of;  // keeps what it has read of a class

    mutable std::mutex m_functions_mutex;  // held for moments in which no code of Python's runs
    std::array<py::object, step_count> m_functions;
    Options m_wanted;
    std::shared_ptr<const Plan> m_function_plan;

    Listener m_listener;
    Loop m_loop;
    Share m_share;
    bool m_mute_over_tcp = true;
    bool m_tells_connections = false;
    std::optional<SignalChain> m_signals;
    std::atomic<bool> m_stopped{false};
};

}  // namespace pymilter
