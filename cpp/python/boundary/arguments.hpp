// The arguments of one vectorcall: the receiver, then objects that are owned for the length of the call. Needs the GIL.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "python/interpreter/python.hpp"

namespace pymilter {

class Arguments {
public:
    explicit Arguments(const py::object &receiver) {
        m_fixed[0] = nullptr;  // the free slot that PY_VECTORCALL_ARGUMENTS_OFFSET promises
        m_fixed[1] = receiver.ptr();
    }
    ~Arguments() {
        for (std::size_t index = 2; index < m_size; ++index) {
            Py_DECREF(begin()[index]);
        }
    }
    Arguments(const Arguments &) = delete;
    Arguments &operator=(const Arguments &) = delete;

    // Takes over a new reference. If it is null, throws the exception that is set.
    void add(PyObject *owned) {
        if (owned != nullptr && m_size < m_fixed.size()) {
            m_fixed[m_size] = owned;
            ++m_size;
        } else {
            add_to_many(owned);
        }
    }

    PyObject *call_method(PyObject *name) {
        return PyObject_VectorcallMethod(name, begin() + 1, flags(m_size - 1), nullptr);
    }
    PyObject *call(PyObject *callable) {
        return PyObject_Vectorcall(callable, begin() + 1, flags(m_size - 1), nullptr);
    }
    // Without the receiver, for a bound method.
    PyObject *call_bound(PyObject *callable) {
        return PyObject_Vectorcall(callable, begin() + 2, flags(m_size - 2), nullptr);
    }

private:
    // Apart, so that add() is short enough to be inlined.
    [[gnu::noinline]] void add_to_many(PyObject *owned) {
        if (owned == nullptr) {
            throw py::error_already_set();
        }
        if (m_many.empty()) {
            m_many.assign(m_fixed.begin(), m_fixed.end());
        }
        m_many.push_back(owned);
        ++m_size;
    }
    static std::size_t flags(std::size_t count) { return count | PY_VECTORCALL_ARGUMENTS_OFFSET; }
    PyObject **begin() { return m_many.empty() ? m_fixed.data() : m_many.data(); }

    std::array<PyObject *, 8> m_fixed{};
    std::vector<PyObject *> m_many;  // only for an envelope with many ESMTP parameters
    std::size_t m_size = 2;
};

}  // namespace pymilter
