// pymilter._core.encode_reply: checks a reply when it is made, and encodes it once for the wire.
#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "core/protocol/checks.hpp"
#include "core/protocol/libmilter.hpp"
#include "python/connection/values.hpp"

namespace pymilter {

namespace {

py::tuple encode_reply(int status, int code, const std::optional<std::string> &xcode,
                       const std::vector<py::str> &text) {
    const char expected = status == SMFIS_REJECT ? '5' : '4';
    ReplyText reply{std::to_string(code), xcode.value_or(""), {}};
    if (reply.code.size() != 3 || reply.code.front() != expected) {
        throw std::invalid_argument("reply code is " + reply.code + ": " +
                                    (expected == '5' ? "Reject allows 500 to 599" : "TempFail allows 400 to 499"));
    }
    for (const auto &line : text) {
        reply.lines.push_back(escape_percent(to_bytes("reply text", line)));
    }
    check_reply(reply);
    py::tuple lines(reply.lines.size());
    for (std::size_t index = 0; index < reply.lines.size(); ++index) {
        lines[index] = py::bytes(reply.lines[index]);
    }
    return py::make_tuple(status, py::bytes(reply.code), py::bytes(reply.xcode), lines);
}

}  // namespace

void bind_replies(py::module_ &module) {
    module.def("encode_reply", &encode_reply, py::arg("status"), py::arg("code"), py::arg("xcode"), py::arg("text"),
               "Check a reply; returns (status, code, enhanced code, lines) as libmilter gets them.");
}

}  // namespace pymilter
