// libmilter's constants as real Python enums.
#include <pybind11/native_enum.h>

#include "bindings/bindings.hpp"
#include "core/protocol/libmilter.hpp"
#include "python/boundary/reply.hpp"

namespace pymilter {

namespace {

enum class Status : int {
    CONTINUE = SMFIS_CONTINUE,
    REJECT = SMFIS_REJECT,
    DISCARD = SMFIS_DISCARD,
    ACCEPT = SMFIS_ACCEPT,
    TEMPFAIL = SMFIS_TEMPFAIL,
    NOREPLY = SMFIS_NOREPLY,
    SKIP = SMFIS_SKIP,
    ALL_OPTS = SMFIS_ALL_OPTS,
};

enum class Action : unsigned {
    ADDHDRS = SMFIF_ADDHDRS,
    CHGBODY = SMFIF_CHGBODY,
    ADDRCPT = SMFIF_ADDRCPT,
    DELRCPT = SMFIF_DELRCPT,
    CHGHDRS = SMFIF_CHGHDRS,
    QUARANTINE = SMFIF_QUARANTINE,
    CHGFROM = SMFIF_CHGFROM,
    ADDRCPT_PAR = SMFIF_ADDRCPT_PAR,
    SETSYMLIST = SMFIF_SETSYMLIST,
};

enum class Protocol : unsigned {
    NOCONNECT = SMFIP_NOCONNECT,
    NOHELO = SMFIP_NOHELO,
    NOMAIL = SMFIP_NOMAIL,
    NORCPT = SMFIP_NORCPT,
    NOBODY = SMFIP_NOBODY,
    NOHDRS = SMFIP_NOHDRS,
    NOEOH = SMFIP_NOEOH,
    NR_HDR = SMFIP_NR_HDR,
    NOUNKNOWN = SMFIP_NOUNKNOWN,
    NODATA = SMFIP_NODATA,
    SKIP = SMFIP_SKIP,
    RCPT_REJ = SMFIP_RCPT_REJ,
    NR_CONN = SMFIP_NR_CONN,
    NR_HELO = SMFIP_NR_HELO,
    NR_MAIL = SMFIP_NR_MAIL,
    NR_RCPT = SMFIP_NR_RCPT,
    NR_DATA = SMFIP_NR_DATA,
    NR_UNKN = SMFIP_NR_UNKN,
    NR_EOH = SMFIP_NR_EOH,
    NR_BODY = SMFIP_NR_BODY,
    HDR_LEADSPC = SMFIP_HDR_LEADSPC,
};

enum class Stage : int {
    CONNECT = SMFIM_CONNECT,
    HELO = SMFIM_HELO,
    ENVFROM = SMFIM_ENVFROM,
    ENVRCPT = SMFIM_ENVRCPT,
    DATA = SMFIM_DATA,
    EOM = SMFIM_EOM,
    EOH = SMFIM_EOH,
};

}  // namespace

void bind_constants(py::module_ &module) {
    py::native_enum<Status>(module, "Status", "enum.IntEnum", "What a handler answers (SMFIS_*).")
        .value("CONTINUE", Status::CONTINUE)
        .value("REJECT", Status::REJECT)
        .value("DISCARD", Status::DISCARD)
        .value("ACCEPT", Status::ACCEPT)
        .value("TEMPFAIL", Status::TEMPFAIL)
        .value("NOREPLY", Status::NOREPLY)
        .value("SKIP", Status::SKIP)
        .value("ALL_OPTS", Status::ALL_OPTS)
        .finalize();
    py::native_enum<Action>(module, "Action", "enum.IntFlag", "What a filter may do to a message at eom (SMFIF_*).")
        .value("ADDHDRS", Action::ADDHDRS)
        .value("CHGBODY", Action::CHGBODY)
        .value("ADDRCPT", Action::ADDRCPT)
        .value("DELRCPT", Action::DELRCPT)
        .value("CHGHDRS", Action::CHGHDRS)
        .value("QUARANTINE", Action::QUARANTINE)
        .value("CHGFROM", Action::CHGFROM)
        .value("ADDRCPT_PAR", Action::ADDRCPT_PAR)
        .value("SETSYMLIST", Action::SETSYMLIST)
        .finalize();
    py::native_enum<Protocol>(module, "Protocol", "enum.IntFlag", "Options of the milter protocol (SMFIP_*).")
        .value("NOCONNECT", Protocol::NOCONNECT)
        .value("NOHELO", Protocol::NOHELO)
        .value("NOMAIL", Protocol::NOMAIL)
        .value("NORCPT", Protocol::NORCPT)
        .value("NOBODY", Protocol::NOBODY)
        .value("NOHDRS", Protocol::NOHDRS)
        .value("NOEOH", Protocol::NOEOH)
        .value("NR_HDR", Protocol::NR_HDR)
        .value("NOUNKNOWN", Protocol::NOUNKNOWN)
        .value("NODATA", Protocol::NODATA)
        .value("SKIP", Protocol::SKIP)
        .value("RCPT_REJ", Protocol::RCPT_REJ)
        .value("NR_CONN", Protocol::NR_CONN)
        .value("NR_HELO", Protocol::NR_HELO)
        .value("NR_MAIL", Protocol::NR_MAIL)
        .value("NR_RCPT", Protocol::NR_RCPT)
        .value("NR_DATA", Protocol::NR_DATA)
        .value("NR_UNKN", Protocol::NR_UNKN)
        .value("NR_EOH", Protocol::NR_EOH)
        .value("NR_BODY", Protocol::NR_BODY)
        .value("HDR_LEADSPC", Protocol::HDR_LEADSPC)
        .finalize();
    py::native_enum<Stage>(module, "Stage", "enum.IntEnum",
                           "The stages at which macros are sent, for setsymlist (SMFIM_*).")
        .value("CONNECT", Stage::CONNECT)
        .value("HELO", Stage::HELO)
        .value("ENVFROM", Stage::ENVFROM)
        .value("ENVRCPT", Stage::ENVRCPT)
        .value("DATA", Stage::DATA)
        .value("EOM", Stage::EOM)
        .value("EOH", Stage::EOH)
        .finalize();
    use_enums(module.attr("Status"), module.attr("Action"));
}

}  // namespace pymilter
