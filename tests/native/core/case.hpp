// Cases in C++: each runs in a process of its own, so that it may take signals
// and run libmilter, which runs once.
#pragma once

#include <chrono>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace cases {

struct Case {
    const char *name;
    void (*run)();
};

inline std::vector<Case> &all() {
    static std::vector<Case> list;
    return list;
}

struct Listed {
    Listed(const char *name, void (*run)()) { all().push_back({name, run}); }
};

// Ends the process of the case.
[[noreturn]] void fail(const char *file, int line, const std::string &what);

template <typename Is, typename Wanted>
void check_equal(const Is &is, const Wanted &wanted, const char *text, const char *file, int line) {
    if (!(is == wanted)) {
        std::ostringstream what;
        what << text << " is " << is << " and not " << wanted;
        fail(file, line, what.str());
    }
}

// Waits until it holds. The process of a case that waits in vain is ended by an
// alarm.
inline void eventually(const std::function<bool()> &holds) {
    while (!holds()) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}

// What the exception says that `work` throws; "nothing" if it throws none of
// this type.
template <typename Error>
std::string thrown_by(const std::function<void()> &work) {
    try {
        work();
    } catch (const Error &error) {
        return error.what();
    }
    return "nothing";
}

}  // namespace cases

#define CASE(name)                                            \
    static void name();                                       \
    static const cases::Listed name##_is_listed(#name, name); \
    static void name()
#define EQUAL(is, wanted) cases::check_equal(is, wanted, #is, __FILE__, __LINE__)
#define HOLDS(condition) ((condition) ? void() : cases::fail(__FILE__, __LINE__, #condition))
