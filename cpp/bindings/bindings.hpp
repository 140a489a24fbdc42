// What each file of this folder adds to the module; module.cpp calls them in this order.
#pragma once

#include "python/python.hpp"

namespace pymilter {

void bind_constants(py::module_ &module);
void bind_replies(py::module_ &module);
void bind_checks(py::module_ &module);
void bind_body(py::module_ &module);
void bind_context(py::module_ &module);
void bind_filter(py::module_ &module);
void bind_counters(py::module_ &module);

}  // namespace pymilter
