// What one SMFICTX owns, from negotiate to close: options agreed, the user's object, failures, edits held back.
#include "python/connection.hpp"

#include "core/counters.hpp"
#include "core/libmilter.hpp"
#include "python/errors.hpp"
#include "python/gil.hpp"

namespace pymilter {

Connection::Connection(SMFICTX *context) : m_context(context), m_id(counters.connections_opened.fetch_add(1) + 1) {}

Connection::~Connection() { Counters::add(counters.connections_closed); }

Connection &Connection::open(SMFICTX *context) {
    std::shared_ptr<Connection> connection(new Connection(context));
    connection->m_self = connection;
    ::smfi_setpriv(context, connection.get());
    return *connection;
}

Connection *Connection::find(SMFICTX *context) noexcept { return static_cast<Connection *>(::smfi_getpriv(context)); }

void Connection::close(SMFICTX *context) noexcept {
    Connection *const connection = find(context);
    ::smfi_setpriv(context, nullptr);
    if (std::unique_lock<std::mutex> lock(connection->m_mutex, std::try_to_lock); lock.owns_lock()) {
        connection->m_context.store(nullptr);
    } else {
        // A thread of the user's is inside a call that it makes through its handle.
        const Release release;
        lock.lock();
        connection->m_context.store(nullptr);
        lock.unlock();
    }
    connection->m_message.clear();
    connection->receiver = py::object();
    connection->priv = py::object();
    connection->handle = py::object();
    connection->plan.reset();
    connection->m_self.reset();
}

void Connection::enter(Step step) noexcept { m_step.store(step, std::memory_order_relaxed); }

void Connection::leave() noexcept {
    // Waits for a call that another thread of the user's still makes: libmilter goes on with the context after this.
    const std::lock_guard<std::mutex> lock(m_mutex);
    m_step.store(Step::idle, std::memory_order_relaxed);
}

int Connection::locked_call(const Call &function) {
    SMFICTX *const context = m_context.load();
    return context == nullptr || step() == Step::idle ? MI_FAILURE : function(context);
}

void Connection::check_open(const char *what) const {
    if (m_context.load() == nullptr) {
        raise_milter_error(std::string{what} + " is not possible: the connection is closed");
    }
}

void Connection::check_usable(const char *what) const {
    check_open(what);
    if (step() == Step::idle) {
        raise_milter_error(std::string{what} + " is not possible between two callbacks");
    }
}

void Connection::call(const char *what, const Call &function, bool may_block) {
    check_usable(what);
    int result = MI_FAILURE;
    std::unique_lock<std::mutex> lock(m_mutex, std::defer_lock);
    if (!may_block && lock.try_lock()) {
        result = locked_call(function);
        lock.unlock();
    } else {
        const Release release;
        lock.lock();
        result = locked_call(function);
        lock.unlock();
    }
    if (result != MI_SUCCESS) {
        check_usable(what);
        raise_milter_error(std::string{"libmilter could not carry out "} + what + " at " + traits(step()).name +
                           " (is the MTA still there?)");
    }
}

bool Connection::call_unattached(const Call &function) noexcept {
    const std::lock_guard<std::mutex> lock(m_mutex);
    return locked_call(function) == MI_SUCCESS;
}

void Connection::check_at(Step wanted, const char *what) const {
    check_usable(what);
    if (step() != wanted) {
        raise_milter_error(std::string{what} + " is possible only at " + traits(wanted).name + ", not at " +
                           traits(step()).name);
    }
}

void Connection::edit(std::uint32_t action, const char *what, Call function) {
    check_at(Step::eom, what);
    if (!options.has_action(action)) {
        raise_disabled_action(action, what);
    }
    if (m_body_begun) {
        // Under the lock, like a call: flush_edits must not find it half done by a thread of the user's.
        call(what, [&](SMFICTX *) {
            m_held_edits.push_back(std::move(function));
            return MI_SUCCESS;
        });
    } else {
        socket.cork();
        call(what, function, true);
    }
}

void Connection::replace_body(const Call &function) {
    check_at(Step::eom, "replacebody");
    if (!options.has_action(SMFIF_CHGBODY)) {
        raise_disabled_action(SMFIF_CHGBODY, "replacebody");
    }
    m_body_begun = true;
    socket.cork();
    call("replacebody", function, true);
}

bool Connection::flush_edits() noexcept {
    const std::lock_guard<std::mutex> lock(m_mutex);
    bool sent = true;
    for (const auto &function : m_held_edits) {
        sent = sent && function(m_context.load()) == MI_SUCCESS;
    }
    m_held_edits.clear();
    return sent;
}

const Answer *Connection::failure() const noexcept {
    const auto &failure = m_connection_failure ? m_connection_failure : m_message_failure;
    return failure ? &*failure : nullptr;
}

void Connection::reset_message() noexcept {
    m_message.clear();
    m_message_failure.reset();
    m_body_begun = false;
    m_held_edits.clear();
    skips_body = false;
    plain_steps = 0;
    body.buffer.clear();
}

}  // namespace pymilter
