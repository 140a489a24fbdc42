// One end of a relayed connection: a non-blocking stream socket, closed with this object. Never with the GIL.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace pymilter {

class Stream {
public:
    Stream() = default;
    // Owns the descriptor. TCP_NODELAY is set if it is a TCP socket.
    explicit Stream(int descriptor) noexcept;
    Stream(Stream &&other) noexcept : m_descriptor(std::exchange(other.m_descriptor, -1)), m_is_tcp(other.m_is_tcp) {}
    Stream &operator=(Stream &&other) noexcept {
        std::swap(m_descriptor, other.m_descriptor);
        std::swap(m_is_tcp, other.m_is_tcp);
        return *this;
    }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;
    ~Stream();

    explicit operator bool() const { return m_descriptor >= 0; }
    int descriptor() const { return m_descriptor; }

    // Both return what the system calls return, -1 with errno EAGAIN included. A read over TCP is acknowledged at once:
    // otherwise the second small write of an MTA would wait 40 ms for that of the first.
    long read(char *buffer, std::size_t size) const noexcept;
    long write(std::string_view data) const noexcept;
    // Tells the other end that nothing more comes, or that both directions have ended.
    void end_writing() const noexcept;
    void end() const noexcept;

private:
    int m_descriptor = -1;
    bool m_is_tcp = false;
};

// Where a filter listens.
class RelayTarget {
public:
    // `place` is a path for AF_UNIX, otherwise a name or number of a host. Throws std::invalid_argument if the path is
    // too long.
    RelayTarget(int family, std::string place, int port);

    // Connects within ten seconds, or until `stop` can be read. Returns an empty stream and sets `problem` on failure.
    Stream connect(int stop, std::string &problem) const;

private:
    Stream connect_locally(int stop, std::string &problem) const;
    Stream connect_over_tcp(int stop, std::string &problem) const;

    int m_family;
    std::string m_place;
    std::string m_port;
};

// Waits until `stop` can be read, for at most this many milliseconds; returns whether it can.
bool is_stopped_within(int stop, int milliseconds) noexcept;

}  // namespace pymilter
