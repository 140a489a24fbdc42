// pymilter._core.NOT_SENT and the like: the bits of the protocol and the stage of the macros of each step.
#include "bindings/bindings.hpp"
#include "core/protocol/negotiation.hpp"

namespace pymilter {

void bind_steps(py::module_ &module) {
    py::dict not_sent;
    py::dict no_reply;
    py::dict macro_stage;
    py::dict decides;
    py::list with_text;
    for (std::size_t index = 1; index < step_count; ++index) {
        const StepTraits &step = step_traits[index];
        if (step.has_text) {
            with_text.append(step.name);
        }
        if (step.not_sent != 0) {
            not_sent[step.name] = step.not_sent;
            no_reply[step.name] = step.no_reply;
            decides[step.name] = bits_decided_by(static_cast<Step>(index));
        }
    }
    for (int stage = SMFIM_FIRST; stage <= SMFIM_LAST; ++stage) {  // errors list the stages in this order
        for (const StepTraits &step : step_traits) {
            if (step.macro_stage == stage) {
                macro_stage[step.name] = stage;
            }
        }
    }
    module.attr("NOT_SENT") = not_sent;
    module.attr("NO_REPLY") = no_reply;
    module.attr("MACRO_STAGE") = macro_stage;
    module.attr("DECIDED_BITS") = decides;
    module.attr("WITH_TEXT") = py::tuple(with_text);
}

}  // namespace pymilter
