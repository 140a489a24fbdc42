// Memory of a body that becomes a bytes object without being copied again.
#include "python/connection/body_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "python/interpreter/gil.hpp"

namespace pymilter {

namespace {

constexpr std::size_t small_most = std::size_t{256} * 1024;
// Growing needs the GIL, so it is done rarely. Memory that is never written to costs only address space.
constexpr std::size_t factor = 4;

}  // namespace

BytesMemory::~BytesMemory() {
    std::free(m_small);
    Py_XDECREF(m_bytes);
}

char *BytesMemory::data() const { return m_bytes != nullptr ? PyBytes_AS_STRING(m_bytes) : m_small; }

char *BytesMemory::reserve(std::size_t size, std::size_t most) {
    if (size <= m_capacity) {
        return data();
    }
    if (size <= small_most && m_bytes == nullptr) {
        const std::size_t capacity = m_capacity == 0 ? size : small_most;
        char *const larger = static_cast<char *>(std::realloc(m_small, capacity));
        if (larger == nullptr) {
            throw std::bad_alloc();
        }
        m_small = larger;
        m_capacity = capacity;
    } else {
        grow_bytes(std::max(size, std::min(most, factor * std::max(m_capacity, small_most))));
    }
    return data();
}

void BytesMemory::grow_bytes(std::size_t capacity) {
    const Attach attach;
    if (!attach) {
        throw std::bad_alloc();
    }
    if (m_bytes != nullptr) {
        _PyBytes_Resize(&m_bytes, static_cast<Py_ssize_t>(capacity));
    } else {
        m_bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(capacity));
        if (m_bytes != nullptr && m_small != nullptr) {
            std::memcpy(PyBytes_AS_STRING(m_bytes), m_small, m_capacity);
        }
        std::free(std::exchange(m_small, nullptr));
    }
    m_capacity = capacity;
    if (m_bytes == nullptr) {
        m_capacity = 0;
        PyErr_Clear();
        throw std::bad_alloc();
    }
}

void BytesMemory::release() noexcept {
    std::free(std::exchange(m_small, nullptr));
    m_capacity = 0;
    if (m_bytes != nullptr) {
        // If the interpreter has ended, nobody needs the object back.
        if (const Attach attach; attach) {
            Py_DECREF(m_bytes);
        }
        m_bytes = nullptr;
    }
}

py::object BytesMemory::take(std::size_t size) {
    if (m_bytes == nullptr) {
        auto copy =
            py::reinterpret_steal<py::object>(PyBytes_FromStringAndSize(m_small, static_cast<Py_ssize_t>(size)));
        if (!copy) {
            throw py::error_already_set();
        }
        return copy;
    }
    // Shortened in place: if the rest were given back, malloc would move the next body, or take fresh pages for it.
    Py_SET_SIZE(reinterpret_cast<PyVarObject *>(m_bytes), static_cast<Py_ssize_t>(size));
    PyBytes_AS_STRING(m_bytes)[size] = '\0';
    m_capacity = 0;
    return py::reinterpret_steal<py::object>(std::exchange(m_bytes, nullptr));
}

}  // namespace pymilter
