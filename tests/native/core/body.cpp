// The body of a message, its envelope and its header, as they are gathered.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>

#include "case.hpp"
#include "core/body/body_buffer.hpp"
#include "core/process/descriptors.hpp"
#include "faults.hpp"

using namespace pymilter;

namespace {

// Notes what is asked of it.
class Memory : public BodyMemory {
public:
    char *reserve(std::size_t size, std::size_t most) override {
        asked += std::to_string(size) + '/' + std::to_string(most) + ' ';
        text.resize(std::max(text.size(), size));
        return text.data();
    }
    void release() noexcept override { ++releases; }

    std::string asked;
    std::string text;
    int releases = 0;
};

bool add(BodyBuffer &buffer, const std::string &chunk, BodyLimits limits) {
    return buffer.append(reinterpret_cast<const unsigned char *>(chunk.data()), chunk.size(), limits);
}

std::string in_file(const BodyBuffer &buffer) {
    std::string copy(buffer.size(), '?');
    buffer.copy_file(copy.data());
    return copy;
}

// The descriptors of this process that are bodies, and the path of the last
// one.
int body_files(std::string *path = nullptr) {
    int count = 0;
    for (const int descriptor : open_descriptors()) {
        char name[256] = {};
        if (::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), name, sizeof name - 1) > 0 &&
            std::string{name}.find("/pymilter-body-") != std::string::npos) {
            count++;
            HOLDS((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
            struct stat status{};
            HOLDS(::fstat(descriptor, &status) == 0 && status.st_nlink == 0);
            if (path != nullptr) {
                *path = name;
            }
        }
    }
    return count;
}

bool is_body_mapped() {
    std::ifstream maps("/proc/self/maps");
    const std::string all{std::istreambuf_iterator<char>(maps), {}};
    return all.find("/pymilter-body-") != std::string::npos;
}

}  // namespace

CASE(a_body_of_just_the_limit_fits_and_one_byte_more_does_not) {
    Memory memory;
    BodyBuffer buffer(memory);
    const BodyLimits limits{10, 100};
    HOLDS(add(buffer, "0123456", limits));
    HOLDS(add(buffer, "789", limits));
    HOLDS(add(buffer, "", limits));
    EQUAL(buffer.size(), 10U);
    EQUAL(memory.text, "0123456789");
    EQUAL(memory.asked, "7/100 10/100 ");
    HOLDS(!add(buffer, "x", limits));
    EQUAL(buffer.size(), 0U);
    EQUAL(memory.releases, 1);
}

CASE(the_limit_counts_pieces_that_were_handed_over) {
    Memory memory;
    BodyBuffer buffer(memory);
    const BodyLimits limits{10, 100};
    HOLDS(add(buffer, "0123", limits));
    buffer.begin_piece();
    EQUAL(buffer.size(), 0U);
    HOLDS(add(buffer, "45", limits));
    buffer.begin_piece();
    HOLDS(!add(buffer, "67890", limits));
    HOLDS(add(buffer, "6789", limits));
    EQUAL(memory.text.substr(0, 4), "6789");
    buffer.begin_piece();
    HOLDS(!add(buffer, "x", {9, 100}));  // the limit may have become smaller than what was taken
    buffer.clear();
    HOLDS(add(buffer, "0123456789", limits));
}

CASE(a_body_that_is_refused_counts_what_it_had) {
    Memory memory;
    BodyBuffer buffer(memory);
    HOLDS(add(buffer, "0123456", {10, 100}));
    HOLDS(!add(buffer, "0123", {10, 100}));
    HOLDS(!add(buffer, "0123", {10, 100}));
    HOLDS(add(buffer, "012", {10, 100}));
}

CASE(a_body_beyond_the_threshold_goes_to_a_file_whole) {
    Memory memory;
    BodyBuffer buffer(memory);
    const BodyLimits limits{1000, 5};
    HOLDS(add(buffer, "01", limits));
    HOLDS(add(buffer, "234", limits));
    HOLDS(!buffer.is_in_file());
    EQUAL(body_files(), 0);
    HOLDS(add(buffer, "5", limits));
    HOLDS(buffer.is_in_file());
    EQUAL(body_files(), 1);
    EQUAL(memory.asked, "2/5 5/5 5/5 ");
    EQUAL(memory.releases, 1);
    HOLDS(add(buffer, "6789", limits));
    EQUAL(in_file(buffer), "0123456789");
    {
        const auto mapped = buffer.map();
        EQUAL(std::string(mapped->data(), mapped->size()), "0123456789");
        buffer.begin_piece();
        EQUAL(body_files(), 0);
        HOLDS(!buffer.is_in_file());
        EQUAL(std::string(mapped->data(), mapped->size()), "0123456789");
        HOLDS(is_body_mapped());
    }
    HOLDS(!is_body_mapped());
    HOLDS(add(buffer, "abc", limits));
    HOLDS(!buffer.is_in_file());
    EQUAL(memory.text.substr(0, 3), "abc");
}

