// pymilter._core.Service: how the filter is served. Types and texts stand in _core.pyi too: a test compares.
#include "python/service/service.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings/bindings.hpp"
#include "python/boundary/callbacks.hpp"

namespace pymilter {

void bind_service(py::module_ &module) {
    py::class_<Service>(module, "Service", made_in_cpp_only(),
                        "Serves the filter of this process; it can be registered and run once.")
        .def(
            "register",
            [](const py::object &self, std::optional<int> timeout) {
                py::cast<Service &>(self).register_callbacks(describe_callbacks(), timeout);
                self.inc_ref();  // libmilter's threads may use it at any time, so it is never freed
            },
            py::kw_only(), py::arg("timeout"),
            "Make this the filter of the process; `timeout` is in seconds (smfi_register, "
            "smfi_settimeout).")
        .def("watch_signals", &Service::watch_signals, py::kw_only(), py::arg("hold"), py::arg("reloads"),
             "Turn SIGTERM, SIGHUP and SIGINT into events for wait(). `hold`: before that, the "
             "handlers of the program do not run; `reloads`: SIGHUP may come again.")
        .def("leave_signals", &Service::leave_signals, "Undo watch_signals(); if it was not called, do nothing.")
        .def("join_balance", &Service::join_balance, py::arg("memory"), py::arg("slot"), py::kw_only(),
             py::arg("patience"),
             "Share the connections fairly with the processes that have the other slots of the memory.")
        .def("start", &Service::start, py::arg("descriptor"), py::kw_only(), py::arg("no_reply_over_tcp"),
             py::arg("log_connections"),
             "Serve a listening socket in threads of libmilter (smfi_opensocket, smfi_main). Returns a "
             "warning, or ''.")
        .def("request_stop", &Service::request_stop, "Make wait() return. Any thread may call this.")
        .def(
            "wait",
            [](Service &self, std::optional<double> seconds) {
                const LoopEvent event = self.wait(seconds);
                const bool is_signal = event.kind == LoopEvent::Kind::signal;
                return std::make_pair(static_cast<int>(event.kind),
                                      is_signal ? std::optional<int>{event.signal} : std::nullopt);
            },
            py::arg("seconds"),
            "Wait for an event. Returns one of the EVENT_ numbers, and the signal if it is "
            "EVENT_SIGNAL.")
        .def("stop_accepting", &Service::stop_accepting, "Accept no more connections; those that are open go on.")
        .def("answer_tempfail", &Service::answer_tempfail, "From now on, answer everything with TEMPFAIL.")
        .def("open_connections", &Service::open_connections, "How many connections are open, silent ones included.")
        .def("disown_in_child", &Service::disown_in_child,
             "In a forked process: leave signals, socket and connections to the parent.")
        .def("finish", &Service::finish, "Stop libmilter and wait until its main loop has ended (smfi_stop).");

    module.def(
        "make_service",
        [](std::string name, std::shared_ptr<Handlers> handlers, py::object report) {
            return std::make_unique<Service>(std::move(name), std::move(handlers), Report(std::move(report)));
        },
        py::kw_only(), py::arg("name"), py::arg("handlers"), py::arg("report"),
        "Make a service; `report` logs what happens to connections.");

    module.attr("EVENT_NOTHING") = static_cast<int>(LoopEvent::Kind::nothing);
    module.attr("EVENT_INTERRUPTED") = static_cast<int>(LoopEvent::Kind::interrupted);
    module.attr("EVENT_SIGNAL") = static_cast<int>(LoopEvent::Kind::signal);
    module.attr("EVENT_STOP_REQUESTED") = static_cast<int>(LoopEvent::Kind::stop_requested);
    module.attr("EVENT_ENDED") = static_cast<int>(LoopEvent::Kind::ended);

    module.attr("BALANCE_SLOT") = Loads::slot_size;
}

}  // namespace pymilter
