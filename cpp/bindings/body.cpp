// pymilter._core.BodyView and Gather: gathered bodies.
#include "bindings/bindings.hpp"
#include "python/body_view.hpp"
#include "python/outcome.hpp"
#include "python/receiver.hpp"

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
        py::arg("exceeded"), "Say how the chunks are gathered.");
}

}  // namespace pymilter
