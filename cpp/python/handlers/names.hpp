// The names of methods and attributes of the user's objects, interned once and never freed. Needs the GIL.
#pragma once

#include <array>

#include "core/protocol/step.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

struct Names {
    std::array<PyObject *, step_count> method{};
    std::array<PyObject *, step_count> bytes_hook{};
    PyObject *begin_message = nullptr;
    // What a filter that gets messages whole has instead of envfrom and envrcpt.
    PyObject *mail = nullptr;
    PyObject *recipient = nullptr;
    // What is called at eom of such a filter. Its eom cannot be set on an object, which makes looking it up slow.
    PyObject *whole = nullptr;
    PyObject *handlers = nullptr;  // a set of all names above
    PyObject *set_context = nullptr;
    PyObject *had_connection = nullptr;
    PyObject *actions = nullptr;
    PyObject *protocol = nullptr;
    PyObject *wire = nullptr;

    // Called once, while the module is imported.
    static void intern();
    static const Names &get();
};

inline Names interned_names;

inline const Names &Names::get() { return interned_names; }

}  // namespace pymilter
