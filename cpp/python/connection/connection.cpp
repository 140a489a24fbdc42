// What one SMFICTX owns, from negotiate to close: the options agreed, the user's object, the message under way,
// failures.
#include "python/connection/connection.hpp"

#include "core/process/counters.hpp"
#include "core/protocol/libmilter.hpp"
#include "core/protocol/peer_text.hpp"
#include "python/interpreter/errors.hpp"
#include "python/interpreter/gil.hpp"
#include "python/interpreter/threads.hpp"

namespace pymilter {

namespace {

// libmilter does not write to the name.
const char *macro(SMFICTX *context, const char *name) { return ::smfi_getsymval(context, const_cast<char *>(name)); }

}  // namespace

Connection::Connection(SMFICTX *context) : Calls(context), m_id(counters.connections_opened.fetch_add(1) + 1) {}

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
    connection->end_calls();
    connection->m_mark.clear();
    connection->receiver = py::object();
    connection->priv = py::object();
    connection->context_object = py::object();
    connection->plan.reset();
    connection->m_self.reset();
}

MessageNumber Connection::message_number() const {
    if (Attach::connection() != this) {
        return is_classic ? any_message : message_of_thread(m_id);
    }
    return has_message() ? current_message() : any_message;
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

std::string Connection::peer() {
    std::string peer;
    locked([&](SMFICTX *context) {
        if (m_peer.empty()) {
            const Origin client = origin();
            m_peer = client.hostname ? peer_text(client.hostname->c_str(), client.address) : "";
        }
        if (m_peer.empty() && context != nullptr && step() != Step::idle) {
            m_peer = peer_text_of_macros(macro(context, "{client_name}"), macro(context, "{client_addr}"),
                                         macro(context, "_"));
        }
        peer = m_peer;
    });
    return peer;
}

const char *Connection::handler_name(Step step) const { return plan ? plan->handler_name(step) : traits(step).name; }

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
    locked([&](SMFICTX *context) {
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
    locked_unattached([&](SMFICTX *context) {
        const char *const found = context == nullptr ? nullptr : macro(context, "i");
        try {
            m_old_queue_id = found == nullptr ? "" : found;
        } catch (const std::bad_alloc &) {
            m_old_queue_id.clear();
        }
    });
}

Origin Connection::origin() const {
    const std::lock_guard<std::mutex> lock(m_origin_mutex);
    return {m_hostname, to_socket_address(reinterpret_cast<const sockaddr *>(&m_address)), m_helo};
}

void Connection::note_client(const char *hostname, const sockaddr *address) {
    {
        const std::lock_guard<std::mutex> lock(m_origin_mutex);
        m_hostname = hostname == nullptr ? "" : hostname;
        m_address = copy_address(address);
    }
    // Afterwards, so that no other thread can fill it with the earlier client.
    locked_unattached([&](SMFICTX *) { m_peer.clear(); });
}

void Connection::note_helo(const char *name) {
    const std::lock_guard<std::mutex> lock(m_origin_mutex);
    m_helo = name == nullptr ? "" : name;
}

const Answer *Connection::failure() const noexcept {
    const auto &failure = m_connection_failure ? m_connection_failure : message.failure;
    return failure ? &*failure : nullptr;
}

void Connection::reset_message() noexcept {
    note_queue_id();
    m_mark.clear();
    end_current_message();
    message = Message();
    gathered.clear();
}

}  // namespace pymilter
