// Programs that handlers start get the signal mask of the program, not that of libmilter's threads.
//
// These block signals: a program that inherits that cannot be ended by SIGTERM and gets no alarm.
#pragma once

namespace pymilter {

// With the GIL, in a thread of the program: its mask is the one to give.
void watch_spawning();

}  // namespace pymilter
