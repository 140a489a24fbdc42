// The table of contents of pymilter._core. To add something: its own file here, one line below, its type in _core.pyi.
#include <stdexcept>

#include "bindings/bindings.hpp"
#include "python/errors.hpp"

// Nothing here relies on the GIL for its own state: see contract 6 in python/dispatch.hpp.
PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
    module.doc() = "libmilter for Python: the C++ half of pymilter. Private; use pymilter or milter.";
    pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (const std::invalid_argument &error) {
            pymilter::set_bad_value(error.what());
        }
    });
    pymilter::bind_constants(module);
    pymilter::bind_replies(module);
    pymilter::bind_checks(module);
    pymilter::bind_body(module);
    pymilter::bind_context(module);
    pymilter::bind_filter(module);
    pymilter::bind_counters(module);
}
