// A session that we play with libmilter before it serves: it makes libmilter accept commands in any order.
//
// libmilter keeps a table of the commands that may follow each other. If a command may not follow, and not even HELO
// leads to it, libmilter throws it away without an answer: the MTA waits out its timeout and goes on without the
// filter. A sender can cause that, by DATA after a refused DATA or by an unknown command between two BDAT chunks.
//
// Steps that a filter has negotiated off may be left out, and libmilter notes that in the table, which all sessions of
// the process share. So the first session is ours and negotiates every step off: after it HELO leads to each command of
// a message, and none is thrown away. The same session shows whether that worked, and whether the state of a session is
// where we read it.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/process/loop.hpp"
#include "core/protocol/negotiation.hpp"
#include "core/protocol/step.hpp"

namespace pymilter {

class Rehearsal {
public:
    struct Result {
        bool was_played = false;       // false if libmilter did not serve the session to its end
        bool takes_any_order = false;  // each command reached its callback
        bool shows_state = false;      // ContextHead::state was right at each callback
    };

    // Plays the session over `connection`, the first connection that libmilter gets in this process, and closes it.
    // Plays nothing if `connection` is -1.
    static Result play(int connection, const Loop &loop);

    // While the session is played, each callback calls note() and does nothing else.
    static bool is_on() noexcept;
    static Options agreed() noexcept;
    static sfsistat note(const SMFICTX *context, Step step) noexcept;

    // Whether libmilter calls `abort` by itself, because the connection broke or because it did not expect a command:
    // the next callback shows which. False for an ABORT from the MTA, and if the state cannot be read.
    static bool is_own_abort(const SMFICTX *context) noexcept;
};

}  // namespace pymilter
