// The bytes of one fuzzing run, taken piece by piece. Reads zeros when there are none left.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace fuzz {

class Input {
public:
    Input(const std::uint8_t *data, std::size_t size) : m_data(data), m_size(size) {}

    bool empty() const { return m_size == 0; }

    template <typename T>
    T number() {
        T value{};
        const std::size_t size = std::min(sizeof value, m_size);
        if (size > 0) {
            std::memcpy(&value, m_data, size);
        }
        skip(size);
        return value;
    }

    std::string text(std::size_t most) {
        const std::size_t size = std::min(most, m_size);
        std::string text(reinterpret_cast<const char *>(m_data), size);
        skip(size);
        return text;
    }

    std::string rest() { return text(m_size); }

private:
    void skip(std::size_t size) {
        m_data += size;
        m_size -= size;
    }

    const std::uint8_t *m_data;
    std::size_t m_size;
};

// A property that does not hold ends the run, so that libFuzzer keeps the input.
inline void expect(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

}  // namespace fuzz
