// What is logged about connections and handlers, through Python's logging.
#include "python/handlers/report.hpp"

namespace pymilter {

void Report::log_failure(const char *handler, const py::object &exception) const noexcept {
    log(LogLevel::error, handler, exception);
}

void Report::log_text(LogLevel level, Step step, const std::string &text) const noexcept {
    try {
        log(level, traits(step).name, py::str(text));
    } catch (...) {
        // There is no memory for the text.
    }
}

void Report::log(LogLevel level, const char *where, const py::object &what) const noexcept {
    try {
        m_log(static_cast<int>(level), where, what);
    } catch (py::error_already_set &error) {
        error.discard_as_unraisable("pymilter: logging a failure");
    } catch (...) {
        // There is no way left to report it. The failure itself is answered anyway.
    }
}

}  // namespace pymilter
