// A gathered body as Python sees it: bytes, or a read-only memoryview that stays valid as long as it is held. Needs
// the GIL.
#pragma once

#include <memory>

#include "core/body_buffer.hpp"
#include "python/python.hpp"

namespace pymilter {

// Owner of the memory behind a memoryview.
class BodyView {
public:
    explicit BodyView(std::shared_ptr<const BodyBytes> bytes) : m_bytes(std::move(bytes)) {}
    py::buffer_info buffer() const;

private:
    std::shared_ptr<const BodyBytes> m_bytes;
};

// Takes what was gathered, as a new reference. Throws what Python raises, and std::system_error.
PyObject *take_body(BodyBuffer &body, bool as_view);

}  // namespace pymilter
