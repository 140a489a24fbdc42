// A session that we play with libmilter before it serves: it makes libmilter take commands in any order.
//
// libmilter keeps a table of the commands that may follow each other. A command that is not in it, and cannot be
// reached from HELO either, is thrown away without an answer: the MTA waits out its timeout and goes on without the
// filter. A sender can bring that about, with DATA after a refused DATA or an unknown command between two BDAT chunks.
//
// A step that a filter has negotiated off may be passed over, and libmilter notes that in the table of the process, for
// all sessions that follow. So the first session is ours, and negotiates every step off: after it each command of a
// message can be reached from HELO, and none is thrown away. The same session shows whether that is so, and whether the
// state of a session is where we look for it.
#pragma once

#include "core/protocol/libmilter.hpp"
#include "core/process/loop.hpp"
#include "core/protocol/negotiation.hpp"
#include "core/protocol/step.hpp"

namespace pymilter {

class Rehearsal {
public:
    struct Result {
        bool was_played = false;       // false if libmilter did not serve it to its end
        bool takes_any_order = false;  // each command reached its callback
        bool shows_state = false;      // ContextHead::state is what it must be
    };

    // Plays the session over `connection`, the first one that libmilter gets in this process, and closes it. With -1
    // nothing is played.
    static Result play(int connection, const Loop &loop);

    // While it is played, each callback notes itself here and does nothing else.
    static bool is_on() noexcept;
    static Options agreed() noexcept;
    static sfsistat note(const SMFICTX *context, Step step) noexcept;

    // Whether libmilter calls `abort` by itself, because the connection broke or because of a command that it did not
    // expect: the next callback shows which. False for an ABORT of the MTA's, and if the state cannot be known.
    static bool is_own_abort(const SMFICTX *context) noexcept;
};

}  // namespace pymilter
