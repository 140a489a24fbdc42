// System calls of the whole program pass here: they can be told to fail, and
// what was asked of some is kept.
#include "faults.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

namespace faults {

namespace {

std::mutex mutex;
std::map<std::string, std::deque<int>> errors_to_come;
std::vector<Call> calls;
std::atomic<bool> is_armed{false};  // most cases have no faults, and signal handlers write, too
std::atomic<std::size_t> most_bytes{std::numeric_limits<std::size_t>::max()};

bool is_to_fail(const char *function) {
    if (!is_armed) {
        return false;
    }
    const std::lock_guard<std::mutex> lock(mutex);
    std::deque<int> &errors = errors_to_come[function];
    if (errors.empty()) {
        return false;
    }
    const int error = errors.front();
    errors.pop_front();
    errno = error != 0 ? error : errno;
    return error != 0;
}

void keep(const Call &call) {
    const std::lock_guard<std::mutex> lock(mutex);
    calls.push_back(call);
}

std::string name_to_tell;

std::size_t limited(std::size_t size) { return std::min(size, most_bytes.load()); }

}  // namespace

void next(const std::string &function, std::initializer_list<int> errors) {
    const std::lock_guard<std::mutex> lock(mutex);
    errors_to_come[function] = errors;
    is_armed = true;
}

void tell_name(const void *address, std::size_t size) { name_to_tell.assign(static_cast<const char *>(address), size); }

void limit_bytes(std::size_t most) { most_bytes = most; }

std::vector<Call> take_calls() {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::exchange(calls, {});
}

int count_options(const std::vector<Call> &calls, int level, int option, int value) {
    return static_cast<int>(std::count_if(calls.begin(), calls.end(), [&](const Call &call) {
        return call.function == "setsockopt" && call.level == level && call.option == option && call.value == value;
    }));
}

int count_polls(int timeout) {
    const std::lock_guard<std::mutex> lock(mutex);
    return static_cast<int>(std::count_if(calls.begin(), calls.end(), [&](const Call &call) {
        return call.function == "poll" && call.value == timeout;
    }));
}

}  // namespace faults

extern "C" {

int accept4(int socket, sockaddr *address, socklen_t *length, int flags) {
    if (faults::is_to_fail("accept4")) {
        return -1;
    }
    return static_cast<int>(::syscall(SYS_accept4, socket, address, length, flags));
}

int connect(int socket, const sockaddr *address, socklen_t length) {
    return faults::is_to_fail("connect") ? -1 : static_cast<int>(::syscall(SYS_connect, socket, address, length));
}

int dup3(int from, int to, int flags) {
    return faults::is_to_fail("dup3") ? -1 : static_cast<int>(::syscall(SYS_dup3, from, to, flags));
}

int getsockname(int socket, sockaddr *address, socklen_t *length) noexcept {
    if (!faults::name_to_tell.empty()) {
        const std::string name = std::exchange(faults::name_to_tell, {});
        *length = static_cast<socklen_t>(name.copy(reinterpret_cast<char *>(address), *length));
        return 0;
    }
    return static_cast<int>(::syscall(SYS_getsockname, socket, address, length));
}

int poll(pollfd *polled, nfds_t count, int timeout) {
    faults::keep({"poll", 0, 0, timeout});
    if (faults::is_to_fail("poll")) {
        return -1;
    }
    const timespec limit{timeout / 1000, 1000000L * (timeout % 1000)};
    return ::ppoll(polled, count, timeout < 0 ? nullptr : &limit, nullptr);
}

ssize_t pread(int file, void *to, size_t size, off_t from) {
    return faults::is_to_fail("pread") ? -1 : ::syscall(SYS_pread64, file, to, faults::limited(size), from);
}

ssize_t read(int file, void *to, size_t size) {
    return faults::is_to_fail("read") ? -1 : ::syscall(SYS_read, file, to, size);
}

ssize_t recv(int socket, void *to, size_t size, int flags) {
    const auto fails = faults::is_to_fail("recv");
    return fails ? -1 : ::syscall(SYS_recvfrom, socket, to, faults::limited(size), flags, nullptr, nullptr);
}

ssize_t send(int socket, const void *from, size_t size, int flags) {
    const auto fails = faults::is_to_fail("send");
    return fails ? -1 : ::syscall(SYS_sendto, socket, from, faults::limited(size), flags, nullptr, 0);
}

int setsockopt(int socket, int level, int option, const void *value, socklen_t size) noexcept {
    faults::keep({"setsockopt", level, option, size >= sizeof(int) ? *static_cast<const int *>(value) : 0});
    const auto fails = faults::is_to_fail("setsockopt");
    return fails ? -1 : static_cast<int>(::syscall(SYS_setsockopt, socket, level, option, value, size));
}

ssize_t write(int file, const void *from, size_t size) {
    return faults::is_to_fail("write") ? -1 : ::syscall(SYS_write, file, from, faults::limited(size));
}

}  // extern "C"
