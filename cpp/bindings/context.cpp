// pymilter._core.Context. Signatures and texts stand in _core.pyi too: a test compares them.
#include "python/connection/context.hpp"

#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "python/interpreter/gil.hpp"

namespace pymilter {

namespace {

py::object current_context() {
    const Connection *const connection = Attach::connection();
    return connection != nullptr && connection->context_object ? connection->context_object : py::none();
}

}  // namespace

void bind_context(py::module_ &module) {
    py::class_<Context>(module, "Context", made_in_cpp_only(),
                        "A connection from the MTA, valid until close: after that, every call raises MilterError.")
        .def_property_readonly("id", &Context::id, "The number of the connection, counted from 1 in this process.")
        .def_property_readonly("actions", &Context::actions, "The actions agreed in negotiation (SMFIF_*), as an int.")
        .def_property_readonly("protocol", &Context::protocol,
                               "The protocol options agreed in negotiation (SMFIP_*), as an int.")
        .def_property_readonly(
            "peer", &Context::peer,
            "The SMTP client as 'name[ip]', 'ip' or 'unix:path', or only its name; None if the MTA "
            "has sent neither. It comes from connect if that is called, otherwise from the macros _, "
            "{client_addr} and {client_name}, which are read within a callback only.")
        .def_property_readonly("queue_id", &Context::queue_id,
                               "The queue id of the message (macro i), within a callback that is about a message. None "
                               "elsewhere, and before the MTA has one: Postfix has it from the first recipient that it "
                               "accepts.")
        .def("_origin", &Context::origin,
             "(hostname, hostaddr, helo) from connect and HELO, for a MessageFilter; None for each "
             "that is unknown.")
        .def("_received", &Context::received, "The envelope so far, for a MessageFilter.")
        .def("getpriv", &Context::getpriv, "The object that setpriv() stored, or None (smfi_getpriv).")
        .def("setpriv", &Context::setpriv, py::arg("priv"),
             "Store an object until close, and return the previous one (smfi_setpriv).")
        .def("getsymval", &Context::getsymval, py::arg("name"),
             "The value of a macro, or None. The braces around a long name are optional "
             "(smfi_getsymval).")
        .def("setsymlist", &Context::setsymlist, py::arg("stage"),
             "Ask for the macros of a stage. Possible in negotiate only, once for each stage "
             "(smfi_setsymlist).")
        .def("setreply", &Context::setreply, py::arg("rcode"), py::arg("xcode") = py::none(),
             py::arg("msg") = py::none(),
             "Set code, enhanced code and lines of the reply that a REJECT (code 5xx) or a TEMPFAIL "
             "(4xx) sends (smfi_setreply, smfi_setmlreply).")
        .def("addheader", &Context::addheader, py::arg("field"), py::arg("value"), py::arg("idx") = -1,
             "Append a header, or insert it at position idx, counted from 0 (smfi_addheader, "
             "smfi_insheader).")
        .def("chgheader", &Context::chgheader, py::arg("field"), py::arg("idx"), py::arg("value"),
             "Change the idx-th header of this name, counted from 1; None or '' deletes it (smfi_chgheader).")
        .def("addrcpt", &Context::addrcpt, py::arg("rcpt"), py::arg("params") = py::none(),
             "Add a recipient, with ESMTP parameters if given (smfi_addrcpt, smfi_addrcpt_par).")
        .def("delrcpt", &Context::delrcpt, py::arg("rcpt"),
             "Remove a recipient, given exactly as envrcpt received it (smfi_delrcpt).")
        .def("chgfrom", &Context::chgfrom, py::arg("sender"), py::arg("params") = py::none(),
             "Change the envelope sender, with ESMTP parameters if given (smfi_chgfrom).")
        .def("replacebody", &Context::replacebody, py::arg("body"),
             "Replace the body; further calls append. A str is sent as UTF-8 (smfi_replacebody).")
        .def("quarantine", &Context::quarantine, py::arg("reason"), "Hold the message in the MTA (smfi_quarantine).")
        .def("progress", &Context::progress, "Tell the MTA that eom takes longer (smfi_progress).");

    module.def("message_context", &Context::of_message, py::arg("context"),
               "The handle of the message that the calling thread works for; `context` itself if there "
               "is none.");
    module.def("current_context", &current_context,
               "The connection whose callback runs in the calling thread, or None.");
}

}  // namespace pymilter
