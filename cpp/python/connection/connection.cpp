// What one SMFICTX owns, from negotiate to close: options agreed, the user's object, failures, edits held back.
#include "python/connection/connection.hpp"

#include "core/process/counters.hpp"
#include "core/protocol/libmilter.hpp"
#include "core/protocol/peer_text.hpp"
#include "python/interpreter/errors.hpp"
#include "python/interpreter/gil.hpp"
#include "python/connection/spawning.hpp"

namespace pymilter {

namespace {

std::atomic<bool> is_forked{false};

// libmilter does not write to the name.
const char *macro(SMFICTX *context, const char *name) { return ::smfi_getsymval(context, const_cast<char *>(name)); }

// Runs `work` under `mutex`, which is never held while the GIL is being taken. Needs the GIL.
template <typename Work>
void run_locked(std::mutex &mutex, Work &&work) {
    if (const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock); lock.owns_lock()) {
        work();
    } else {
        const Release release;
        const std::lock_guard<std::mutex> guard(mutex);
        work();
    }
}

}  // namespace

Connection::Connection(SMFICTX *context) : m_context(context), m_id(counters.connections_opened.fetch_add(1) + 1) {}

Connection::~Connection() { Counters::add(counters.connections_freed); }

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
    Counters::add(counters.connections_closed);
    // Waits for a thread of the user's that is inside a call which it makes through its handle.
    run_locked(connection->m_mutex, [&] { connection->m_context.store(nullptr); });
    connection->m_mark.clear();
    connection->receiver = py::object();
    connection->priv = py::object();
    connection->handle = py::object();
    connection->plan.reset();
    connection->m_self.reset();
}

void Connection::enter(Step step) noexcept { m_step.store(step, std::memory_order_relaxed); }

void Connection::leave() noexcept {
    // Waits for a call that another thread of the user's still makes: libmilter goes on with the context after this.
    // The call may wait for the peer, so that the GIL must not be held meanwhile.
    run_locked(m_mutex, [&] { m_step.store(Step::idle, std::memory_order_relaxed); });
}

int Connection::locked_call(const Call &function, MessageNumber number) {
    SMFICTX *const context = m_context.load();
    return context == nullptr || step() == Step::idle || is_over(number) ? MI_FAILURE : function(context);
}

void Connection::check_open(const char *what) const {
    if (m_context.load() == nullptr) {
        raise_milter_error(std::string{what} + " is not possible: the connection is closed");
    }
}

void Connection::check_usable(const char *what, MessageNumber number) const {
    check_open(what);
    if (is_over(number)) {
        raise_milter_error(std::string{what} +
                           " is not possible: the message has ended to which this handle, or the "
                           "thread that uses it, belongs (self.context, taken in a callback, is its message's handle)");
    }
    if (step() == Step::idle) {
        raise_milter_error(std::string{what} + " is not possible between two callbacks");
    }
}

void Connection::call(const char *what, const Call &function, MessageNumber number, bool may_block) {
    number = checked_message(what, number);
    check_usable(what, number);
    int result = MI_FAILURE;
    std::unique_lock<std::mutex> lock(m_mutex, std::defer_lock);
    if (!may_block && lock.try_lock()) {
        result = locked_call(function, number);
        lock.unlock();
    } else {
        const Release release;
        lock.lock();
        result = locked_call(function, number);
        lock.unlock();
    }
    if (result != MI_SUCCESS) {
        check_usable(what, number);
        raise_milter_error(std::string{"libmilter could not carry out "} + what + " at " + handler_name(step()) +
                           " (is the MTA still there?)");
    }
}

MessageNumber Connection::message_number() const {
    if (Attach::connection() != this) {
        return is_classic ? any_message : message_of_thread(m_id);
    }
    return has_message() ? m_message_number.load() : any_message;
}

std::optional<MessageNumber> Connection::message_of_caller(MessageNumber number) const {
    if (number != any_message || is_classic || Attach::connection() == this) {
        return number;
    }
    const MessageNumber of_thread = message_of_thread(m_id);
    return of_thread == any_message ? std::nullopt : std::optional{of_thread};
}

MessageNumber Connection::checked_message(const char *what, MessageNumber number) const {
    if (const auto found = message_of_caller(number)) {
        return *found;
    }
    check_usable(what, any_message);
    raise_milter_error(std::string{what} +
                       " is not possible in this thread: nothing tells for which message it works. Take self.context "
                       "in the handler, which is the handle of this message, and call " +
                       what + " of it");
}

bool Connection::call_unattached(Step step, const Call &function) noexcept {
    const std::lock_guard<std::mutex> lock(m_mutex);
    enter(step);
    const int result = locked_call(function);
    m_step.store(Step::idle, std::memory_order_relaxed);
    return result == MI_SUCCESS;
}

