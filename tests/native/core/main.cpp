// Runs the cases that are named, or all, at the same time, and tells of each
// that fails.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string_view>

#include "case.hpp"

namespace cases {

void fail(const char *file, int line, const std::string &what) {
    std::cerr << file << ':' << line << ": " << what << std::endl;
    ::_exit(EXIT_FAILURE);
}

}  // namespace cases

namespace {

constexpr unsigned longest = 40;  // seconds for one case; each takes
                                  // milliseconds on a machine that is not busy

[[noreturn]] void run(const cases::Case &one) {
    ::alarm(longest);
    ::signal(SIGPIPE, SIG_IGN);
    try {
        one.run();
    } catch (const std::exception &error) {
        cases::fail(one.name, 0, error.what());
    }
    ::_exit(EXIT_SUCCESS);
}

struct Running {
    const cases::Case *one;
    pid_t process;
};

// Waits for its end, and tells if it failed.
bool is_passed(const Running &running) {
    int status = 0;
    if (::waitpid(running.process, &status, 0) == running.process && WIFEXITED(status) &&
        WEXITSTATUS(status) == EXIT_SUCCESS) {
        return true;
    }
    std::cerr << "failed: " << running.one->name;
    if (WIFSIGNALED(status)) {
        std::cerr << " (signal " << WTERMSIG(status) << ')';
    }
    std::cerr << std::endl;
    return false;
}

}  // namespace

int main(int count, char **names) {
    std::vector<Running> all;
    for (const cases::Case &one : cases::all()) {
        const auto is_it = [&](const char *name) { return std::string_view{name} == one.name; };
        if (count == 1 || std::any_of(names + 1, names + count, is_it)) {
            const pid_t child = ::fork();
            if (child == 0) {
                run(one);
            }
            all.push_back({&one, child});
        }
    }
    const auto passed = std::count_if(all.begin(), all.end(), is_passed);
    std::cout << passed << " of " << all.size() << " cases passed" << std::endl;
    return passed > 0 && passed == static_cast<std::ptrdiff_t>(all.size()) ? EXIT_SUCCESS : EXIT_FAILURE;
}
