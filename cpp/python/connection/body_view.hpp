// A gathered body as Python sees it: bytes, or a read-only memoryview that stays valid as long as it is held. Needs
// the GIL.
#pragma once

#include <memory>

#include "core/body/body_buffer.hpp"
#include "python/connection/body_memory.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

// Owns the file behind a memoryview.
class BodyView {
public:
    explicit BodyView(std::shared_ptr<const MappedFile> file) : m_file(std::move(file)) {}
    py::buffer_info buffer() const;

private:
    std::shared_ptr<const MappedFile> m_file;
};

class GatheredBody {
    BytesMemory m_memory;

public:
    BodyBuffer buffer{m_memory};

    // Hands over what was gathered, as a new reference. Throws what Python raises, and std::system_error.
    PyObject *take(bool as_view);
};

}  // namespace pymilter
