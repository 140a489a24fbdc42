// What each step hands to its handler: the values of libmilter, made into arguments. Each of these is called with the
// GIL by call_handler(), as fill(arguments, mode), and throws what Python raises.
#pragma once

#include <cstddef>
#include <cstring>

#include "core/protocol/libmilter.hpp"
#include "python/boundary/arguments.hpp"
#include "python/connection/connection.hpp"
#include "python/connection/received.hpp"
#include "python/handlers/text.hpp"

namespace pymilter {

// Text that ends with NUL; a null pointer is an empty text.
inline PyObject *to_text(const char *text, TextMode mode) {
    return text == nullptr ? to_text("", 0, mode) : to_text(text, std::strlen(text), mode);
}

struct FillNothing {
    void operator()(Arguments &, TextMode) const {}
};

// connect: hostname, family and hostaddr, as the connection has noted them.
struct FillClient {
    SMFICTX *context;

    void operator()(Arguments &arguments, TextMode mode) const {
        const Origin origin = Connection::find(context)->origin();
        arguments.add(to_text(origin.hostname->data(), origin.hostname->size(), mode));
        arguments.add(PyLong_FromLong(origin.address.family));
        arguments.add(to_hostaddr(origin.address));
    }
};

// helo and unknown.
struct FillText {
    const char *text;

    void operator()(Arguments &arguments, TextMode mode) const { arguments.add(to_text(text, mode)); }
};

// envfrom and envrcpt: the address and its ESMTP parameters. The list ends with a null pointer.
struct FillEnvelope {
    char **list;

    void operator()(Arguments &arguments, TextMode mode) const {
        for (char **argument = list; *argument != nullptr; ++argument) {
            arguments.add(to_text(*argument, mode));
        }
    }
};

// header: the name is always a str.
struct FillField {
    const char *name;
    const char *value;

    void operator()(Arguments &arguments, TextMode mode) const {
        arguments.add(to_text(name, TextMode::surrogateescape));
        arguments.add(to_text(value, mode));
    }
};

// body, chunk by chunk.
struct FillChunk {
    const unsigned char *chunk;
    std::size_t size;

    void operator()(Arguments &arguments, TextMode) const {
        arguments.add(to_text(reinterpret_cast<const char *>(chunk), size, TextMode::bytes));
    }
};

// body, gathered: takes what has been gathered. Throws std::system_error as well.
struct FillGathered {
    Connection *connection;

    void operator()(Arguments &arguments, TextMode) const {
        arguments.add(connection->gathered.body.take(connection->plan->gather->as_view));
    }
};

// eom of a filter that gets messages whole: the envelope and the number of recipients, the header and the number of
// fields, and the body, as a memoryview if it is in a file. Throws std::system_error as well.
struct FillWhole {
    Connection *connection;

    void operator()(Arguments &arguments, TextMode) const {
        const auto &envelope = gathered_envelope(*connection);
        const GatheredHeader &header = connection->gathered.header;
        GatheredBody &body = connection->gathered.body;
        arguments.add(py::cast(Received(envelope)).release().ptr());
        arguments.add(PyLong_FromSize_t(envelope->recipient_count()));
        arguments.add(to_text(header.text().data(), header.text().size(), TextMode::bytes));
        arguments.add(PyLong_FromSize_t(header.field_count()));
        arguments.add(body.take(body.buffer.is_in_file()));
    }
};

}  // namespace pymilter
