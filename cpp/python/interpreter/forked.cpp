// The end of a process that a handler has forked.
#include "python/interpreter/forked.hpp"

#include <unistd.h>

#include <cstdlib>

#include "python/interpreter/errors.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

void end_forked_process() noexcept {
    try {
        py::object error = py::none();
        if (PyErr_Occurred() != nullptr) {
            error = take_exception();
        }
        py::module_::import("pymilter._process.forked").attr("end_child")(error);
    } catch (...) {
        // Even that has failed, and there is nobody to report it to.
    }
    ::_exit(EXIT_FAILURE);
}

}  // namespace pymilter
