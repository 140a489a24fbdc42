// What a handler returned, read as an answer. Needs the GIL.
#include "python/boundary/reply.hpp"

#include "python/handlers/names.hpp"

namespace pymilter {

namespace {

bool is_allowed(long status, Step step) {
    switch (status) {
    case SMFIS_CONTINUE:
    case SMFIS_REJECT:
    case SMFIS_DISCARD:
    case SMFIS_ACCEPT:
    case SMFIS_TEMPFAIL:
    case SMFIS_NOREPLY:
        return true;
    case SMFIS_SKIP:
        return step == Step::body;
    case SMFIS_ALL_OPTS:
        return step == Step::negotiate;
    default:
        return false;
    }
}

constexpr const char *allowed_results = "allowed are a Status, a Reply (Reject, TempFail) and None";
constexpr const char *quarantine_is_an_edit =
    "quarantine is an edit and not a status: call self.quarantine(reason) in eom, then return ACCEPT or CONTINUE";
constexpr const char *quarantine_of_a_whole_message =
    "quarantine is an edit and not a status: call message.quarantine(reason), then return ACCEPT or CONTINUE";

// The enums Status and Action. Set once, while the module is imported, and never freed.
PyObject *status_type = nullptr;
PyObject *action_type = nullptr;

// Whether this is a plain int or a Status. Other subclasses of int have numbers with another meaning: True is 1, which
// would be REJECT, and socket.AF_INET is 2, which would be DISCARD.
bool is_status(PyObject *result) {
    return PyLong_CheckExact(result) || reinterpret_cast<PyObject *>(Py_TYPE(result)) == status_type;
}

bool is_action(PyObject *result, long action) {
    return reinterpret_cast<PyObject *>(Py_TYPE(result)) == action_type && PyLong_AsLong(result) == action;
}

[[noreturn]] void refuse_result(PyObject *type, const py::object &result, const char *handler, const char *reason) {
    PyErr_Format(type, "%s() returned %R: %s", handler, result.ptr(), reason);
    throw py::error_already_set();
}

// Whether this is the `_wire` of a Reply. Other objects may have any attribute of that name.
bool is_wire_form(PyObject *wire) {
    return PyTuple_CheckExact(wire) && PyTuple_GET_SIZE(wire) == 4 && PyTuple_CheckExact(PyTuple_GET_ITEM(wire, 3));
}

Answer read_any(const py::object &result, const Plan &plan, Step step) {
    const char *const handler = plan.handler_name(step);
    if (result.is_none()) {
        return {};
    }
    if (is_status(result.ptr())) {
        int overflow = 0;
        const long status = PyLong_AsLongAndOverflow(result.ptr(), &overflow);
        if (overflow != 0 || !is_allowed(status, step)) {
            refuse_result(PyExc_ValueError, result, handler, "this is no status that libmilter knows for this step");
        }
        return {static_cast<int>(status)};
    }
    if (PyLong_Check(result.ptr())) {
        const char *const hint = plan.whole ? quarantine_of_a_whole_message : quarantine_is_an_edit;
        const bool is_quarantine = is_action(result.ptr(), SMFIF_QUARANTINE);
        refuse_result(PyExc_TypeError, result, handler, is_quarantine ? hint : allowed_results);
    }
    const auto wire = py::reinterpret_steal<py::object>(PyObject_GetAttr(result.ptr(), Names::get().wire));
    if (!wire || !is_wire_form(wire.ptr())) {
        PyErr_Clear();
        refuse_result(PyExc_TypeError, result, handler, allowed_results);
    }
    Answer answer = to_answer(wire);
    if (answer.status != SMFIS_REJECT && answer.status != SMFIS_TEMPFAIL) {
        refuse_result(PyExc_ValueError, result, handler, "a reply goes with REJECT or TEMPFAIL");
    }
    return answer;
}

}  // namespace

void use_enums(const py::object &statuses, const py::object &actions) {
    status_type = statuses.inc_ref().ptr();
    action_type = actions.inc_ref().ptr();
}

Answer to_answer(const py::object &wire) {
    const auto parts = py::reinterpret_borrow<py::tuple>(wire);
    Answer answer;
    answer.status = py::cast<int>(parts[0]);
    answer.text.code = py::cast<std::string>(parts[1]);
    answer.text.xcode = py::cast<std::string>(parts[2]);
    for (const py::handle line : py::reinterpret_borrow<py::tuple>(parts[3])) {
        answer.text.lines.push_back(py::cast<std::string>(line));
    }
    return answer;
}

Answer read_result(const py::object &result, const Plan &plan, Step step, bool is_no_reply) {
    Answer answer = read_any(result, plan, step);
    if (is_no_reply && is_verdict(answer.status)) {
        refuse_result(PyExc_ValueError, result, plan.handler_name(step),
                      "it is declared to give no verdict (-> None or @noreply)");
    }
    return answer;
}

void send_text(Connection &connection, const Answer &answer) {
    if (!answer.text.code.empty()) {
        const auto set = [&](SMFICTX *context) { return send_reply(context, answer.text); };
        connection.call("setreply", set, any_message);
    }
}

}  // namespace pymilter
