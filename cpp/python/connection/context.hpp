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
    // With `message`, the handle of this message only.
    explicit Context(std::shared_ptr<Connection> connection, MessageNumber message = any_message)
        : m_connection(std::move(connection)), m_message(message) {}

    std::uint64_t id() const { return m_connection->id(); }
    std::uint32_t actions() const { return m_connection->options.actions; }
    std::uint32_t protocol() const { return m_connection->options.protocol; }
    std::optional<py::str> peer() const;
    std::optional<py::str> queue_id() const;

    // From the handle of a connection, that of the message which the calling thread works for, if there is one.
    static py::object of_message(const py::object &handle);

    // What connect and HELO told, as (hostname, hostaddr, helo): each None where it is not known. For filters that get
    // messages whole, as is the next.
    py::tuple origin() const;
    // The message so far; at eom with its body, for the first that asks.
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
