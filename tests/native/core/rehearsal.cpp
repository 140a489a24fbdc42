// The session that is played before libmilter serves.
#include "core/process/rehearsal.hpp"

#include <fcntl.h>

#include <atomic>

#include "core/process/context_head.hpp"
#include "served.hpp"

using namespace pymilter;

namespace {

std::atomic<int> unnoted_calls{0};
// What a callback that has a fault does: for one step it notes nothing, or
// notes another.
Step missing = Step::idle;
Step mistaken = Step::idle;

sfsistat note(SMFICTX *context, Step step) {
    if (!Rehearsal::is_on()) {
        ++unnoted_calls;
        return SMFIS_CONTINUE;
    }
    return step == missing ? SMFIS_CONTINUE : Rehearsal::note(context, step == mistaken ? Step::close : step);
}

sfsistat negotiate(SMFICTX *context, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long *actions,
                   unsigned long *protocol, unsigned long *, unsigned long *) {
    *actions = Rehearsal::agreed().actions;
    *protocol = Rehearsal::agreed().protocol;
    return note(context, Step::negotiate);
}

void register_callbacks() {
    static char name[] = "core tests";
    smfiDesc callbacks{};
    callbacks.xxfi_name = name;
    callbacks.xxfi_version = SMFI_VERSION;
    callbacks.xxfi_negotiate = negotiate;
    callbacks.xxfi_connect = [](SMFICTX *context, char *, sockaddr *) { return note(context, Step::connect); };
    callbacks.xxfi_helo = [](SMFICTX *context, char *) { return note(context, Step::helo); };
    callbacks.xxfi_envfrom = [](SMFICTX *context, char **) { return note(context, Step::envfrom); };
    callbacks.xxfi_envrcpt = [](SMFICTX *context, char **) { return note(context, Step::envrcpt); };
    callbacks.xxfi_data = [](SMFICTX *context) { return note(context, Step::data); };
    callbacks.xxfi_unknown = [](SMFICTX *context, const char *) { return note(context, Step::unknown); };
    callbacks.xxfi_header = [](SMFICTX *context, char *, char *) { return note(context, Step::header); };
    callbacks.xxfi_eoh = [](SMFICTX *context) { return note(context, Step::eoh); };
    callbacks.xxfi_body = [](SMFICTX *context, unsigned char *, std::size_t) { return note(context, Step::body); };
    callbacks.xxfi_eom = [](SMFICTX *context) { return note(context, Step::eom); };
    callbacks.xxfi_abort = [](SMFICTX *context) { return note(context, Step::abort); };
    callbacks.xxfi_close = [](SMFICTX *context) { return note(context, Step::close); };
    HOLDS(::smfi_register(callbacks) == MI_SUCCESS);
}

// Plays it with libmilter; the result in words.
std::string played(int family = AF_UNIX) {
    register_callbacks();
    Listener listener;
    Loop loop;
    const int connection = listener.prepare(served::open_listening(family));
    loop.start();
    HOLDS(!Rehearsal::is_on());
    const Rehearsal::Result result = Rehearsal::play(connection, loop);
    HOLDS(!Rehearsal::is_on());
    HOLDS(::fcntl(connection, F_GETFD) < 0);
    loop.finish();
    return std::string(result.was_played ? "played" : "") + (result.takes_any_order ? " any order" : "") +
           (result.shows_state ? " state" : "");
}

// A context of libmilter that is in this state.
bool is_own_abort_at(int state) {
    ContextHead head{};
    head.state = state;
    return Rehearsal::is_own_abort(reinterpret_cast<const SMFICTX *>(&head));
}

}  // namespace

CASE(every_command_reaches_its_callback) {
    HOLDS(!is_own_abort_at(5));  // nothing is known yet
    EQUAL(played(), "played any order state");
    EQUAL(unnoted_calls.load(), 0);
    EQUAL(Rehearsal::agreed().actions, 0U);
    HOLDS(is_own_abort_at(5));
    HOLDS(!is_own_abort_at(traits(Step::abort).state));
}

CASE(every_command_reaches_its_callback_over_tcp) { EQUAL(played(AF_INET), "played any order state"); }

CASE(a_command_that_reaches_none_is_missed) {
    missing = Step::unknown;
    EQUAL(played(), "played state");
}

CASE(the_last_command_is_missed_too) {
    missing = Step::close;
    EQUAL(played(), "played state");
}

CASE(a_callback_that_is_another_is_seen) {
    mistaken = Step::body;
    EQUAL(played(), "played state");
}

CASE(without_a_connection_nothing_is_played) {
    Loop loop;
    const Rehearsal::Result result = Rehearsal::play(-1, loop);
    HOLDS(!result.was_played && !result.takes_any_order && !result.shows_state);
    HOLDS(!is_own_abort_at(5));
}
