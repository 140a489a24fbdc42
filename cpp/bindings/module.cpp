// The table of contents of pymilter._core. To add something: its own file here, one line below, its type in _core.pyi.
#include <stdexcept>
#include <system_error>

#include "bindings/bindings.hpp"
#include "python/interpreter/errors.hpp"

namespace {

// Like the function of pybind11, but without its C++ exception, which would end the process. It is thrown for a class
// of pybind11 without a C++ class, such as the common base, of which pickle may make an object.
PyObject *make_instance(PyTypeObject *type, PyObject *, PyObject *) {
    try {
        return pybind11::detail::make_new_instance(type);
    } catch (const std::exception &error) {
        PyErr_SetString(PyExc_TypeError, error.what());
        return nullptr;
    }
}

// To be called before the classes are made, which inherit it. No other module has this base: see PYBIND11_COMPILER_TYPE
// in CMakeLists.txt.
void guard_base_class() {
    auto *const base = reinterpret_cast<PyTypeObject *>(pybind11::detail::get_internals().instance_base);
    base->tp_new = make_instance;
    PyType_Modified(base);
}

}  // namespace

// Nothing here relies on the GIL for its own state: see contract 6 in python/boundary/dispatch.hpp.
PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
    module.doc() = "libmilter for Python: the C++ half of pymilter. Private; use pymilter or milter.";
    pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (const std::invalid_argument &error) {
            pymilter::set_bad_value(error.what());
        } catch (const std::system_error &error) {
            const auto reason = pybind11::make_tuple(error.code().value(), error.what());
            PyErr_SetObject(PyExc_OSError, reason.ptr());
        }
    });
    guard_base_class();
    pymilter::bind_library(module);
    pymilter::bind_constants(module);
    pymilter::bind_steps(module);
    pymilter::bind_replies(module);
    pymilter::bind_checks(module);
    pymilter::bind_body(module);
    pymilter::bind_context(module);
    pymilter::bind_handlers(module);
    pymilter::bind_service(module);
    pymilter::bind_counters(module);
    pymilter::bind_relay(module);
}
