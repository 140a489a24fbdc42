// The names of methods and attributes of the user's objects, interned once and never freed. Needs the GIL.
#include "python/handlers/names.hpp"

#include <string>

namespace pymilter {

namespace {

Names make_names() {
    Names names;
    for (std::size_t index = 0; index < step_count; ++index) {
        names.method[index] = PyUnicode_InternFromString(step_traits[index].name);
    }
    for (const Step step : {Step::envfrom, Step::envrcpt, Step::header}) {
        const std::string hook = std::string{traits(step).name} + "_bytes";
        names.bytes_hook[static_cast<std::size_t>(step)] = PyUnicode_InternFromString(hook.c_str());
    }
    names.begin_message = PyUnicode_InternFromString("begin_message");
    names.mail = PyUnicode_InternFromString("mail");
    names.recipient = PyUnicode_InternFromString("recipient");
    names.whole = PyUnicode_InternFromString("_whole");
    py::set handlers;
    for (PyObject *const name : {names.begin_message, names.mail, names.recipient}) {
        handlers.add(py::handle(name));
    }
    for (const auto &group : {names.method, names.bytes_hook}) {
        for (PyObject *const name : group) {
            if (name != nullptr) {
                handlers.add(py::handle(name));
            }
        }
    }
    names.handlers = handlers.release().ptr();
    names.set_context = PyUnicode_InternFromString("_setctx");
    names.had_connection = PyUnicode_InternFromString("_had_connection");
    names.actions = PyUnicode_InternFromString("_actions");
    names.protocol = PyUnicode_InternFromString("_protocol");
    names.wire = PyUnicode_InternFromString("_wire");
    return names;
}

}  // namespace

void Names::intern() { interned_names = make_names(); }

}  // namespace pymilter
