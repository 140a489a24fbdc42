// A socket that libmilter serves in this process, as the filter does it.
#pragma once

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "case.hpp"
#include "core/balance/balance.hpp"
#include "core/balance/loads.hpp"
#include "core/process/descriptors.hpp"
#include "core/process/listener.hpp"
#include "core/process/loop.hpp"

namespace served {

// A listening socket of the family on any port of the loopback interface, or
// without a name in the file system.
inline int open_listening(int family, const char *ip = "127.0.0.1") {
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in inet{};
    inet.sin_family = AF_INET;
    inet.sin_addr.s_addr = ::inet_addr(ip);
    sockaddr_in6 inet6{};
    inet6.sin6_family = AF_INET6;
    inet6.sin6_addr = in6addr_loopback;
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    std::snprintf(local.sun_path + 1, sizeof local.sun_path - 1, "core-tests-%d-%d", ::getpid(), descriptor);
    const auto bound = [&](const auto &address) {
        return ::bind(descriptor, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
    };
    HOLDS(family == AF_INET ? bound(inet) : family == AF_INET6 ? bound(inet6) : bound(local));
    HOLDS(::listen(descriptor, 8) == 0);
    return descriptor;
}

// A unix socket with a name in a new folder, which listens for `backlog`
// connections.
struct Local {
    explicit Local(int backlog) {
        HOLDS(::mkdtemp(folder) != nullptr);
        path = std::string{folder} + "/s";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        descriptor = pymilter::open_socket(AF_UNIX);
        HOLDS(::bind(descriptor, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
        HOLDS(backlog < 0 || ::listen(descriptor, backlog) == 0);
    }
    ~Local() {
        ::unlink(path.c_str());
        ::rmdir(folder);
    }
    char folder[32] = "/tmp/core-tests-XXXXXX";
    std::string path;
    int descriptor;
};

// Memory for so many processes, all of which are free.
inline int open_slots(std::size_t count) {
    const int memory = ::memfd_create("slots", MFD_CLOEXEC);
    HOLDS(::ftruncate(memory, static_cast<off_t>(count * pymilter::Loads::slot_size)) == 0);
    return memory;
}

inline std::string in_words(const std::optional<pymilter::Load> &load) {
    return load ? std::to_string(load->open) + " of " + std::to_string(load->taken) : "none";
}

inline void register_with_libmilter() {
    static char name[] = "core tests";
    smfiDesc description{};
    description.xxfi_name = name;
    description.xxfi_version = SMFI_VERSION;
    HOLDS(::smfi_register(description) == MI_SUCCESS);
}

// How many numbers of this process are the same file as `descriptor`: of a
// balanced socket one is the caller's, one is kept, and unless it is set aside,
// one is libmilter's.
inline int numbers_of(int descriptor) {
    struct stat wanted{};
    HOLDS(::fstat(descriptor, &wanted) == 0);
    int count = 0;
    for (const int each : pymilter::open_descriptors()) {
        struct stat found{};
        count += ::fstat(each, &found) == 0 && found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino ? 1 : 0;
    }
    return count;
}

inline int pipe_ends() {
    int count = 0;
    for (const int descriptor : pymilter::open_descriptors()) {
        struct stat status{};
        count += ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode) ? 1 : 0;
    }
    return count;
}

inline bool is_aside(int socket) { return numbers_of(socket) == 2; }

// Everything that serves `descriptor`. With `memory` it is balanced with other
// processes: this one has slot 0.
class Filter {
public:
    explicit Filter(int descriptor, int memory = -1,
                    std::chrono::milliseconds patience = std::chrono::milliseconds{20}) {
        register_with_libmilter();
        const int connection = listener.prepare(descriptor);
        HOLDS(connection >= 0);
        if (memory >= 0) {
            balance.join(memory, 0, patience);
        }
        balance.start(listener, loop);
        loop.start();
        ::close(connection);
        HOLDS(listener.adopt());
        loop.renew_poll();
    }
    ~Filter() {
        balance.leave();
        loop.finish();
    }

    pymilter::Listener listener;
    pymilter::Loop loop;
    pymilter::Balance balance;
};

// A client, which libmilter has accepted if the filter counts it.
class Client {
public:
    explicit Client(int listening) : m_socket(pymilter::SocketName(listening).connect()) { HOLDS(m_socket >= 0); }
    ~Client() { ::close(m_socket); }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

private:
    int m_socket;
};

}  // namespace served
