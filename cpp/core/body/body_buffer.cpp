// The body of one message, gathered chunk by chunk under a limit: in memory, and beyond a threshold in a file. One
// owner at a time; never with the GIL.
#include "core/body/body_buffer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace pymilter {

namespace {

[[noreturn]] void fail(const char *what) { throw std::system_error(errno, std::generic_category(), what); }

void write_all(int file, const void *data, std::size_t size) {
    const auto *from = static_cast<const char *>(data);
    while (size > 0) {
        const ssize_t written = ::write(file, from, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            fail("cannot write a body to its temporary file");
        }
        from += written;
        size -= static_cast<std::size_t>(written);
    }
}

void read_all(int file, char *to, std::size_t size) {
    off_t from = 0;
    while (size > 0) {
        const ssize_t got = ::pread(file, to, size, from);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            fail("cannot read a body from its temporary file");
        }
        to += got;
        from += got;
        size -= static_cast<std::size_t>(got);
    }
}

// Written before libmilter's threads begin.
std::string &temporary_folder() {
    static std::string folder = "/tmp";
    return folder;
}

// A file without a name: it disappears when it is closed, however the process ends.
int open_nameless_file() {
    std::string path = temporary_folder() + "/pymilter-body-XXXXXX";
    const int file = ::mkostemp(path.data(), O_CLOEXEC);
    if (file < 0) {
        fail("cannot make a temporary file for a body");
    }
    ::unlink(path.c_str());
    return file;
}

}  // namespace

void note_temporary_folder() {
    if (const char *const folder = std::getenv("TMPDIR"); folder != nullptr && *folder != '\0') {
        temporary_folder() = folder;
    }
}

MappedFile::MappedFile(int file, std::size_t size) : m_size(size) {
    void *const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
        fail("cannot map the temporary file of a body");
    }
    m_data = static_cast<const char *>(data);
}

MappedFile::~MappedFile() { ::munmap(const_cast<char *>(m_data), m_size); }

BodyBuffer::~BodyBuffer() { close_file(); }

void BodyBuffer::clear() noexcept {
    begin_piece();
    m_taken = 0;
}

void BodyBuffer::begin_piece() noexcept {
    m_memory.release();
    m_taken += m_size;
    m_size = 0;
    close_file();
}

void BodyBuffer::close_file() noexcept {
    if (m_file >= 0) {
        ::close(m_file);
        m_file = -1;
    }
}

bool BodyBuffer::append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits) {
    if (size > limits.most - std::min(limits.most, m_taken + m_size)) {
        begin_piece();
        return false;
    }
    if (m_file < 0 && m_size + size > limits.in_memory) {
        move_to_file();
    }
    if (m_file >= 0) {
        write_all(m_file, chunk, size);
    } else if (size > 0) {
        std::memcpy(m_memory.reserve(m_size + size, limits.in_memory) + m_size, chunk, size);
    }
    m_size += size;
    return true;
}

void BodyBuffer::move_to_file() {
    m_file = open_nameless_file();
    if (m_size > 0) {
        write_all(m_file, m_memory.reserve(m_size, m_size), m_size);
    }
    m_memory.release();
}

void BodyBuffer::copy_file(char *to) const { read_all(m_file, to, m_size); }

}  // namespace pymilter
