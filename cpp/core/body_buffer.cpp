// The body of one message, gathered chunk by chunk under a limit, in memory and past a threshold in a file. One owner
// at a time; never with the GIL.
#include "core/body_buffer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
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

// A file that has no name, so that it goes when it is closed, however the process ends.
int open_nameless_file() {
    const char *folder = std::getenv("TMPDIR");
    std::string path = (folder != nullptr && *folder != '\0' ? std::string{folder} : std::string{"/tmp"}) +
                       "/pymilter-body-XXXXXX";
    const int file = ::mkstemp(path.data());
    if (file < 0) {
        fail("cannot make a temporary file for a body");
    }
    ::unlink(path.c_str());
    ::fcntl(file, F_SETFD, FD_CLOEXEC);
    return file;
}

}  // namespace

BodyBytes::~BodyBytes() {
    if (m_is_mapped) {
        ::munmap(m_data, m_size);
    } else {
        std::free(m_data);
    }
}

BodyBuffer::~BodyBuffer() { release(); }

void BodyBuffer::clear() noexcept {
    release();
    m_taken = 0;
}

void BodyBuffer::release() noexcept {
    std::free(m_memory);
    m_memory = nullptr;
    m_capacity = 0;
    m_size = 0;
    if (m_file >= 0) {
        ::close(m_file);
        m_file = -1;
    }
}

bool BodyBuffer::append(const unsigned char *chunk, std::size_t size, const BodyLimits &limits) {
    if (size > limits.most - std::min(limits.most, m_taken + m_size)) {
        release();
        return false;
    }
    if (m_file < 0 && m_size + size > limits.in_memory) {
        move_to_file();
    }
    if (m_file >= 0) {
        write_all(m_file, chunk, size);
    } else {
        append_to_memory(chunk, size);
    }
    m_size += size;
    return true;
}

void BodyBuffer::append_to_memory(const unsigned char *chunk, std::size_t size) {
    if (m_size + size > m_capacity) {
        const std::size_t capacity = std::max({m_size + size, m_capacity * 2, std::size_t{65536}});
        auto *const memory = static_cast<char *>(std::realloc(m_memory, capacity));
        if (memory == nullptr) {
            throw std::bad_alloc();
        }
        m_memory = memory;
        m_capacity = capacity;
    }
    if (size > 0) {  // memcpy must not see a null pointer, even for no bytes
        std::memcpy(m_memory + m_size, chunk, size);
    }
}

void BodyBuffer::move_to_file() {
    m_file = open_nameless_file();
    write_all(m_file, m_memory, m_size);
    std::free(m_memory);
    m_memory = nullptr;
    m_capacity = 0;
}

std::shared_ptr<const BodyBytes> BodyBuffer::take() {
    std::shared_ptr<const BodyBytes> bytes;
    if (m_file >= 0) {
        void *const data = ::mmap(nullptr, m_size, PROT_READ, MAP_PRIVATE, m_file, 0);
        if (data == MAP_FAILED) {
            fail("cannot map the temporary file of a body");
        }
        bytes = std::make_shared<const BodyBytes>(data, m_size, true);
    } else {
        bytes = std::make_shared<const BodyBytes>(m_memory, m_size, false);
        m_memory = nullptr;
    }
    m_taken += m_size;
    release();
    return bytes;
}

}  // namespace pymilter
