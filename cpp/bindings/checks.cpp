// pymilter._core.check_*: the checks of what a filter asks to send, for the contexts of unit tests.
#include "core/protocol/checks.hpp"

#include <pybind11/stl.h>

#include "bindings/bindings.hpp"

namespace pymilter {

namespace {

py::bytes check_header(const py::bytes &name, const py::bytes &value) {
    check_header_name(std::string{name});
    return checked_header_value(std::string{value});
}

}  // namespace

void bind_checks(py::module_ &module) {
    module.def("check_header", &check_header, py::arg("name"), py::arg("value"),
               "Check a header that is to be sent; returns its value as libmilter gets it.");
    module.def(
        "check_address",
        [](const std::string &what, const py::bytes &address) { check_address(what, std::string{address}); },
        py::arg("what"), py::arg("address"), "Check an address that is to be sent.");
    module.def(
        "check_parameters", [](const py::bytes &parameters) { check_parameters(std::string{parameters}); },
        py::arg("parameters"), "Check ESMTP parameters that are to be sent.");
    module.def(
        "check_line", [](const std::string &what, const py::bytes &line) { check_line(what, std::string{line}); },
        py::arg("what"), py::arg("line"),
        "Check text that is to be sent in one line, such as the reason for a quarantine.");
}

}  // namespace pymilter
