// What one SMFICTX owns, from negotiate to close: options agreed, the user's object, failures, edits held back.
//
// Callbacks of one connection never overlap, though they come on many threads; so its state has one owner at a time.
// Only the calls of libmilter may come from another thread of the user's: a mutex guards them, and it is never held
// while the GIL is being taken.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/protocol/negotiation.hpp"
#include "core/process/peer_socket.hpp"
#include "core/balance/balance.hpp"
#include "core/protocol/step.hpp"
#include "core/protocol/socket_address.hpp"
#include "core/process/traffic.hpp"
#include "python/connection/message.hpp"
#include "python/interpreter/python.hpp"
#include "python/handlers/plan.hpp"

namespace pymilter {

// The SMTP client as connect and HELO told of it.
struct Origin {
    std::optional<std::string> hostname;
    SocketAddress address;
    std::optional<std::string> helo;
};

class Connection {
public:
    using Call = std::function<int(SMFICTX *)>;

    // Bound to `context` as its private data until close(). Throws std::bad_alloc.
    static Connection &open(SMFICTX *context);
    static Connection *find(SMFICTX *context) noexcept;
    // libmilter's context is about to die: drops the user's objects, and every handle raises from now on. Needs the
    // GIL.
    static void close(SMFICTX *context) noexcept;

    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    std::shared_ptr<Connection> handle_to_self() const { return m_self; }
    std::uint64_t id() const { return m_id; }
    // The SMTP client as peer_text() has it: as connect told, else from macros, while these can be read. Needs the GIL.
    std::string peer();
    void set_peer(std::string peer);
    // Noted where the plan gathers whole messages, otherwise empty. origin() from any thread, the others without the
    // GIL.
    Origin origin() const;
    void note_client(const char *hostname, SocketAddress address);
    void note_helo(const char *name);
    // Macro i, within a callback that is about a message. libmilter itself goes on telling it when the message has
    // ended, and where neither MAIL nor RCPT is negotiated even in the next one, until EOM. Needs the GIL.
    std::optional<std::string> queue_id(MessageNumber number = any_message);

    // Between these two the user's code runs, and calls of libmilter are allowed. leave() needs the GIL.
    void enter(Step step) noexcept;
    void leave() noexcept;
    bool is_at(Step step) const noexcept { return m_step.load(std::memory_order_relaxed) == step; }

    // Throws MilterError when libmilter's context is gone.
    void check_open(const char *what) const;

    // Calls libmilter. Needs the GIL and gives it up while it waits; also during the call where it `may_block`. Throws
    // MilterError when the connection is closed or between two callbacks, when `number` has ended, or when libmilter
    // refuses.
    void call(const char *what, const Call &function, MessageNumber number, bool may_block = false);
    // The same without the GIL, for dispatch itself. False when libmilter refuses.
    bool call_unattached(Step step, const Call &function) noexcept;

    // An edit of the message: only at eom, only with its action granted. Throws MilterError or DisabledAction.
    // Postfix wants the chunks of a body in one run, so what is edited after the first chunk waits for flush_edits.
    void edit(std::uint32_t action, const char *what, Call function, MessageNumber number);
    void replace_body(const Call &function, MessageNumber number);
    // In a forked process: the connections stay the parent's, and nothing is sent over them.
    static void disown_all_in_child() noexcept;
    // Throws MilterError unless the step is `wanted`; `what` names the call.
    void check_at(Step wanted, const char *what, MessageNumber number) const;
    // The message that a request through a handle is for. The handle of a message names it; for the handle of the
    // connection (any_message) it is that of the calling thread. Throws MilterError in a thread that may be at work for
    // any message, such as one of a pool: what it asks too late would change another one. Needs the GIL.
    MessageNumber checked_message(const char *what, MessageNumber number) const;
    // The message that the calling thread works for: within a callback the one under way, in a thread that a handler
    // has started the one in which it was started. any_message if there is none. Needs the GIL.
    MessageNumber message_number() const;
    // Without the GIL, when eom is over. False when libmilter could not send an edit.
    bool flush_edits() noexcept;

    // What is answered at each step that can, until the connection or the message ends.
    void keep_connection_failure(Answer answer) { m_connection_failure = std::move(answer); }
    void keep_message_failure(Answer answer) { message.failure = std::move(answer); }
    const Answer *failure() const noexcept;
    // False for a step of a message that comes without MAIL, although the MTA is to send that. Only a peer that is no
    // MTA does so; a handler may rely on what `envfrom` noted.
    bool begin_envelope(Step step) noexcept {
        message.has_envelope = message.has_envelope || step == Step::envfrom || (options.protocol & SMFIP_NOMAIL) != 0;
        return message.has_envelope;
    }
    // A message is under way until reset_message(). False when it is too late for it: the filter is about to stop.
    bool begin_message() noexcept {
        message.has_begun = true;
        return m_mark.set();
    }
    bool has_message() const noexcept { return m_mark.is_set(); }
    // False for one that was refused before a handler could hear of it, so that its end is no news either.
    bool knows_message() const noexcept { return !m_connection_failure && !is_too_late; }
    // Nobody waits for the message any more, but it may go on.
    void pause_message() noexcept { m_mark.clear(); }
    // Forgets what belonged to the last message. Without the GIL.
    void reset_message() noexcept;

    Options options;                   // agreed in negotiation
    Balance::Seat seat;                // among those that this process has taken, until close begins
    PeerSocket socket;                 // over TCP only, and only if it could be found
    Message message;                   // the one under way
    Gathered gathered;                 // what has been gathered of it
    bool is_negotiated = false;        // false after a QUIT_NC: libmilter does not pass on what was agreed before
    bool is_classic = false;           // any thread may use the connection's handle, for the message under way
    bool has_run_handler = false;      // since its object was last looked at for handlers that are set on it
    bool is_given_up = false;          // the filter has stopped, and this has been logged
    bool is_too_late = false;          // a message came after that
    std::shared_ptr<const Plan> plan;  // null until the receiver is made
    py::object receiver;               // first argument of each handler: the user's object, or the handle
    py::object handle;                 // the Context
    py::object priv;                   // setpriv, getpriv

private:
    explicit Connection(SMFICTX *context);
    // As checked_message, but returns nothing in place of throwing.
    std::optional<MessageNumber> message_of_caller(MessageNumber number) const;
    Step step() const { return m_step.load(std::memory_order_relaxed); }
    const char *handler_name(Step step) const { return plan ? plan->handler_name(step) : traits(step).name; }
    void check_usable(const char *what, MessageNumber number) const;  // throws MilterError; needs the GIL
    bool is_over(MessageNumber number) const noexcept {
        return number != any_message && number != m_message_number.load();
    }
    bool is_about_message() const;
    void note_queue_id() noexcept;
    // MI_FAILURE when the context is gone, or the message.
    int locked_call(const Call &function, MessageNumber number = any_message);

    std::shared_ptr<Connection> m_self;  // libmilter's share of the ownership
    std::mutex m_mutex;                  // guards the calls of libmilter
    std::atomic<SMFICTX *> m_context;
    std::atomic<Step> m_step{Step::idle};
    const std::uint64_t m_id;
    std::optional<Answer> m_connection_failure;
    MessageMark m_mark;  // of the message under way
    std::atomic<MessageNumber> m_message_number{1};
    mutable std::mutex m_origin_mutex;
    Origin m_origin;
    std::string m_peer;          // guarded by m_mutex; empty until it is known
    std::string m_old_queue_id;  // likewise; of the message before, where libmilter may go on telling it
};

}  // namespace pymilter
