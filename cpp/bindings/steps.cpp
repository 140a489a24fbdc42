// What pymilter._core tells of the steps: the bits of the protocol and the stage of the macros that belong to each.
#include "bindings/bindings.hpp"
#include "core/protocol/negotiation.hpp"

namespace pymilter {

void bind_steps(py::module_ &module) {
    py::dict not_sent;
    py::dict no_reply;
    py::dict macro_stage;
    py::dict decides;
    for (std::size_t index = 1; index < step_count; ++index) {
        const StepTraits &step = step_traits[index];
        if (step.not_sent != 0) {
            not_sent[step.name] = step.not_sent;
            no_reply[step.name] = step.no_reply;
            decides[step.name] = bits_decided_by(static_cast<Step>(index));
        }
    }
    for (int stage = SMFIM_FIRST; stage <= SMFIM_LAST; ++stage) {  // in the order in which an error lists them
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
}

}  // namespace pymilter
