// The header of one message, gathered field by field for a filter that gets messages whole. One owner at a time.
#pragma once

#include <cstddef>
#include <string>

namespace pymilter {

class GatheredHeader {
public:
    // Returns false if the header would have more than `most` bytes; it is freed then. Throws std::bad_alloc.
    bool add(const char *name, const char *value, std::size_t most);

    // For each field its name and its value, each ended by NUL.
    const std::string &text() const { return m_text; }
    std::size_t field_count() const { return m_fields; }

    // Begins anew, for another message.
    void clear() noexcept;

private:
    std::string m_text;
    std::size_t m_fields = 0;
};

}  // namespace pymilter