CASE(one_byte_is_taken_along_to_the_file) {
    Memory memory;
    BodyBuffer buffer(memory);
    HOLDS(add(buffer, "0", {1000, 1}));
    HOLDS(!buffer.is_in_file());
    HOLDS(add(buffer, "1", {1000, 1}));
    EQUAL(in_file(buffer), "01");
}

CASE(with_no_memory_allowed_the_first_byte_goes_to_a_file) {
    Memory memory;
    {
        BodyBuffer buffer(memory);
        HOLDS(add(buffer, "", {1000, 0}));
        HOLDS(!buffer.is_in_file());
        HOLDS(add(buffer, "0", {1000, 0}));
        HOLDS(add(buffer, "", {1000, 0}));
        EQUAL(memory.asked, "");
        EQUAL(in_file(buffer), "0");
        EQUAL(body_files(), 1);
    }
    EQUAL(body_files(), 0);
}

CASE(a_refused_body_leaves_no_file) {
    Memory memory;
    BodyBuffer buffer(memory);
    HOLDS(add(buffer, "0", {1, 0}));
    HOLDS(!add(buffer, "1", {1, 0}));
    EQUAL(body_files(), 0);
}

CASE(writing_and_reading_go_on_where_they_stopped) {
    Memory memory;
    BodyBuffer buffer(memory);
    faults::limit_bytes(3);
    faults::next("write", {EINTR, 0, 0, EINTR});
    HOLDS(add(buffer, "0123456789", {1000, 0}));
    faults::next("pread", {EINTR, 0, 0, EINTR});
    EQUAL(in_file(buffer), "0123456789");
}

CASE(a_file_that_cannot_be_written_or_read_is_an_error_with_its_reason) {
    using cases::thrown_by;
    Memory memory;
    BodyBuffer buffer(memory);
    faults::next("write", {ENOSPC});
    EQUAL(thrown_by<std::system_error>([&] { add(buffer, "0123", {1000, 0}); }),
          "cannot write a body to its temporary file: No space left on device");
    buffer.clear();
    HOLDS(add(buffer, "0123", {1000, 0}));
    faults::next("pread", {EIO});
    EQUAL(thrown_by<std::system_error>([&] { in_file(buffer); }),
          "cannot read a body from its temporary file: Input/output error");
    for (const int descriptor : open_descriptors()) {
        struct stat status{};
        if (::fstat(descriptor, &status) == 0 && status.st_nlink == 0 && S_ISREG(status.st_mode)) {
            HOLDS(::ftruncate(descriptor, 2) == 0);
        }
    }
    errno = EINTR;  // of an earlier call: the file has ended
    HOLDS(thrown_by<std::system_error>([&] { in_file(buffer); }).find("cannot read a body") == 0);
    EQUAL(thrown_by<std::system_error>([&] { MappedFile(-1, 3); }),
          "cannot map the temporary file of a body: Bad file descriptor");
}

CASE(the_file_is_made_in_the_folder_that_TMPDIR_names) {
    Memory memory;
    BodyBuffer buffer(memory);
    std::string path;
    ::unsetenv("TMPDIR");
    note_temporary_folder();
    HOLDS(add(buffer, "0", {10, 0}));
    EQUAL(body_files(&path), 1);
    EQUAL(path.find("/tmp/pymilter-body-"), 0U);
    buffer.clear();
    char folder[] = "/tmp/core-tests-XXXXXX";
    HOLDS(::mkdtemp(folder) != nullptr);
    ::setenv("TMPDIR", folder, 1);
    note_temporary_folder();
    HOLDS(add(buffer, "0", {10, 0}));
    EQUAL(body_files(&path), 1);
    EQUAL(path.find(std::string{folder} + "/pymilter-body-"), 0U);
    buffer.clear();
    HOLDS(::rmdir(folder) == 0);
    EQUAL(cases::thrown_by<std::system_error>([&] { add(buffer, "0", {10, 0}); }),
          "cannot make a temporary file for a body: No such file or directory");
    HOLDS(!buffer.is_in_file());
    for (const char *const nothing : {"", "x"}) {
        ::setenv("TMPDIR", "/tmp", 1);
        note_temporary_folder();
        *nothing == '\0' ? ::setenv("TMPDIR", nothing, 1) : ::unsetenv("TMPDIR");
        note_temporary_folder();
        HOLDS(add(buffer, "0", {10, 0}));
        buffer.clear();
    }
}
