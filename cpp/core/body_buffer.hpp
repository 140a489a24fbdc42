// The body of one message, gathered chunk by chunk under a limit, in memory and past a threshold in a file. One owner
// at a time; never with the GIL.
#pragma once

#include <cstddef>
#include <memory>

namespace pymilter {

struct BodyLimits {
    std::size_t most;      // bytes a message may have
    std::size_t in_memory; // bytes kept in memory; what is larger goes to a file that has no name
};

// Bytes that nobody changes any more, in memory or mapped from the file; freed with the last holder.
class BodyBytes {
public:
    BodyBytes(void *data, std::size_t size, bool is_mapped) : m_data(data), m_size(size), m_is_mapped(is_mapped) {}
    ~BodyBytes();
    BodyBytes(const BodyBytes &) = delete;
    BodyBytes &operator=(const BodyBytes &) = delete;

    const char *data() const { return static_cast<const char *>(m_data); }
    std::size_t size() const { return m_size; }

private:
    void *m_data;
    std::size_t m_size;
    bool m_is_mapped;
};

class BodyBuffer {
public:
    BodyBuffer() = default;
    ~BodyBuffer();
    BodyBuffer(const BodyBuffer &) = delete;
    BodyBuffer &operator=(const BodyBuffer &) = delete;

    // False when the message would pass the limit, what was taken counted too; what was gathered is given back at once. Throws std::system_error when a
    // file cannot be written, std::bad_alloc when there is no memory.
    bool append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits);

    std::size_t size() const { return m_size; }

    // Hands over what was gathered since the last time. Throws std::system_error when the file cannot be mapped.
    std::shared_ptr<const BodyBytes> take();
    // Begins anew, for another message.
    void clear() noexcept;

private:
    void release() noexcept;
    void append_to_memory(const unsigned char *chunk, std::size_t size);
    void move_to_file();

    char *m_memory = nullptr;  // from malloc, so that realloc can move large blocks without copying
    std::size_t m_capacity = 0;
    std::size_t m_size = 0;
    std::size_t m_taken = 0;
    int m_file = -1;
};

}  // namespace pymilter
