// pymilter._core.counters: what this process has done, as a dict that pymilter.stats() makes readable.
#include "core/process/counters.hpp"

#include <utility>

#include "bindings/bindings.hpp"
#include "python/interpreter/gil.hpp"

namespace pymilter {

namespace {

py::dict read_counters() {
    py::dict callbacks;
    py::dict answers;
    for (std::size_t index = 1; index < step_count; ++index) {
        const char *const name = step_traits[index].name;
        callbacks[name] = counters.callbacks[index].load();
        py::dict of_step;
        for (std::size_t status = 0; status < status_count; ++status) {
            if (const auto count = counters.answers[index][status].load()) {
                of_step[py::int_(status)] = count;
            }
        }
        answers[name] = of_step;
    }
    py::list transports;
    for (const auto &count : counters.transports) {
        transports.append(count.load());
    }
    py::dict edits;
    for (std::size_t index = 0; index < edit_names.size(); ++index) {
        edits[edit_names[index].data()] = counters.edits[index].load();
    }
    py::dict all;
    all["connections_opened"] = counters.connections_opened.load();
    all["connections_closed"] = counters.connections_closed.load();
    all["body_bytes"] = counters.body_bytes.load();
    all["failures"] = counters.failures.load();
    all["in_flight"] = Gate::inside();
    all["callbacks"] = callbacks;
    all["answers"] = answers;
    all["transports"] = transports;
    all["edits"] = edits;
    return all;
}

}  // namespace

void bind_counters(py::module_ &module) {
    module.def(
        "connections",
        [] { return std::make_pair(counters.connections_opened.load(), counters.connections_freed.load()); },
        "How many connections were made and freed in this process.");
    module.def("counters", &read_counters, "The counters of this process.");
}

}  // namespace pymilter
