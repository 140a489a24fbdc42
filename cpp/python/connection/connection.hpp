// What one SMFICTX owns, from negotiate to close: the options agreed, the user's object, the message under way,
// failures.
//
// Callbacks of one connection never overlap, though they come on many threads, so this state has one owner at a time.
// Only calls of libmilter may come from other threads of the program, and these are guarded (Calls).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/protocol/negotiation.hpp"
#include "core/process/peer_socket.hpp"
#include "core/balance/balance.hpp"
#include "core/protocol/step.hpp"
#include "core/protocol/socket_address.hpp"
#include "core/process/traffic.hpp"
#include "python/connection/calls.hpp"
#include "python/connection/message.hpp"
#include "python/interpreter/python.hpp"
#include "python/handlers/plan.hpp"

namespace pymilter {

// The SMTP client as connect and HELO described it.
struct Origin {
    std::optional<std::string> hostname;  // empty until connect
    SocketAddress address;
    std::optional<std::string> helo;
};

class Connection final : public Calls {
public:
    // Binds a new connection to `context`, as its private data, until close(). Throws std::bad_alloc.
    static Connection &open(SMFICTX *context);
    static Connection *find(SMFICTX *context) noexcept;
    // The context of libmilter is about to die: drops the user's objects, and from now on every handle raises. Needs
    // the GIL.
    static void close(SMFICTX *context) noexcept;

    ~Connection() override;
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    std::shared_ptr<Connection> handle() const { return m_self; }
    std::uint64_t id() const { return m_id; }

    // The SMTP client as peer_text() writes it: from connect, otherwise from the macros, which can be read only
    // while a callback runs. Needs the GIL.
    std::string peer();
    // What note_client() and note_helo() have noted. Any thread.
    Origin origin() const;
    // Called without the GIL. note_helo() only if the plan gathers whole messages.
    void note_client(const char *hostname, const sockaddr *address);
    void note_helo(const char *name);
    // Macro i, while a callback about a message runs. libmilter itself goes on reporting it after the message, and if
    // neither MAIL nor RCPT is negotiated, even in the next message until EOM. Needs the GIL.
    std::optional<std::string> queue_id(MessageNumber number = any_message);

    // As Calls::call, for a request through a handle: `number` is first checked as checked_message() does.
    void request(const char *what, const Call &function, MessageNumber number) {
        call(what, function, checked_message(what, number));
    }
    // The message that a request through a handle is for. The handle of a message names its message; for the handle of
    // the connection (any_message) it is the message of the calling thread. Throws MilterError in a thread that may
    // work for any message, such as one of a pool: a late request would change another message. Needs the GIL.
    MessageNumber checked_message(const char *what, MessageNumber number) const;
    // The message that the calling thread works for: in a callback the message under way, in a thread that a handler
    // has started the message during which it was started. any_message if there is none. Needs the GIL.
    MessageNumber message_number() const;

    // A kept failure is the answer to every step that can be answered, until the connection or the message ends.
    void keep_connection_failure(Answer answer) { m_connection_failure = std::move(answer); }
    void keep_message_failure(Answer answer) { message.failure = std::move(answer); }
    const Answer *failure() const noexcept;

    // Returns false for a step of a message that comes without MAIL although MAIL was negotiated. Only a peer that is
    // no MTA does that, and handlers rely on what `envfrom` noted.
    bool begin_envelope(Step step) noexcept {
        message.has_envelope = message.has_envelope || step == Step::envfrom || (options.protocol & SMFIP_NOMAIL) != 0;
        return message.has_envelope;
    }
    // The message is under way from now on until reset_message(). Returns false if the filter is stopping, so that no
    // message may begin.
    bool begin_message() noexcept {
        message.has_begun = true;
        return m_mark.set();
    }
    bool has_message() const noexcept { return m_mark.is_set(); }
    // False if the message was refused before any handler ran; abort() is then not called for it.
    bool knows_message() const noexcept { return !m_connection_failure; }
    // Whoever stops the filter need not wait for the message any more, but the message may go on.
    void pause_message() noexcept { m_mark.clear(); }
    // Forgets what belonged to the last message. Called without the GIL.
    void reset_message() noexcept;

    Options options;                   // agreed in negotiation
    Balance::Seat seat;                // counts the connection for Balance, until close begins
    PeerSocket socket;                 // over TCP only, and only if its descriptor was found
    Message message;                   // the message under way
    Gathered gathered;                 // what has been gathered of it
    bool is_negotiated = false;        // false after a QUIT_NC: libmilter does not pass on what was agreed before
    bool is_classic = false;           // any thread may use the handle of the connection, for the message under way
    bool has_run_handler = false;      // since the object was last searched for handlers that are set on it
    bool is_given_up = false;          // the filter has stopped, and this has been logged
    std::shared_ptr<const Plan> plan;  // null until the receiver is made
    py::object receiver;               // first argument of each handler: the user's object, or the Context
    py::object context_object;         // the Context, Python's handle on this connection
    py::object priv;                   // setpriv, getpriv

protected:
    const char *handler_name(Step step) const override;

private:
    explicit Connection(SMFICTX *context);
    // As checked_message(), but returns nothing instead of throwing.
    std::optional<MessageNumber> message_of_caller(MessageNumber number) const;
    bool is_about_message() const;
    void note_queue_id() noexcept;

    std::shared_ptr<Connection> m_self;  // what keeps the connection alive for libmilter
    const std::uint64_t m_id;
    std::optional<Answer> m_connection_failure;
    MessageMark m_mark;  // counts the message under way in Traffic
    mutable std::mutex m_origin_mutex;
    std::optional<std::string> m_hostname;
    std::optional<std::string> m_helo;
    sockaddr_storage m_address{};  // becomes text only if somebody asks: that takes longer than the rest of connect
    // Guarded by the lock of Calls.
    std::string m_peer;          // empty until it is known
    std::string m_old_queue_id;  // the id of the last message, if libmilter may go on reporting it
};

}  // namespace pymilter
