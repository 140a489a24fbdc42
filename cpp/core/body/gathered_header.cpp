// The header of one message, gathered field by field for a filter that gets messages whole. One owner at a time.
#include "core/body/gathered_header.hpp"

#include <algorithm>
#include <cstring>

namespace pymilter {

namespace {

constexpr std::size_t first_room = 4096;  // bytes: most headers fit

}  // namespace

bool GatheredHeader::add(const char *name, const char *value, std::size_t most) {
    // The NUL at the end of each is kept.
    const std::size_t name_size = std::strlen(name) + 1;
    const std::size_t value_size = std::strlen(value) + 1;
    const std::size_t size = m_text.size() + name_size + value_size;
    if (size > most) {
        std::string().swap(m_text);  // an assignment would keep the memory
        return false;
    }
    if (size > m_text.capacity()) {
        m_text.reserve(std::max({size, 2 * m_text.capacity(), first_room}));
    }
    m_text.append(name, name_size).append(value, value_size);
    ++m_fields;
    return true;
}

void GatheredHeader::clear() noexcept {
    m_text.clear();
    m_fields = 0;
}

}  // namespace pymilter
