// What a journal wrote into its pipe.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "case.hpp"
#include "core/relay/journal.hpp"

namespace noted {

struct Pipe {
    Pipe() { HOLDS(::pipe2(ends, O_CLOEXEC) == 0); }
    int ends[2];
};

// What can be read until the other end is closed.
inline std::string all_of(int descriptor) {
    std::string all;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::read(descriptor, buffer, sizeof buffer)) > 0) {
        all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
}

// The events in words, each as "CONNECTION WHAT SIDE DATA;".
inline std::string in_words(const std::string &noted) {
    const char *const names[] = {"open", "data", "close", "failed"};
    std::string words;
    double earlier = 0;
    for (std::size_t at = 0; at < noted.size();) {
        double seconds = 0;
        std::uint64_t connection = 0;
        std::uint32_t size = 0;
        HOLDS(at + 22 <= noted.size());
        std::memcpy(&seconds, &noted[at], 8);
        std::memcpy(&connection, &noted[at + 8], 8);
        std::memcpy(&size, &noted[at + 18], 4);
        HOLDS(seconds >= earlier && seconds < 20);
        earlier = seconds;
        words += std::to_string(connection) + ' ' + names[static_cast<int>(noted[at + 16])] +
                 (noted[at + 17] == 0 ? " mta " : " filter ") + noted.substr(at + 22, size) + ';';
        at += 22 + size;
    }
    return words;
}

}  // namespace noted
