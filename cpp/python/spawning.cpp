// Programs that handlers start get the signal mask of the program, not that of libmilter's threads.
#include "python/spawning.hpp"

#include "python/gil.hpp"

#include <csignal>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace pymilter {

namespace {

// Written before libmilter's threads begin.
sigset_t programs_mask;

// Raised in the thread that starts a program, just before. Other ways to start one fork in Python, where
// os.register_at_fork() sees them.
constexpr std::array<std::string_view, 3> starts{"subprocess.Popen", "os.posix_spawn", "os.system"};

int on_audit(const char *event, PyObject *, void *) {
    // Each event of the interpreter comes here; most are done with at once.
    if (Attach::is_here() && std::find(starts.begin(), starts.end(), event) != starts.end()) {
        Attach::lend(programs_mask);
    }
    return 0;
}

}  // namespace

void watch_spawning() {
    ::pthread_sigmask(SIG_BLOCK, nullptr, &programs_mask);
    static bool is_watched = false;  // a second run fails only later
    if (!std::exchange(is_watched, true) && PySys_AddAuditHook(on_audit, nullptr) != 0) {
        PyErr_Clear();  // another hook forbids hooks: programs that are started inherit the mask then
    }
}

}  // namespace pymilter
