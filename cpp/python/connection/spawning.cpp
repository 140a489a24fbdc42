// What handlers start. Programs get the signal mask of the main program instead of the one of libmilter's threads, and
// threads belong to the message during which they are started.
#include "python/connection/spawning.hpp"

#include "python/connection/connection.hpp"
#include "python/interpreter/gil.hpp"
#include "python/interpreter/threads.hpp"

#include <csignal>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace pymilter {

namespace {

// Written before libmilter's threads begin.
sigset_t programs_mask;

// Audit events just before a program is started, in the thread that starts it. All other ways to start a program fork
// in Python, where os.register_at_fork() sees them.
constexpr std::array<std::string_view, 4> program_starts{"subprocess.Popen", "os.posix_spawn", "os.system",
                                                         "_posixsubprocess.fork_exec"};

// Audit events just before a thread is started. Their first argument is the function that the thread will run.
constexpr std::array<std::string_view, 2> thread_starts{"_thread.start_new_thread", "_thread.start_joinable_thread"};

template <std::size_t Count>
bool is_one_of(const char *event, const std::array<std::string_view, Count> &events) {
    return std::find(events.begin(), events.end(), event) != events.end();
}

// The new thread has no number yet, so the function that it will run carries the note.
void note_start(PyObject *arguments) {
    const Connection *const connection = Attach::connection();
    if (connection == nullptr || connection->message_number() == any_message) {
        return;
    }
    try {
        note_thread(PyTuple_GetItem(arguments, 0), connection->id(), connection->message_number());
    } catch (py::error_already_set &error) {
        error.discard_as_unraisable("pymilter: noting a thread");
    }
}

int on_audit(const char *event, PyObject *arguments, void *) {
    // Every audit event of the interpreter comes here, and most of them end here at once.
    if (!Attach::is_here()) {
        return 0;
    }
    if (is_one_of(event, program_starts)) {
        Attach::lend(programs_mask);
    } else if (is_one_of(event, thread_starts)) {
        note_start(arguments);
    }
    return 0;
}

}  // namespace

void watch_spawning() {
    ::pthread_sigmask(SIG_BLOCK, nullptr, &programs_mask);
    static bool is_watched = false;  // a second run gets here too, and is refused later
    if (!std::exchange(is_watched, true)) {
        py::module_::import("pymilter._process.audit").attr("add_events")();
        if (PySys_AddAuditHook(on_audit, nullptr) != 0) {
            PyErr_Clear();  // another audit hook forbids new ones: programs then inherit the mask of libmilter's
                            // threads
        }
    }
}

}  // namespace pymilter
