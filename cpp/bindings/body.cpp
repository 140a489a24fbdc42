// pymilter._core.BodyView, Gather, Received and Whole: bodies and messages that are gathered.
#include "bindings/bindings.hpp"
#include "python/connection/body_view.hpp"
#include "python/boundary/reply.hpp"
#include "python/connection/received.hpp"
#include "python/handlers/plan.hpp"

namespace pymilter {

void bind_body(py::module_ &module) {
    py::class_<BodyView>(module, "BodyView", py::buffer_protocol(), made_in_cpp_only(),
                         "The file behind a gathered body that is too large for memory.")
        .def_buffer([](const BodyView &view) { return view.buffer(); });
    const py::class_<Gather> gather(module, "Gather", made_in_cpp_only(), "How the chunks of a body are gathered.");
    module.def(
        "make_gather",
        [](std::size_t piece, std::size_t limit, std::size_t in_memory, bool as_view, const py::tuple &exceeded) {
            return Gather{{limit, in_memory}, piece, as_view, to_answer(exceeded)};
        },
        py::kw_only(), py::arg("piece"), py::arg("limit"), py::arg("in_memory"), py::arg("as_view"),
        py::arg("exceeded"), "Describe how the chunks of a body are gathered.");

    py::class_<Received>(module, "Received", made_in_cpp_only(), "The envelope as it came, for a MessageFilter.")
        .def("sender", &Received::sender, "The address exactly as in MAIL, and its ESMTP parameters.")
        .def("recipients", &Received::recipients,
             "For each recipient, whether it was accepted, and its address exactly as in RCPT with its "
             "parameters.")
        .def("last_recipient", &Received::last_recipient, "The recipient that came last, as in recipients().")
        .def("recipient_count", &Received::recipient_count, "How many recipients there are.");
    const py::class_<Whole> whole(module, "Whole", made_in_cpp_only(), "How messages are gathered as a whole.");
    module.def(
        "make_whole",
        [](std::size_t header_limit, const py::tuple &header_exceeded) {
            return Whole{header_limit, to_answer(header_exceeded)};
        },
        py::kw_only(), py::arg("header_limit"), py::arg("header_exceeded"),
        "Describe how messages are gathered as a whole.");
}

}  // namespace pymilter
