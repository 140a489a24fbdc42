// pymilter._core.Filter, Plan and the settings of libmilter. Types and texts stand in _core.pyi too: a test compares.
#include "python/filter.hpp"

#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <tuple>

#include "bindings/bindings.hpp"
#include "core/traffic.hpp"
#include "python/errors.hpp"
#include "python/gil.hpp"

namespace pymilter {

namespace {

Step to_step(const std::string &name) {
    for (std::size_t index = 1; index < step_count; ++index) {
        if (name == step_traits[index].name) {
            return static_cast<Step>(index);
        }
    }
    throw std::invalid_argument("'" + name + "' is not the name of a callback");
}

std::uint32_t to_steps(const std::vector<std::string> &names) {
    std::uint32_t steps = 0;
    for (const auto &name : names) {
        steps |= bit(to_step(name));
    }
    return steps;
}

std::shared_ptr<Plan> make_plan(std::uint32_t actions, std::uint32_t protocol, const std::vector<std::string> &steps,
                                const std::vector<std::string> &mute, bool negotiates, bool has_begin,
                                const std::map<std::string, std::string> &text,
                                const std::vector<std::pair<int, std::string>> &macros, const py::dict &hooks,
                                const std::optional<Gather> &gather, const std::optional<Whole> &whole) {
    auto plan = std::make_shared<Plan>();
    plan->wanted = {actions, protocol};
    plan->steps = to_steps(steps);
    plan->mute = to_steps(mute);
    plan->negotiates = negotiates;
    plan->has_begin = has_begin;
    for (const auto &[step, mode] : text) {
        plan->text[static_cast<std::size_t>(to_step(step))] = to_text_mode(mode);
    }
    plan->macros = macros;
    plan->gather = gather;
    plan->whole = whole;
    for (const auto &[step, function] : hooks) {
        plan->inherited_hook[static_cast<std::size_t>(to_step(py::cast<std::string>(step)))] =
            py::reinterpret_borrow<py::object>(function);
    }
    return plan;
}

std::tuple<unsigned, unsigned, unsigned> library_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    ::smfi_version(&major, &minor, &patch);
    return {major, minor, patch};
}

// libmilter's own rule: major and minor of header and library must be equal.
void check_library_version() {
    const auto [major, minor, patch] = library_version();
    const unsigned built_major = SM_LM_VRS_MAJOR(SMFI_VERSION);
    const unsigned built_minor = SM_LM_VRS_MINOR(SMFI_VERSION);
    if (major != built_major || minor != built_minor) {
        throw py::import_error("pymilter was built with libmilter " + std::to_string(built_major) + '.' +
                               std::to_string(built_minor) + ", but libmilter " + std::to_string(major) + '.' +
                               std::to_string(minor) + " is installed: build pymilter again");
    }
}

std::size_t set_max_data_size(std::size_t size) {
#if PYMILTER_HAVE_SETMAXDATASIZE
    return ::smfi_setmaxdatasize(size);
#else
    raise_milter_error("this libmilter has no smfi_setmaxdatasize, so the limit of one packet cannot be set to " +
                       std::to_string(size));
#endif
}

}  // namespace

