// The body of one message, gathered chunk by chunk under a limit, in memory and past a threshold in a file. One owner
// at a time; never with the GIL.
#pragma once

#include <cstddef>
#include <memory>

namespace pymilter {

struct BodyLimits {
    std::size_t most;       // bytes a message may have
    std::size_t in_memory;  // bytes kept in memory; what is larger goes to a file that has no name
};

// Reads from the environment (TMPDIR) where files are to be. Another thread must not change the environment meanwhile:
// to be called before the filter serves, and with the GIL, where Python is.
void note_temporary_folder();

// Where a body is while it is in memory.
class BodyMemory {
public:
    BodyMemory() = default;
    virtual ~BodyMemory() = default;
    BodyMemory(const BodyMemory &) = delete;
    BodyMemory &operator=(const BodyMemory &) = delete;

    // Room for `size` bytes at least, and where it can be chosen for no more than `most`; what is there stays. Throws
    // std::bad_alloc.
    virtual char *reserve(std::size_t size, std::size_t most) = 0;
    virtual void release() noexcept = 0;
};

// A file in memory, to be read; the file may be closed.
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

    // False when the message would pass the limit, what was taken counted too; what was gathered is given back at once.
    // Throws std::system_error when a file cannot be written, std::bad_alloc when there is no memory.
    bool append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits);

    std::size_t size() const { return m_size; }
    // Else it is in the memory.
    bool is_in_file() const { return m_file >= 0; }

    // Two ways to get what is in the file: mapped, or copied to size() bytes at `to`. They throw std::system_error.
    std::shared_ptr<const MappedFile> map() const { return std::make_shared<const MappedFile>(m_file, m_size); }
    void copy_file(char *to) const;

    // What was gathered has been handed over; what comes next belongs to the same message.
    void begin_piece() noexcept;
    // Begins anew, for another message.
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
