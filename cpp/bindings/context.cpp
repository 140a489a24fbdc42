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
                        "A connection from the MTA. Valid until close; then every call raises MilterError.")
        .def_property_readonly("id", &Context::id, "Number of the connection, counted from 1 in this process.")
        .def_property_readonly("actions", &Context::actions, "Actions agreed in negotiation (SMFIF_*), as an int.")
        .def_property_readonly("protocol", &Context::protocol, "Protocol options agreed (SMFIP_*), as an int.")
        .def_property_readonly("peer", &Context::peer,
                               "The SMTP client: 'name[ip]', 'ip', 'unix:path', or its name alone. None where the MTA "
                               "has not told. It is what connect told, where that is called, and else from the macros "
                               "_, {client_addr} and {client_name}, which are looked at within a callback only.")
        .def_property_readonly("queue_id", &Context::queue_id,
                               "The message's queue id (macro i), within a callback that is about a message. None "
                               "elsewhere, and until the MTA has one: Postfix at the first recipient that it takes.")
        .def("_origin", &Context::origin,
             "(hostname, hostaddr, helo) as connect and HELO told, for a MessageFilter; each None if unknown.")
        .def("_received", &Context::received, "The envelope so far, for a MessageFilter.")
        .def("getpriv", &Context::getpriv, "The object that setpriv() stored, or None (smfi_getpriv).")
        .def("setpriv", &Context::setpriv, py::arg("priv"),
             "Store an object until close; returns the one before (smfi_setpriv).")
        .def("getsymval", &Context::getsymval, py::arg("name"),
             "The value of a macro, or None; braces around a long name may be left out (smfi_getsymval).")
        .def("setsymlist", &Context::setsymlist, py::arg("stage"),
             "Ask for the macros of a stage, in negotiate only, once a stage (smfi_setsymlist).")
        .def("setreply", &Context::setreply, py::arg("rcode"), py::arg("xcode") = py::none(),
             py::arg("msg") = py::none(),
             "Set code, enhanced code and lines of the reply that a fitting REJECT or TEMPFAIL gives (smfi_setreply, "
             "smfi_setmlreply).")
        .def("addheader", &Context::addheader, py::arg("field"), py::arg("value"), py::arg("idx") = -1,
             "Append a header, or insert it at idx, counted from 0 (smfi_addheader, smfi_insheader).")
        .def("chgheader", &Context::chgheader, py::arg("field"), py::arg("idx"), py::arg("value"),
             "Change the idx-th header of this name, counted from 1; None or '' deletes it (smfi_chgheader).")
        .def("addrcpt", &Context::addrcpt, py::arg("rcpt"), py::arg("params") = py::none(),
             "Add a recipient, with ESMTP parameters if given (smfi_addrcpt, smfi_addrcpt_par).")
        .def("delrcpt", &Context::delrcpt, py::arg("rcpt"),
             "Remove a recipient, written as envrcpt got it (smfi_delrcpt).")
        .def("chgfrom", &Context::chgfrom, py::arg("sender"), py::arg("params") = py::none(),
             "Change the envelope sender, with ESMTP parameters if given (smfi_chgfrom).")
        .def("replacebody", &Context::replacebody, py::arg("body"),
             "Replace the body, or add to what was given before; a str goes out as UTF-8 (smfi_replacebody).")
        .def("quarantine", &Context::quarantine, py::arg("reason"), "Hold the message in the MTA (smfi_quarantine).")
        .def("progress", &Context::progress, "Tell the MTA that eom takes longer (smfi_progress).");

    module.def("message_context", &Context::of_message, py::arg("context"),
               "The handle of the message that the calling thread works for; without one, `context` itself.");
    module.def("current_context", &current_context, "The connection whose callback the calling thread is in, or None.");
}

}  // namespace pymilter
