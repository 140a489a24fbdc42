// System calls of the whole program pass here: they can be told to fail, and
// what was asked of some is kept.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace faults {

// The next calls of a function fail, each with one of these numbers; 0 lets one
// through. Functions are accept4, connect, dup3, poll, pread, read, recv, send,
// setsockopt and write.
void next(const std::string &function, std::initializer_list<int> errors);

// The next getsockname tells this address.
void tell_name(const void *address, std::size_t size);

// At most so many bytes for each pread, recv, send and write.
void limit_bytes(std::size_t most);

// An option of a socket that was set, or a poll, whose value is its timeout.
struct Call {
    std::string function;
    int level;
    int option;
    int value;
};

// The calls of setsockopt and poll since this was called last.
std::vector<Call> take_calls();

// How many of these set the option to the value.
int count_options(const std::vector<Call> &calls, int level, int option, int value);
// How many polls with this timeout there were since calls were taken.
int count_polls(int timeout);

}  // namespace faults
