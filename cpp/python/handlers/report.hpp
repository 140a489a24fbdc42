// What is logged about connections and handlers, through Python's logging. Needs the GIL.
#pragma once

#include <string>

#include "core/protocol/step.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

// The levels of Python's logging module.
enum class LogLevel { debug = 10, warning = 30, error = 40 };

class Report {
public:
    // `log(level, where, what)` logs an exception or a text.
    explicit Report(py::object log) : m_log(std::move(log)) {}

    // Logs the exception that a handler raised. An exception raised by `log` itself goes to sys.unraisablehook.
    void log_failure(const char *handler, const py::object &exception) const noexcept;
    void log_text(LogLevel level, Step step, const std::string &text) const noexcept;

    // Whether the begin and end of each connection is logged; if not, that costs nothing. Set before the filter serves.
    bool logs_connections() const { return m_logs_connections; }
    void set_logs_connections(bool wanted) { m_logs_connections = wanted; }

private:
    void log(LogLevel level, const char *where, const py::object &what) const noexcept;

    py::object m_log;
    bool m_logs_connections = false;
};

}  // namespace pymilter
