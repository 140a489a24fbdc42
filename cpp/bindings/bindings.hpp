// What each file of this folder adds to the module. module.cpp calls these functions in this order.
#pragma once

#include "python/interpreter/python.hpp"

namespace pymilter {

// For class_: only C++ makes objects of this class. Otherwise Python code could make one by __new__ without __init__,
// whose methods would find no C++ object. Functions of the module make the objects that Python needs.
inline py::custom_type_setup made_in_cpp_only() {
    return py::custom_type_setup([](PyHeapTypeObject *heap_type) {
        heap_type->ht_type.tp_new = [](PyTypeObject *type, PyObject *, PyObject *) -> PyObject * {
            PyErr_Format(PyExc_TypeError, "%s objects are made by pymilter itself, not by programs", type->tp_name);
            return nullptr;
        };
    });
}

void bind_library(py::module_ &module);
void bind_constants(py::module_ &module);
void bind_steps(py::module_ &module);
void bind_replies(py::module_ &module);
void bind_checks(py::module_ &module);
void bind_body(py::module_ &module);
void bind_context(py::module_ &module);
void bind_handlers(py::module_ &module);
void bind_service(py::module_ &module);
void bind_counters(py::module_ &module);
void bind_relay(py::module_ &module);

}  // namespace pymilter
