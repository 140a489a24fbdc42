// What handlers start. Programs get the signal mask of the main program instead of the one of libmilter's threads, and
// threads belong to the message during which they are started.
#pragma once

namespace pymilter {

// Notes the signal mask of the calling thread, and watches what handlers start. Called before libmilter's threads
// begin. Needs the GIL.
void watch_spawning();

}  // namespace pymilter
