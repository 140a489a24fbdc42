// How this process serves its filter: register with libmilter, listen, run libmilter's loop, wait for events, stop.
#include "python/service/service.hpp"

#include <chrono>
#include <cstdint>

#include "core/body/body_buffer.hpp"
#include "core/process/rehearsal.hpp"
#include "python/connection/connection.hpp"
#include "python/interpreter/errors.hpp"
#include "python/interpreter/gil.hpp"
#include "python/connection/spawning.hpp"
#include "python/interpreter/wakeup.hpp"

namespace pymilter {

namespace {

std::atomic<Service *> the_service{nullptr};

std::chrono::milliseconds to_milliseconds(double seconds) {
    return std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
}

}  // namespace

Service::Service(std::string name, std::shared_ptr<Handlers> handlers, Report report)
    : m_name(std::move(name)), m_handlers(std::move(handlers)), m_report(std::move(report)) {}

Service *Service::registered() noexcept { return the_service.load(std::memory_order_acquire); }

void Service::register_callbacks(smfiDesc callbacks, std::optional<int> timeout) {
    Service *nobody = nullptr;
    if (!the_service.compare_exchange_strong(nobody, this)) {
        raise_milter_error("a filter is registered already: there is one filter in a process");
    }
    if (timeout) {
        ::smfi_settimeout(*timeout);
    }
    callbacks.xxfi_name = m_name.data();
    if (::smfi_register(callbacks) != MI_SUCCESS) {
        the_service.store(nullptr);
        raise_milter_error("libmilter refused to register the filter (smfi_register)");
    }
}

void Service::watch_signals(bool hold, bool reloads) {
    m_signals.emplace(m_loop.signal_descriptor(), hold, reloads);
    Wakeup::claim(m_loop.signal_descriptor());
}

void Service::leave_signals() {
    if (m_signals) {
        Wakeup::release(m_loop.signal_descriptor());
        m_signals.reset();
    }
}

std::string Service::start(int descriptor, bool no_reply_over_tcp, bool log_connections) {
    if (m_is_disowned.load()) {
        raise_milter_error("this process was forked while the filter started: the filter is its parent's");
    }
    m_no_reply_over_tcp = no_reply_over_tcp;
    m_report.set_logs_connections(log_connections);
    note_temporary_folder();
    const int rehearsal = m_listener.prepare(descriptor);
    watch_spawning();
    m_balance.start(m_listener, m_loop);
    Rehearsal::Result libmilter;
    {
        const Release release;
        m_loop.start();
        libmilter = Rehearsal::play(rehearsal, m_loop);
        if (m_listener.adopt()) {
            m_loop.renew_poll();
        }
    }
    if ((libmilter.takes_any_order && libmilter.shows_state) || m_loop.has_ended()) {
        return "";
    }
    const std::string reason =
        libmilter.was_played ? "this libmilter throws them away" : "libmilter could not be reached to change that";
    return "commands that come out of order may get no answer, so that a sender can get a message past the filter: " +
           reason + " (docs/explanation/design.md, \"No command goes unanswered\")";
}

void Service::join_balance(int memory, std::size_t slot, double patience) {
    m_balance.join(memory, slot, to_milliseconds(patience));
}

LoopEvent Service::wait(std::optional<double> seconds) {
    if (m_is_disowned.load()) {
        return {LoopEvent::Kind::ended};
    }
    std::optional<std::chrono::milliseconds> limit;
    if (seconds) {
        limit = to_milliseconds(*seconds);
    }
    if (m_signals) {
        m_signals->let_through();
    }
    LoopEvent event;
    {
        const Release release;
        event = m_loop.wait(limit);
    }
    if (PyErr_CheckSignals() != 0) {
        throw py::error_already_set();
    }
    if (m_signals) {
        m_signals->renew();
    }
    return event;
}

void Service::stop_accepting() {
    const Release release;
    m_balance.leave();
    m_loop.stop_accepting(m_listener);
}

int Service::finish() {
    int result = MI_SUCCESS;
    {
        const Release release;
        m_balance.leave();
        result = m_loop.finish();
        m_is_stopped.store(true, std::memory_order_relaxed);
    }
    leave_signals();
    return result;
}

void Service::disown_in_child() {
    m_is_disowned.store(true);
    m_is_stopped.store(true, std::memory_order_relaxed);
    leave_signals();
    m_balance.disown_in_child();
    m_listener.disown_in_child();
    Connection::disown_all_in_child();
    Gate::disown_in_child();
}

}  // namespace pymilter
