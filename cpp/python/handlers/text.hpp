// How bytes of the wire become Python's text. Needs the GIL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/protocol/socket_address.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

enum class TextMode : std::uint8_t { surrogateescape, strict, ignore, replace, bytes };

// Throws std::invalid_argument for any other name.
TextMode to_text_mode(const std::string &name);

// Returns a new str or bytes; null with an exception set if `mode` is strict and the bytes are not UTF-8.
PyObject *to_text(const char *data, std::size_t size, TextMode mode);

// Returns a new reference to None, (ip, port), (ip, port, flowinfo, scope_id) or a path, as in the socket module; null
// with an exception set if there is no memory.
PyObject *to_hostaddr(const SocketAddress &address);

}  // namespace pymilter
