// The body of one message, gathered chunk by chunk under a limit: in memory, and beyond a threshold in a file. One
// owner at a time; never with the GIL.
#pragma once

#include <cstddef>
#include <memory>

namespace pymilter {

struct BodyLimits {
    std::size_t most;       // bytes that a message may have
    std::size_t in_memory;  // bytes kept in memory; a larger body goes to a file without a name
};

// Reads the folder for these files from the environment (TMPDIR). No other thread may change the environment meanwhile,
// so this is called before the filter serves, and with the GIL if there is one.
void note_temporary_folder();

// The memory of a body that is not in a file.
class BodyMemory {
public:
    BodyMemory() = default;
    virtual ~BodyMemory() = default;
    BodyMemory(const BodyMemory &) = delete;
    BodyMemory &operator=(const BodyMemory &) = delete;

    // Makes room for at least `size` bytes, and if there is a choice, for at most `most`. Keeps the bytes that are
    // there. Throws std::bad_alloc.
    virtual char *reserve(std::size_t size, std::size_t most) = 0;
    // Frees the memory, or keeps it for the next body.
    virtual void release() noexcept = 0;
};

// A file that is mapped into memory for reading. The descriptor may be closed meanwhile.
class MappedFile {
public:
    // Throws std::system_error.
    MappedFile(int file, std::size_t size);
    ~MappedFile();
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;

    const char *data() const { return m_data; }
    std::size_t size() const { return m_size; }

private:
    const char *m_data;
    std::size_t m_size;
};

class BodyBuffer {
public:
    explicit BodyBuffer(BodyMemory &memory) : m_memory(memory) {}
    ~BodyBuffer();
    BodyBuffer(const BodyBuffer &) = delete;
    BodyBuffer &operator=(const BodyBuffer &) = delete;

    // Returns false if the message would exceed the limit, counting pieces already handed over; the buffer is then
    // freed. Throws std::system_error if a file cannot be written, std::bad_alloc if there is no memory.
    bool append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits);

    std::size_t size() const { return m_size; }
    // Otherwise the body is in memory.
    bool is_in_file() const { return m_file >= 0; }

    // Two ways to read the file: mapped, or copied to the size() bytes at `to`. Both throw std::system_error.
    std::shared_ptr<const MappedFile> map() const { return std::make_shared<const MappedFile>(m_file, m_size); }
    void copy_file(char *to) const;

    // What was gathered has been handed over. The next chunks belong to the same message.
    void begin_piece() noexcept;
    // Empties the buffer for another message.
    void clear() noexcept;

private:
    void move_to_file();
    void close_file() noexcept;

    BodyMemory &m_memory;
    std::size_t m_size = 0;
    std::size_t m_taken = 0;
    int m_file = -1;
};

}  // namespace pymilter
