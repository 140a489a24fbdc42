// When the relay looks again and again before it sleeps.
#include <unistd.h>

#include <algorithm>

#include "case.hpp"
#include "core/process/descriptors.hpp"
#include "core/relay/eager_poll.hpp"
#include "faults.hpp"

using namespace pymilter;

namespace {

struct Waiting {
    // Waits once, and tells whether it looked before it slept. `finds`: there is
    // something to read at once.
    bool looks(bool finds) {
        faults::take_calls();
        std::thread writer([&] {
            if (!finds) {
                cases::eventually([] { return faults::count_polls(-1) > 0; });
            }
            write_byte(pipe[1], 1);
        });
        if (finds) {
            writer.join();
        }
        std::array<pollfd, 3> ready{{{pipe[0], POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}}};
        EQUAL(poll(ready), 1);
        if (!finds) {
            writer.join();
        }
        char byte = 0;
        HOLDS(::read(pipe[0], &byte, 1) == 1);
        const bool looked = faults::count_polls(0) > 0;
        EQUAL(faults::count_polls(-1), finds && looked ? 0 : 1);
        return looked;
    }

    const std::array<int, 2> pipe = open_pipe();
    std::atomic<unsigned> connections{1};
    EagerPoll poll{connections};
};

bool is_eager_here() { return std::thread::hardware_concurrency() > 1; }

}  // namespace

CASE(it_looks_less_the_less_it_finds) {
    Waiting waiting;
    if (!is_eager_here()) {
        HOLDS(!waiting.looks(true));
        return;
    }
    HOLDS(waiting.looks(true));
    HOLDS(waiting.looks(true));
    HOLDS(waiting.looks(false));  // from now on it looks in one wait of 2, of 4, of 8 and so on
    unsigned skipped = 1;
    for (int failures = 1; failures <= 11; ++failures) {
        for (unsigned wait = 0; wait < skipped; ++wait) {
            HOLDS(!waiting.looks(true));
        }
        HOLDS(waiting.looks(false));
        skipped = std::min(2 * skipped + 1, 1023U);
    }
    for (unsigned wait = 0; wait < skipped; ++wait) {
        HOLDS(!waiting.looks(true));
    }
    // Once it has found something, it looks each time, and a failure counts as
    // the first.
    HOLDS(waiting.looks(true));
    HOLDS(waiting.looks(true));
    HOLDS(waiting.looks(false));
    HOLDS(!waiting.looks(true));
    HOLDS(waiting.looks(true));
}

CASE(it_does_not_look_while_another_connection_is_open) {
    Waiting waiting;
    waiting.connections = 2;
    HOLDS(!waiting.looks(true));
    HOLDS(!waiting.looks(false));
    waiting.connections = 1;
    EQUAL(waiting.looks(true), is_eager_here());
}
