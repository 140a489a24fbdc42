// Python's handle on a connection: what a filter may ask of libmilter. Expires with the connection. Needs the GIL.
#include "python/connection/context.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/protocol/answer.hpp"
#include "core/protocol/checks.hpp"
#include "core/protocol/libmilter.hpp"
#include "python/connection/edits.hpp"
#include "python/connection/received.hpp"
#include "python/connection/values.hpp"
#include "python/handlers/text.hpp"

namespace pymilter {

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
    return Received(gathered_envelope(*m_connection));
}

py::object Context::getpriv() const {
    m_connection->check_open("getpriv");
    return m_connection->priv ? m_connection->priv : py::none();
}

py::object Context::setpriv(py::object priv) {
    m_connection->check_open("setpriv");  // after close nobody would release the object
    py::object earlier = getpriv();
    m_connection->priv = std::move(priv);
    return earlier;
}

std::optional<py::str> Context::getsymval(const std::string &name) {
    // libmilter knows long names only in braces.
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
    m_connection->request("getsymval", look, m_message);
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
    m_connection->request("setsymlist", ask, m_message);
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
    m_connection->request("setreply", [&](SMFICTX *context) { return send_reply(context, reply); }, m_message);
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
    make_edit(*m_connection, SMFIF_ADDHDRS, index < 0 ? "addheader" : "insheader", add, m_message);
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
    make_edit(*m_connection, SMFIF_CHGHDRS, "chgheader", change, m_message);
}

void Context::addrcpt(const py::object &recipient, const py::object &parameters) {
    std::string address = to_address("recipient", recipient);
    std::string esmtp = to_parameters(parameters);
    const std::uint32_t action = esmtp.empty() ? SMFIF_ADDRCPT : SMFIF_ADDRCPT_PAR;
    const auto add = [=](SMFICTX *context) mutable {
        return esmtp.empty() ? ::smfi_addrcpt(context, address.data())
                             : ::smfi_addrcpt_par(context, address.data(), esmtp.data());
    };
    make_edit(*m_connection, action, "addrcpt", add, m_message);
}

void Context::delrcpt(const py::object &recipient) {
    std::string address = to_address("recipient", recipient);
    // Postfix shows filters the source route of a recipient, but knows the recipient without it.
    std::string unrouted = without_source_route(address);
    const auto remove = [=](SMFICTX *context) mutable {
        const int result = ::smfi_delrcpt(context, address.data());
        return result != MI_SUCCESS || unrouted == address ? result : ::smfi_delrcpt(context, unrouted.data());
    };
    make_edit(*m_connection, SMFIF_DELRCPT, "delrcpt", remove, m_message);
}

void Context::chgfrom(const py::object &sender, const py::object &parameters) {
    std::string address = to_address("sender", sender);
    std::string esmtp = to_parameters(parameters);
    const auto change = [=](SMFICTX *context) mutable {
        return ::smfi_chgfrom(context, address.data(), esmtp.empty() ? nullptr : esmtp.data());
    };
    make_edit(*m_connection, SMFIF_CHGFROM, "chgfrom", change, m_message);
}

void Context::replacebody(const py::object &data) {
    const HeldBytes body("body", data);
    const auto send = [&](SMFICTX *context) {
        // libmilter takes the length as an int, and makes packets of 65535 bytes itself.
        constexpr std::size_t most = std::size_t{65535} << 14;
        std::size_t sent = 0;
        int result = MI_SUCCESS;
        do {
            const std::size_t size = std::min(most, body.size() - sent);
            result = ::smfi_replacebody(context, body.data() + sent, static_cast<int>(size));
            sent += size;
        } while (result == MI_SUCCESS && sent < body.size());
        return result;
    };
    replace_body(*m_connection, send, m_message);
}

void Context::quarantine(const py::object &reason) {
    std::string text = to_bytes("quarantine reason", reason);
    text.erase(text.find_last_not_of("\r\n") + 1);  // str(error) may end with a line break
    check_line("quarantine reason", text);
    const auto hold = [=](SMFICTX *context) mutable { return ::smfi_quarantine(context, text.data()); };
    make_edit(*m_connection, SMFIF_QUARANTINE, "quarantine", hold, m_message);
}

void Context::progress() {
    const MessageNumber message = m_connection->checked_message("progress", m_message);
    m_connection->check_at(Step::eom, "progress", message);
    m_connection->socket.uncork();  // it must arrive now
    m_connection->call("progress", [](SMFICTX *context) { return ::smfi_progress(context); }, message, true);
}

}  // namespace pymilter
