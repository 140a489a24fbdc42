// What handlers start: programs get the signal mask of the program, not that of libmilter's threads, and threads belong
// to the message in which they are started.
#include "python/connection/spawning.hpp"

#include "python/connection/connection.hpp"
#include "python/interpreter/gil.hpp"

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

// Likewise, just before a thread is started. The first argument is what it will run.
constexpr std::array<std::string_view, 2> thread_starts{"_thread.start_new_thread", "_thread.start_joinable_thread"};

template <std::size_t Count>
bool is_one_of(const char *event, const std::array<std::string_view, Count> &events) {
    return std::find(events.begin(), events.end(), event) != events.end();
}

// The thread has no number yet, so that its object is marked.
void note_thread(PyObject *arguments) {
    const Connection *const connection = Attach::connection();
    if (connection == nullptr || connection->message_number() == any_message) {
        return;
    }
    try {
        const py::object note = py::module_::import("pymilter._process.threads").attr("note");
        note(py::handle(PyTuple_GetItem(arguments, 0)), connection->id(), connection->message_number());
    } catch (py::error_already_set &error) {
        error.discard_as_unraisable("pymilter: noting a thread");
    }
}

int on_audit(const char *event, PyObject *arguments, void *) {
    // Each event of the interpreter comes here; most are done with at once.
    if (!Attach::is_here()) {
        return 0;
    }
    if (is_one_of(event, starts)) {
        Attach::lend(programs_mask);
    } else if (is_one_of(event, thread_starts)) {
        note_thread(arguments);
    }
    return 0;
}

}  // namespace

std::uint64_t message_of_thread(std::uint64_t connection) {
    return py::cast<MessageNumber>(py::module_::import("pymilter._process.threads").attr("message_of")(connection));
}

void watch_spawning() {
    ::pthread_sigmask(SIG_BLOCK, nullptr, &programs_mask);
    static bool is_watched = false;  // a second run fails only later
    if (!std::exchange(is_watched, true)) {
        py::module_::import("pymilter._process.threads").attr("watch")();
        if (PySys_AddAuditHook(on_audit, nullptr) != 0) {
            PyErr_Clear();  // another hook forbids hooks: programs that are started inherit the mask then
        }
    }
}

}  // namespace pymilter
