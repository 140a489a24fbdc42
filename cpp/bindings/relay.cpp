// pymilter._core.Relay: what `pymilter trace` puts between an MTA and a filter. Its types stand in _core.pyi too.
#include "core/relay/relay.hpp"

#include <memory>
#include <string>
#include <utility>

#include "bindings/bindings.hpp"
#include "python/interpreter/gil.hpp"

namespace pymilter {

void bind_relay(py::module_ &module) {
    py::class_<Relay>(module, "Relay", made_in_cpp_only(),
                      "Passes connections on to a filter in threads of its own, and writes what happens to a pipe.")
        .def("start", &Relay::start, "Begin to take connections.")
        .def(
            "stop",
            [](Relay &self) {
                const Release release;
                self.stop();
            },
            "End all connections, and close the pipe once all that has happened is written to it.");

    module.def(
        "make_relay",
        [](int listener, int family, std::string place, int port, std::string name, int pipe,
           std::size_t most_waiting) {
            return std::make_unique<Relay>(listener, RelayTarget(family, std::move(place), port), std::move(name), pipe,
                                           most_waiting);
        },
        py::kw_only(), py::arg("listener"), py::arg("family"), py::arg("place"), py::arg("port"), py::arg("name"),
        py::arg("pipe"), py::arg("most_waiting"),
        "Make a relay from a listening socket, which must not block, to a path, or to a host and "
        "its port. `name` is the target as text. The relay owns `pipe`; once `most_waiting` bytes "
        "wait for its reader, the connections wait too.");

    module.attr("RELAY_EVENTS") = py::make_tuple("open", "data", "close", "failed");
    module.attr("RELAY_SIDES") = py::make_tuple("mta", "filter");
}

}  // namespace pymilter