void bind_filter(py::module_ &module) {
    check_library_version();

    const py::class_<Plan, std::shared_ptr<Plan>> plan(module, "Plan", made_in_cpp_only(),
                                                       "What dispatch must know of a class of handlers.");
    module.def("make_plan", &make_plan, py::kw_only(), py::arg("actions"), py::arg("protocol"), py::arg("steps"),
               py::arg("mute"), py::arg("negotiates"), py::arg("has_begin"), py::arg("text"), py::arg("macros"),
               py::arg("hooks"), py::arg("gather"), py::arg("whole"), "Make the plan of a class.");

    py::class_<Filter>(module, "Filter", made_in_cpp_only(),
                       "The filter of this process; it can be registered and run once.")
        .def("use_methods", &Filter::use_methods, py::arg("make"), py::arg("plan_of"),
             "Call methods of an object that make() gives for each connection.")
        .def(
            "set_function",
            [](Filter &self, const std::string &step, py::object callback) {
                return self.set_function(to_step(step), std::move(callback));
            },
            py::arg("step"), py::arg("callback"),
            "Call a function, context first, or nothing for None. Returns the last one.")
        .def(
            "set_actions", [](Filter &self, std::uint32_t actions) { self.set_wanted({actions, SMFIP_SKIP}); },
            py::arg("actions"), "Actions to ask for where functions are called (SMFIF_*).")
        .def("set_exception_policy", &Filter::set_exception_policy, py::arg("status"),
             "What is answered when a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE.")
        .def(
            "register",
            [](const py::object &self, std::optional<int> timeout) {
                py::cast<Filter &>(self).register_filter(timeout);
                self.inc_ref();  // libmilter's threads may come back to it at any time, so it is never freed
            },
            py::kw_only(), py::arg("timeout"),
            "Make this the filter of the process; timeout in seconds (smfi_register, smfi_settimeout).")
        .def("watch_signals", &Filter::watch_signals, py::kw_only(), py::arg("hold"), py::arg("reloads"),
             "SIGTERM, SIGHUP and SIGINT end wait(); `hold` the handlers until then; `reloads`: SIGHUP repeats.")
        .def("leave_signals", &Filter::leave_signals, "The opposite; where they are not watched, nothing happens.")
        .def("use_share", &Filter::use_share, py::arg("memory"), py::arg("slot"), py::kw_only(), py::arg("patience"),
             "Share the connections with the processes that have the other slots of the memory.")
        .def("start", &Filter::start, py::arg("descriptor"), py::kw_only(), py::arg("mute_over_tcp"),
             py::arg("tell_connections"),
             "Serve a listening socket in threads of libmilter's (smfi_opensocket, smfi_main).")
        .def("request_stop", &Filter::request_stop, "Let wait() return; from any thread.")
        .def("wait", &Filter::wait, py::arg("seconds"),
             "Wait for an event: one of the EVENT_ numbers, or those plus a signal.")
        .def("refuse", &Filter::refuse, "Take no new connection; those that are open go on.")
        .def("answer_no_more", &Filter::answer_no_more, "Answer TEMPFAIL to whatever comes from now on.")
        .def("connections", &Filter::connections, "How many connections are open, silent ones included.")
        .def("abandon", &Filter::abandon, "In a forked process: give up signals, socket and connections.")
        .def("finish", &Filter::finish, "Stop libmilter and wait until its main loop has ended (smfi_stop).");

    module.def(
        "make_filter",
        [](std::string name, int exception_policy, py::object report) {
            return std::make_unique<Filter>(std::move(name), exception_policy, std::move(report));
        },
        py::kw_only(), py::arg("name"), py::arg("exception_policy"), py::arg("report"), "Make a filter.");

    module.attr("EVENT_INTERRUPTED") = static_cast<int>(Loop::interrupted);
    module.attr("EVENT_NOTHING") = static_cast<int>(Loop::nothing);
    module.attr("EVENT_STOP_REQUESTED") = static_cast<int>(Loop::stop_requested);
    module.attr("EVENT_ENDED") = static_cast<int>(Loop::ended);

    module.attr("SHARE_SLOT") = Loads::slot_size;

    module.def("version", &library_version, "Version of the libmilter in use: major, minor, patch (smfi_version).");
    module.def(
        "setdbg", [](int level) { ::smfi_setdbg(level); }, py::arg("level"),
        "Level of libmilter's own debug output, 0 for none (smfi_setdbg).");
    module.def("setmaxdatasize", &set_max_data_size, py::arg("size"),
               "Limit of one packet in bytes; returns the one before (smfi_setmaxdatasize).");
    module.def("messages_under_way", [] { return traffic.under_way(); }, "How many messages have begun and not ended.");
    module.def(
        "messages_too_late", [] { return traffic.late(); },
        "How many have begun when none might, and have had no answer yet.");
    module.def("end_messages", [] { traffic.close(); }, "Let no message begin any more: each gets TEMPFAIL.");
    module.def(
        "end_messages_when_none", [] { return traffic.close_when_empty(); },
        "The same, but only when none is under way; false when one is.");
    module.def("is_in_callback", &Attach::is_here, "Whether libmilter called the calling thread.");
    module.def(
        "shut_gate",
        [](double seconds) {
            const Release release;
            return Gate::shut(std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)});
        },
        py::arg("seconds"), "Let no more callbacks in and wait for those inside; false at the deadline.");
}

}  // namespace pymilter
