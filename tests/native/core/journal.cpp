// The journal of the relay: what is noted, and who waits for what.
#include <fcntl.h>

#include <atomic>
#include <thread>

#include "faults.hpp"
#include "noted.hpp"

using namespace pymilter;
using namespace std::string_literals;
using namespace noted;

CASE(events_are_handed_over_in_order_and_the_pipe_is_closed) {
    Pipe pipe;
    Journal journal(pipe.ends[1], 1000);
    journal.note(1, RelayEvent::open, RelaySide::mta);
    journal.start();
    journal.note(1, RelayEvent::data, RelaySide::filter, "one");
    journal.note(258, RelayEvent::failed, RelaySide::filter, std::string(300, 'x'));
    journal.close();
    EQUAL(in_words(all_of(pipe.ends[0])),
          "1 open mta ;1 data filter one;258 failed filter " + std::string(300, 'x') + ";");
}

CASE(events_come_without_an_end_of_the_journal) {
    Pipe pipe;
    Journal journal(pipe.ends[1], 1000);
    journal.start();
    for (const char *const text : {"one", "two"}) {
        journal.note(1, RelayEvent::data, RelaySide::mta, text);
        char buffer[100];
        const ssize_t count = ::read(pipe.ends[0], buffer, sizeof buffer);
        EQUAL(in_words(std::string(buffer, static_cast<std::size_t>(count))), "1 data mta "s + text + ";");
    }
}

CASE(the_pipe_is_closed_although_the_journal_never_began) {
    Pipe pipe;
    {
        const Journal journal(pipe.ends[1], 1000);
    }
    EQUAL(all_of(pipe.ends[0]), "");
}

CASE(who_notes_waits_for_room) {
    Pipe pipe;
    faults::limit_bytes(1);
    Journal journal(pipe.ends[1], 22 + 22);  // two events without data
    journal.note(1, RelayEvent::open, RelaySide::mta);
    journal.note(2, RelayEvent::open, RelaySide::mta);
    journal.note(3, RelayEvent::open,
                 RelaySide::mta);  // it waits only if more than that waits
    std::atomic<bool> is_noted{false};
    std::thread noting([&] {
        journal.note(4, RelayEvent::open, RelaySide::mta);
        is_noted = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds{30});
    HOLDS(!is_noted);
    journal.start();
    noting.join();
    journal.close();
    EQUAL(in_words(all_of(pipe.ends[0])), "1 open mta ;2 open mta ;3 open mta ;4 open mta ;");
}

CASE(nobody_waits_for_room_after_the_end) {
    Pipe pipe;
    Journal journal(pipe.ends[1], 1);
    journal.note(1, RelayEvent::open, RelaySide::mta);
    std::thread noting([&] { journal.note(2, RelayEvent::open, RelaySide::mta); });
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
    journal.close();
    noting.join();
    journal.start();
    EQUAL(in_words(all_of(pipe.ends[0])), "1 open mta ;2 open mta ;");
}

CASE(without_a_reader_nothing_is_kept_and_nobody_waits) {
    Pipe pipe;
    ::close(pipe.ends[0]);
    Journal journal(pipe.ends[1], 1);
    journal.start();
    for (int number = 0; number < 100; ++number) {
        journal.note(1, RelayEvent::open, RelaySide::mta);
    }
    cases::eventually([&] { return ::fcntl(pipe.ends[1], F_GETFD) < 0; });
}

CASE(a_write_that_was_interrupted_goes_on) {
    Pipe pipe;
    faults::next("write", {EINTR, 0});
    Journal journal(pipe.ends[1], 1000);
    journal.note(7, RelayEvent::close, RelaySide::filter);
    journal.start();
    journal.close();
    EQUAL(in_words(all_of(pipe.ends[0])), "7 close filter ;");
}
