// How many connections each process has, in the memory that they share.
#include "core/balance/loads.hpp"

#include <fcntl.h>

#include <stdexcept>
#include <system_error>

#include "served.hpp"

using namespace pymilter;
using served::in_words;

CASE(each_process_has_a_slot_of_its_own) {
    const int memory = served::open_slots(3);
    Loads first(memory, 0);
    Loads last(memory, 2);
    EQUAL(first.size(), 3U);
    EQUAL(last.own(), 2U);
    for (std::size_t slot = 0; slot < 3; ++slot) {
        EQUAL(in_words(first.of(slot)), "none");
    }
    first.publish({0, 0});
    EQUAL(in_words(last.of(0)), "0 of 0");
    first.publish({0xFFFFFFFF, 0x7FFFFFFF});
    last.publish({1, 0x80000002});  // the count of those taken goes round
    EQUAL(in_words(last.of(0)), "4294967295 of 2147483647");
    EQUAL(in_words(first.of(1)), "none");
    EQUAL(in_words(first.of(2)), "1 of 2");
    first.clear_own();
    EQUAL(in_words(last.of(0)), "none");
    EQUAL(in_words(last.of(2)), "1 of 2");
}

CASE(memory_that_has_no_such_slot_is_refused) {
    using cases::thrown_by;
    const int memory = served::open_slots(2);
    EQUAL(thrown_by<std::invalid_argument>([&] { Loads(memory, 2); }), "slot 2: the shared memory has 2");
    EQUAL(thrown_by<std::system_error>([&] { Loads(-1, 0); }),
          "cannot read the size of the shared memory: Bad file descriptor");
    const int pipe = open_pipe()[0];
    EQUAL(thrown_by<std::invalid_argument>([&] { Loads(pipe, 0); }), "slot 0: the shared memory has 0");
    const int readable = ::open(("/proc/self/fd/" + std::to_string(memory)).c_str(), O_RDONLY | O_CLOEXEC);
    EQUAL(thrown_by<std::system_error>([&] { Loads(readable, 0); }), "cannot map the shared memory: Permission denied");
}
