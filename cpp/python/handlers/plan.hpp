// The plan of a class of handlers, or of a set of functions: all that dispatch needs, worked out once.
//
// A plan is made with the GIL. Callbacks read it without the GIL, so it never changes afterwards.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/body/body_buffer.hpp"
#include "core/protocol/answer.hpp"
#include "core/protocol/negotiation.hpp"
#include "core/protocol/step.hpp"
#include "python/handlers/text.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

// How the chunks of a body are gathered before Python gets them.
struct Gather {
    BodyLimits limits;
    std::size_t piece;  // bytes handed over at once, or 0 for the whole body
    bool as_view;       // as a memoryview instead of bytes
    Answer exceeded;    // the answer to a message that exceeds the limit
};

// How a message is gathered for a filter that gets it whole. Its body is gathered as Gather says.
struct Whole {
    std::size_t header_limit;  // bytes
    Answer header_exceeded;    // the answer to a message that exceeds it
};

struct Plan {
    Options wanted;
    std::uint32_t steps = 0;     // steps with a handler
    std::uint32_t no_reply = 0;  // steps whose handler never gives a verdict
    bool negotiates = false;     // has a negotiate handler of its own
    bool has_begin = false;      // has a begin_message of its own
    bool has_methods = true;     // false: functions that get the context first
    std::array<TextMode, step_count> text{};
    std::vector<std::pair<int, std::string>> macros;  // stage (SMFIM_*), names separated by spaces
    // The inherited envfrom_bytes, envrcpt_bytes and header_bytes. A classic program may replace one in its class or on
    // an instance; then it is called in place of the method.
    std::array<py::object, step_count> inherited_hook;

    std::optional<Gather> gather;  // if chunks of the body are gathered
    std::optional<Whole> whole;    // if whole messages are gathered

    bool gathers_whole() const { return gather && gather->piece == 0 && has(Step::body); }
    bool has(Step step) const { return (steps & bit(step)) != 0; }
    bool is_no_reply(Step step) const { return (no_reply & bit(step)) != 0; }
    // What the author of the program calls the handler of a step.
    const char *handler_name(Step step) const {
        if (whole) {
            switch (step) {
            case Step::envfrom:
                return "mail";
            case Step::envrcpt:
                return "recipient";
            case Step::eom:
                return "message";
            default:
                break;
            }
        }
        return traits(step).name;
    }
    TextMode text_of(Step step) const { return text[static_cast<std::size_t>(step)]; }
};

}  // namespace pymilter
