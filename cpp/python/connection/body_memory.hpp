// Memory of a body that becomes a bytes object without being copied again.
#pragma once

#include <cstddef>

#include "core/body/body_buffer.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

// Most bodies are small, and are gathered in memory of our own, so that Python is entered only to hand them over. A
// larger one is gathered in a bytes object that nobody else knows yet; the chunks are written into it without the GIL.
// To be destroyed with the GIL.
class BytesMemory : public BodyMemory {
public:
    BytesMemory() = default;
    ~BytesMemory() override;

    // Both are called without the GIL.
    char *reserve(std::size_t size, std::size_t most) override;
    void release() noexcept override;

    // Hands over the first `size` bytes. Needs the GIL; throws what Python raises.
    py::object take(std::size_t size);

private:
    char *data() const;
    void grow_bytes(std::size_t capacity);

    char *m_small = nullptr;
    PyObject *m_bytes = nullptr;
    std::size_t m_capacity = 0;
};

}  // namespace pymilter