std::string Connection::peer() {
    std::string peer;
    run_locked(m_mutex, [&] {
        SMFICTX *const context = m_context.load();
        if (m_peer.empty() && context != nullptr && step() != Step::idle) {
            m_peer = peer_text_of_macros(macro(context, "{client_name}"), macro(context, "{client_addr}"),
                                         macro(context, "_"));
        }
        peer = m_peer;
    });
    return peer;
}

bool Connection::is_about_message() const {
    switch (step()) {
    case Step::idle:
    case Step::close:
        return false;
    case Step::unknown:
        return m_mark.is_set();
    default:
        return !is_connection_step(step());
    }
}

std::optional<std::string> Connection::queue_id(MessageNumber number) {
    const auto asked_for = message_of_caller(number);
    if (!asked_for) {
        return std::nullopt;
    }
    std::optional<std::string> queue_id;
    run_locked(m_mutex, [&] {
        SMFICTX *const context = m_context.load();
        if (context != nullptr && is_about_message() && !is_over(*asked_for)) {
            if (const char *const found = macro(context, "i"); found != nullptr && m_old_queue_id != found) {
                queue_id = found;
            }
        }
    });
    return queue_id;
}

void Connection::note_queue_id() noexcept {
    constexpr std::uint32_t clearing = SMFIP_NOMAIL | SMFIP_NORCPT;
    if ((options.protocol & clearing) != clearing) {
        return;
    }
    const std::lock_guard<std::mutex> lock(m_mutex);
    SMFICTX *const context = m_context.load();
    const char *const found = context == nullptr ? nullptr : macro(context, "i");
    try {
        m_old_queue_id = found == nullptr ? "" : found;
    } catch (const std::bad_alloc &) {
        m_old_queue_id.clear();
    }
}

void Connection::set_peer(std::string peer) {
    run_locked(m_mutex, [&] { m_peer = std::move(peer); });
}

Origin Connection::origin() const {
    const std::lock_guard<std::mutex> lock(m_origin_mutex);
    return m_origin;
}

void Connection::note_client(const char *hostname, SocketAddress address) {
    std::string peer = peer_text(hostname, address);
    {
        const std::lock_guard<std::mutex> lock(m_mutex);
        m_peer = std::move(peer);
    }
    const std::lock_guard<std::mutex> lock(m_origin_mutex);
    m_origin.hostname = hostname == nullptr ? "" : hostname;
    m_origin.address = std::move(address);
}

void Connection::note_helo(const char *name) {
    const std::lock_guard<std::mutex> lock(m_origin_mutex);
    m_origin.helo = name == nullptr ? "" : name;
}

void Connection::disown_all_in_child() noexcept { is_forked.store(true, std::memory_order_relaxed); }

void Connection::check_at(Step wanted, const char *what, MessageNumber number) const {
    check_usable(what, number);
    if (is_forked.load(std::memory_order_relaxed)) {
        // Its descriptor is closed here, and by now may be that of a file.
        raise_milter_error(std::string{what} +
                           " is not possible in a process that a handler has forked: the connection "
                           "is the parent's");
    }
    if (step() != wanted) {
        raise_milter_error(std::string{what} + " is possible only at " + handler_name(wanted) + ", not at " +
                           handler_name(step()));
    }
}

void Connection::edit(std::uint32_t action, const char *what, Call function, MessageNumber number) {
    number = checked_message(what, number);
    check_at(Step::eom, what, number);
    if (!options.has_action(action)) {
        raise_disabled_action(action, what);
    }
    if (message.body_begun) {
        // Under the lock, like a call: flush_edits must not find it half done by a thread of the user's.
        const auto hold = [&](SMFICTX *) {
            message.held_edits.push_back(std::move(function));
            return MI_SUCCESS;
        };
        call(what, hold, number);
    } else {
        socket.cork();
        call(what, function, number, true);
    }
    counters.count_edit(what);
}

void Connection::replace_body(const Call &function, MessageNumber number) {
    number = checked_message("replacebody", number);
    check_at(Step::eom, "replacebody", number);
    if (!options.has_action(SMFIF_CHGBODY)) {
        raise_disabled_action(SMFIF_CHGBODY, "replacebody");
    }
    message.body_begun = true;
    socket.cork();
    call("replacebody", function, number, true);
    counters.count_edit("replacebody");
}

bool Connection::flush_edits() noexcept {
    const std::lock_guard<std::mutex> lock(m_mutex);
    bool sent = true;
    for (const auto &function : message.held_edits) {
        sent = sent && function(m_context.load()) == MI_SUCCESS;
    }
    message.held_edits.clear();
    return sent;
}

const Answer *Connection::failure() const noexcept {
    const auto &failure = m_connection_failure ? m_connection_failure : message.failure;
    return failure ? &*failure : nullptr;
}

void Connection::reset_message() noexcept {
    note_queue_id();
    m_mark.clear();
    m_message_number.fetch_add(1);
    message = Message();
    gathered.clear();
}

}  // namespace pymilter
