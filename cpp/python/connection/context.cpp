// Python's handle on a connection: what a filter may ask of libmilter. Expires with the connection. Needs the GIL.
#include "python/connection/context.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "core/protocol/answer.hpp"
#include "core/protocol/checks.hpp"
#include "core/protocol/libmilter.hpp"
#include "python/connection/received.hpp"
#include "python/handlers/text.hpp"
#include "python/interpreter/errors.hpp"

namespace pymilter {

namespace {

// str becomes UTF-8, surrogates the bytes that they stand for, so that what came from the wire goes back unchanged.
std::string to_bytes(const char *what, py::handle text) {
    if (PyBytes_Check(text.ptr())) {
        return py::reinterpret_borrow<py::bytes>(text);
    }
    if (!PyUnicode_Check(text.ptr())) {
        throw py::type_error(std::string{what} + " must be str or bytes, not " + Py_TYPE(text.ptr())->tp_name);
    }
    const auto encoded =
        py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
    if (!encoded) {
        throw py::error_already_set();
    }
    return encoded;
}

py::str to_str(const std::string &text) {
    auto result = py::reinterpret_steal<py::str>(to_text(text.data(), text.size(), TextMode::surrogateescape));
    if (!result) {
        throw py::error_already_set();
    }
    return result;
}

// A string, any iterable of strings, an empty one or None.
std::string to_parameters(const py::object &parameters) {
    std::string joined;
    if (parameters.is_none()) {
        return joined;
    }
    if (PyUnicode_Check(parameters.ptr()) || PyBytes_Check(parameters.ptr())) {
        joined = to_bytes("ESMTP parameters", parameters);
    } else {
        for (const py::handle parameter : parameters) {
            if (!joined.empty()) {
                joined += ' ';
            }
            joined += to_bytes("ESMTP parameter", parameter);
        }
    }
    check_parameters(joined);
    return joined;
}

std::string to_address(const char *what, const py::object &address) {
    std::string text = to_bytes(what, address);
    check_address(what, text);
    return text;
}

char *or_null(std::string &text) { return text.empty() ? nullptr : text.data(); }

// A buffer held for the length of a call, so that no byte is copied on our side.
class Buffer {
public:
    explicit Buffer(py::object data) : m_data(std::move(data)) {
        if (PyObject_GetBuffer(m_data.ptr(), &m_view, PyBUF_SIMPLE) != 0) {
            throw py::error_already_set();
        }
    }
    ~Buffer() { PyBuffer_Release(&m_view); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;

    unsigned char *data() const { return static_cast<unsigned char *>(m_view.buf); }
    std::size_t size() const { return static_cast<std::size_t>(m_view.len); }

private:
    py::object m_data;
    Py_buffer m_view{};
};

}  // namespace

std::optional<py::str> Context::peer() const {
    const std::string peer = m_connection->peer();
    return peer.empty() ? std::nullopt : std::optional{to_str(peer)};
}

std::optional<py::str> Context::queue_id() const {
    const auto queue_id = m_connection->queue_id(m_message);
    return queue_id ? std::optional{to_str(*queue_id)} : std::nullopt;
}

py::object Context::of_message(const py::object &handle) {
    const std::shared_ptr<Connection> connection = py::cast<const Context &>(handle).m_connection;
    const MessageNumber message = connection->message_number();
    return message == any_message ? handle : py::cast(Context(connection, message));
}

py::tuple Context::origin() const {
    const Origin origin = m_connection->origin();
    const auto text = [](const std::optional<std::string> &value) -> py::object {
        return value ? py::object(to_str(*value)) : py::none();
    };
    auto address = py::reinterpret_steal<py::object>(to_hostaddr(origin.address));
    if (!address) {
        throw py::error_already_set();
    }
    return py::make_tuple(text(origin.hostname), std::move(address), text(origin.helo));
}

Received Context::received() const {
    m_connection->check_open("received");
    return take_message(*m_connection);
}

py::object Context::getpriv() const {
    m_connection->check_open("getpriv");
    return m_connection->priv ? m_connection->priv : py::none();
}

py::object Context::setpriv(py::object priv) {
    m_connection->check_open("setpriv");  // after close nobody would let the object go
    py::object earlier = getpriv();
    m_connection->priv = std::move(priv);
    return earlier;
}

std::optional<py::str> Context::getsymval(const std::string &name) {
    // libmilter knows long names only in braces, and answers nothing to one without.
    const bool is_long = name.size() > 1 && name.front() != '{';
    std::string macro = is_long ? '{' + name + '}' : name;
    std::optional<std::string> value;
    const auto look = [&](SMFICTX *context) {
        const char *const found = ::smfi_getsymval(context, macro.data());
        if (found != nullptr) {
            value = found;
        }
        return MI_SUCCESS;
    };
    m_connection->call("getsymval", look, m_message);
    if (!value) {
        return std::nullopt;
    }
    return to_str(*value);
}

void Context::setsymlist(int stage, const py::args &macros) {
    if (stage < SMFIM_FIRST || stage > SMFIM_LAST) {
        throw std::invalid_argument("stage is " + std::to_string(stage) + ": allowed are " +
                                    std::to_string(SMFIM_FIRST) + " to " + std::to_string(SMFIM_LAST));
    }
    std::string names;
    for (const py::handle macro : macros) {
        if (!names.empty()) {
            names += ' ';
        }
        names += to_bytes("macro name", macro);
    }
    check_parameters(names);
    m_connection->check_at(Step::negotiate, "setsymlist", m_message);
    const auto ask = [&](SMFICTX *context) { return ::smfi_setsymlist(context, stage, names.data()); };
    m_connection->call("setsymlist", ask, m_message);
}

void Context::setreply(const py::object &code, const py::object &xcode, const py::object &text, const py::args &more) {
    ReplyText reply;
    reply.code = to_bytes("reply code", code);
    reply.xcode = xcode.is_none() ? std::string{} : to_bytes("enhanced status code", xcode);
    if (!text.is_none()) {
        reply.lines.push_back(escape_lone_percent(to_bytes("reply text", text)));
    }
    for (const py::handle line : more) {
        reply.lines.push_back(escape_lone_percent(to_bytes("reply text", line)));
    }
    check_reply(reply);
    m_connection->call("setreply", [&](SMFICTX *context) { return send_reply(context, reply); }, m_message);
}

void Context::addheader(const py::object &name, const py::object &value, int index) {
    std::string field = to_bytes("header name", name);
    check_header_name(field);
    std::string content = checked_header_value(to_bytes("header value", value));
    if (index < -1) {
        throw std::invalid_argument("index is " + std::to_string(index) + ": allowed are 0 and up, or -1 to append");
    }
    const auto add = [=](SMFICTX *context) mutable {
        return index < 0 ? ::smfi_addheader(context, field.data(), content.data())
                         : ::smfi_insheader(context, index, field.data(), content.data());
    };
    m_connection->edit(SMFIF_ADDHDRS, index < 0 ? "addheader" : "insheader", add, m_message);
}

void Context::chgheader(const py::object &name, int index, const py::object &value) {
    std::string field = to_bytes("header name", name);
    check_header_name(field);
    std::string content = value.is_none() ? std::string{} : checked_header_value(to_bytes("header value", value));
    if (index < 0) {
        throw std::invalid_argument("index is " + std::to_string(index) + ": the first header of a name is 1");
    }
    const auto change = [=](SMFICTX *context) mutable {
        return ::smfi_chgheader(context, field.data(), index, content.data());
    };
    m_connection->edit(SMFIF_CHGHDRS, "chgheader", change, m_message);
}

void Context::addrcpt(const py::object &recipient, const py::object &parameters) {
    std::string address = to_address("recipient", recipient);
    std::string esmtp = to_parameters(parameters);
    const std::uint32_t action = esmtp.empty() ? SMFIF_ADDRCPT : SMFIF_ADDRCPT_PAR;
    const auto add = [=](SMFICTX *context) mutable {
        return esmtp.empty() ? ::smfi_addrcpt(context, address.data())
                             : ::smfi_addrcpt_par(context, address.data(), esmtp.data());
    };
    m_connection->edit(action, "addrcpt", add, m_message);
}

void Context::delrcpt(const py::object &recipient) {
    std::string address = to_address("recipient", recipient);
    // Postfix shows filters a source route, but knows the recipient without it.
    std::string unrouted = without_source_route(address);
    const auto remove = [=](SMFICTX *context) mutable {
        const int result = ::smfi_delrcpt(context, address.data());
        return result != MI_SUCCESS || unrouted == address ? result : ::smfi_delrcpt(context, unrouted.data());
    };
    m_connection->edit(SMFIF_DELRCPT, "delrcpt", remove, m_message);
}

void Context::chgfrom(const py::object &sender, const py::object &parameters) {
    std::string address = to_address("sender", sender);
    std::string esmtp = to_parameters(parameters);
    const auto change = [=](SMFICTX *context) mutable {
        return ::smfi_chgfrom(context, address.data(), or_null(esmtp));
    };
    m_connection->edit(SMFIF_CHGFROM, "chgfrom", change, m_message);
}

void Context::replacebody(const py::object &data) {
    const Buffer buffer(PyUnicode_Check(data.ptr()) ? py::bytes(to_bytes("body", data)) : data);
    const auto send = [&](SMFICTX *context) {
        // libmilter takes an int for the length and splits at 65535 itself.
        constexpr std::size_t most = std::size_t{65535} << 14;
        std::size_t sent = 0;
        int result = MI_SUCCESS;
        do {
            const std::size_t size = std::min(most, buffer.size() - sent);
            result = ::smfi_replacebody(context, buffer.data() + sent, static_cast<int>(size));
            sent += size;
        } while (result == MI_SUCCESS && sent < buffer.size());
        return result;
    };
    m_connection->replace_body(send, m_message);
}

void Context::quarantine(const py::object &reason) {
    std::string text = to_bytes("quarantine reason", reason);
    text.erase(text.find_last_not_of("\r\n") + 1);  // str(error) may end so
    check_line("quarantine reason", text);
    const auto hold = [=](SMFICTX *context) mutable { return ::smfi_quarantine(context, text.data()); };
    m_connection->edit(SMFIF_QUARANTINE, "quarantine", hold, m_message);
}

void Context::progress() {
    const MessageNumber message = m_connection->checked_message("progress", m_message);
    m_connection->check_at(Step::eom, "progress", message);
    m_connection->socket.uncork();  // it is meant to arrive now
    m_connection->call("progress", [](SMFICTX *context) { return ::smfi_progress(context); }, message, true);
}

}  // namespace pymilter
