// pymilter._core.Handlers and Plan: who handles the callbacks. Types and texts stand in _core.pyi too: a test compares.
#include "python/handlers/handlers.hpp"

#include <pybind11/stl.h>

#include <map>
#include <memory>

#include "bindings/bindings.hpp"
#include "python/handlers/names.hpp"

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
                                const std::vector<std::string> &no_reply, bool negotiates, bool has_begin,
                                const std::map<std::string, std::string> &text,
                                const std::vector<std::pair<int, std::string>> &macros, const py::dict &hooks,
                                const std::optional<Gather> &gather, const std::optional<Whole> &whole) {
    auto plan = std::make_shared<Plan>();
    plan->wanted = {actions, protocol};
    plan->steps = to_steps(steps);
    plan->no_reply = to_steps(no_reply);
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

}  // namespace

void bind_handlers(py::module_ &module) {
    Names::intern();
    const py::class_<Plan, std::shared_ptr<Plan>> plan(module, "Plan", made_in_cpp_only(),
                                                       "What dispatch must know about a class of handlers.");
    module.def("make_plan", &make_plan, py::kw_only(), py::arg("actions"), py::arg("protocol"), py::arg("steps"),
               py::arg("no_reply"), py::arg("negotiates"), py::arg("has_begin"), py::arg("text"), py::arg("macros"),
               py::arg("hooks"), py::arg("gather"), py::arg("whole"), "Make the plan of a class.");

    py::class_<Handlers, std::shared_ptr<Handlers>>(module, "Handlers", made_in_cpp_only(),
                                                    "Who handles the callbacks: functions, or methods of objects.")
        .def("use_methods", &Handlers::use_methods, py::arg("make"), py::arg("plan_of"),
             "Call the methods of an object that make() returns for each connection.")
        .def(
            "set_function",
            [](Handlers &self, const std::string &step, py::object callback) {
                return self.set_function(to_step(step), std::move(callback));
            },
            py::arg("step"), py::arg("callback"),
            "Set the function for a step, which gets the context first; None removes it. Returns the "
            "previous one.")
        .def(
            "set_actions", [](Handlers &self, std::uint32_t actions) { self.set_wanted({actions, SMFIP_SKIP}); },
            py::arg("actions"), "Set the actions to ask for if functions are called (SMFIF_*).")
        .def("set_exception_policy", &Handlers::set_exception_policy, py::arg("status"),
             "Set the answer for a handler that fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE.");

    module.def(
        "make_handlers",
        [](int exception_policy, bool classic) { return std::make_shared<Handlers>(exception_policy, classic); },
        py::kw_only(), py::arg("exception_policy"), py::arg("classic") = false,
        "Make the handlers of a filter; `classic`: those of a program that must run as with pymilter 1.0.");
}

}  // namespace pymilter
