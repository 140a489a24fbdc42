// The body of one message, gathered chunk by chunk under a limit, in memory and past a threshold in a file. One owner
// at a time; never with the GIL.
#include "core/body_buffer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>

namespace pymilter {

namespace {

constexpr std::size_t smallest = std::size_t{64} * 1024;
constexpr std::size_t mapped_from = std::size_t{512} * 1024;

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

// A file that has no name, so that it goes when it is closed, however the process ends.
int open_nameless_file() {
    const char *folder = std::getenv("TMPDIR");
    std::string path =
        (folder != nullptr && *folder != '\0' ? std::string{folder} : std::string{"/tmp"}) + "/pymilter-body-XXXXXX";
    const int file = ::mkstemp(path.data());
    if (file < 0) {
        fail("cannot make a temporary file for a body");
    }
    ::unlink(path.c_str());
    ::fcntl(file, F_SETFD, FD_CLOEXEC);
    return file;
}

}  // namespace

BodyMemory::BodyMemory(BodyMemory &&other) noexcept
    : m_data(std::exchange(other.m_data, nullptr)),
      m_capacity(std::exchange(other.m_capacity, 0)),
      m_is_mapped(other.m_is_mapped) {}

BodyMemory &BodyMemory::operator=(BodyMemory &&other) noexcept {
    release();
    m_data = std::exchange(other.m_data, nullptr);
    m_capacity = std::exchange(other.m_capacity, 0);
    m_is_mapped = other.m_is_mapped;
    return *this;
}

void BodyMemory::release() noexcept {
    if (m_is_mapped && m_data != nullptr) {
        ::munmap(m_data, m_capacity);
    } else {
        std::free(m_data);
    }
    m_data = nullptr;
    m_capacity = 0;
    m_is_mapped = false;
}

void BodyMemory::reserve(std::size_t size) {
    if (size <= m_capacity) {
        return;
    }
    const std::size_t capacity = std::max({size, m_capacity * 2, smallest});
#ifdef MREMAP_MAYMOVE
    if (capacity >= mapped_from) {
        void *const data = m_is_mapped
                               ? ::mremap(m_data, m_capacity, capacity, MREMAP_MAYMOVE)
                               : ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED) {
            throw std::bad_alloc();
        }
        if (!m_is_mapped) {
            std::copy_n(m_data, m_capacity, static_cast<char *>(data));
            std::free(m_data);
        }
        m_data = static_cast<char *>(data);
        m_capacity = capacity;
        m_is_mapped = true;
        return;
    }
#endif
    void *const data = std::realloc(m_data, capacity);
    if (data == nullptr) {
        throw std::bad_alloc();
    }
    m_data = static_cast<char *>(data);
    m_capacity = capacity;
}

void BodyMemory::map(int file, std::size_t size) {
    void *const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
        fail("cannot map the temporary file of a body");
    }
    release();
    m_data = static_cast<char *>(data);
    m_capacity = size;
    m_is_mapped = true;
}

BodyBuffer::~BodyBuffer() { begin_next(); }

void BodyBuffer::clear() noexcept {
    begin_next();
    m_taken = 0;
}

void BodyBuffer::begin_next() noexcept {
    m_memory.release();
    m_size = 0;
    if (m_file >= 0) {
        ::close(m_file);
        m_file = -1;
    }
}

bool BodyBuffer::append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits) {
    if (size > limits.most - std::min(limits.most, m_taken + m_size)) {
        begin_next();
        return false;
    }
    if (m_file < 0 && m_size + size > limits.in_memory) {
        move_to_file();
    }
    if (m_file >= 0) {
        write_all(m_file, chunk, size);
    } else {
        m_memory.reserve(m_size + size);
        std::copy_n(chunk, size, m_memory.data() + m_size);
    }
    m_size += size;
    return true;
}

void BodyBuffer::move_to_file() {
    m_file = open_nameless_file();
    write_all(m_file, m_memory.data(), m_size);
    m_memory.release();
}

std::shared_ptr<const BodyBytes> BodyBuffer::take() {
    if (m_file >= 0) {
        m_memory.map(m_file, m_size);
    }
    auto bytes = std::make_shared<const BodyBytes>(BodyBytes{std::move(m_memory), m_size});
    m_taken += m_size;
    begin_next();
    return bytes;
}

void BodyBuffer::take_into(char *to) {
    if (m_file >= 0) {
        read_all(m_file, to, m_size);
    } else {
        std::copy_n(m_memory.data(), m_size, to);
    }
    m_taken += m_size;
    begin_next();
}

}  // namespace pymilter
