// The only include of pybind11 and Python. Python.h comes first, before any header of the system.
#pragma once

#include <pybind11/pybind11.h>

namespace pymilter {

namespace py = pybind11;

}  // namespace pymilter
