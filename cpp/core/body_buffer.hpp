// The body of one message, gathered chunk by chunk under a limit, in memory and past a threshold in a file. One owner
// at a time; never with the GIL.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace pymilter {

struct BodyLimits {
    std::size_t most;       // bytes a message may have
    std::size_t in_memory;  // bytes kept in memory; what is larger goes to a file that has no name
};

// Memory of a body. What is large is mapped, so that it grows without being copied and goes back to the system at once.
class BodyMemory {
public:
    BodyMemory() = default;
    ~BodyMemory() { release(); }
    BodyMemory(BodyMemory &&other) noexcept;
    BodyMemory &operator=(BodyMemory &&other) noexcept;

    // Throws std::bad_alloc.
    void reserve(std::size_t size);
    // Maps a file, to be read only. Throws std::system_error.
    void map(int file, std::size_t size);
    void release() noexcept;

    char *data() const { return m_data; }
    std::size_t capacity() const { return m_capacity; }

private:
    char *m_data = nullptr;
    std::size_t m_capacity = 0;
    bool m_is_mapped = false;
};

// A body that nobody changes any more; freed with its last holder.
struct BodyBytes {
    BodyMemory memory;
    std::size_t size;
};

class BodyBuffer {
public:
    BodyBuffer() = default;
    ~BodyBuffer();
    BodyBuffer(const BodyBuffer &) = delete;
    BodyBuffer &operator=(const BodyBuffer &) = delete;

    // False when the message would pass the limit, what was taken counted too; what was gathered is given back at once.
    // Throws std::system_error when a file cannot be written, std::bad_alloc when there is no memory.
    bool append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits);

    std::size_t size() const { return m_size; }

    // Two ways to hand over what was gathered since the last time: as it is, or copied to size() bytes at `to`. They
    // throw std::system_error when the file cannot be read.
    std::shared_ptr<const BodyBytes> take();
    void take_into(char *to);
    // Begins anew, for another message.
    void clear() noexcept;

private:
    void begin_next() noexcept;
    void move_to_file();

    BodyMemory m_memory;
    std::size_t m_size = 0;
    std::size_t m_taken = 0;
    int m_file = -1;
};

}  // namespace pymilter
