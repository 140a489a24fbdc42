// Python's handle on a connection: what a filter may ask of libmilter. Expires with the connection. Needs the GIL.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "python/connection/connection.hpp"
#include "python/interpreter/python.hpp"
#include "python/connection/received.hpp"

namespace pymilter {

class Context {
public:
    // The handle of one message, if `message` is given.
    explicit Context(std::shared_ptr<Connection> connection, MessageNumber message = any_message)
        : m_connection(std::move(connection)), m_message(message) {}

    std::uint64_t id() const { return m_connection->id(); }
    std::uint32_t actions() const { return m_connection->options.actions; }
    std::uint32_t protocol() const { return m_connection->options.protocol; }
    std::optional<py::str> peer() const;
    std::optional<py::str> queue_id() const;

    // The handle of the message that the calling thread works for, from the handle of its connection; without such a
    // message, `handle` itself.
    static py::object of_message(const py::object &handle);

    // The client from connect and HELO, as (hostname, hostaddr, helo); each is None if it is unknown. This and the next
    // are for filters that get messages whole.
    py::tuple origin() const;
    // The message so far. At eom with its body, which the first call takes.
    Received received() const;

    py::object getpriv() const;
    py::object setpriv(py::object priv);

    std::optional<py::str> getsymval(const std::string &name);
    void setsymlist(int stage, const py::args &macros);
    void setreply(const py::object &code, const py::object &xcode, const py::object &text, const py::args &more);

    void addheader(const py::object &name, const py::object &value, int index);
    void chgheader(const py::object &name, int index, const py::object &value);
    void addrcpt(const py::object &recipient, const py::object &parameters);
    void delrcpt(const py::object &recipient);
    void chgfrom(const py::object &sender, const py::object &parameters);
    void replacebody(const py::object &data);
    void quarantine(const py::object &reason);
    void progress();

private:
    std::shared_ptr<Connection> m_connection;
    MessageNumber m_message;
};

}  // namespace pymilter
