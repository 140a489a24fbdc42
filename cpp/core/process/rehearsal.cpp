// A session that we play with libmilter before it serves: it makes libmilter accept commands in any order.
#include "core/process/rehearsal.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/process/context_head.hpp"

namespace pymilter {

namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

// The session takes a millisecond; the limit is for slow and busy machines.
constexpr auto deadline = 10s;
// How often to look whether libmilter has ended: it may be stopped by a signal before it accepts the connection.
constexpr int look_every = 20;  // milliseconds

struct Seen {
    Step step;
    int state;
};

struct Cue {
    std::string_view packet;  // a command and its data
    Step step;
    bool is_unexpected = false;  // libmilter first calls abort for the message so far
};

// A message in order, then what MTAs send out of order: an unknown command between two BDAT chunks, a recipient without
// MAIL, and a second DATA.
constexpr std::array script{
    Cue{"Clocalhost\0U"sv, Step::connect},
    Cue{"Hlocalhost\0"sv, Step::helo},
    Cue{"M<>\0"sv, Step::envfrom},
    Cue{"R<>\0"sv, Step::envrcpt},
    Cue{"T"sv, Step::data},
    Cue{"LSubject\0\0"sv, Step::header},
    Cue{"N"sv, Step::eoh},
    Cue{"B\r\n"sv, Step::body},
    Cue{"A"sv, Step::abort},
    Cue{"M<>\0"sv, Step::envfrom},
    Cue{"R<>\0"sv, Step::envrcpt},
    Cue{"T"sv, Step::data},
    Cue{"UNOOP\0"sv, Step::unknown, true},
    Cue{"LSubject\0\0"sv, Step::header},
    Cue{"E"sv, Step::eom},
    Cue{"R<>\0"sv, Step::envrcpt},
    Cue{"T"sv, Step::data},
    Cue{"T"sv, Step::data, true},
    Cue{"E"sv, Step::eom},
    Cue{"Q"sv, Step::close},
};

constexpr std::uint32_t all_not_sent_bits = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT |
                                            SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY;

std::atomic<bool> is_playing{false};
std::atomic<bool> shows_state{false};
std::mutex seen_mutex;
std::vector<Seen> seen;

void add_number(std::string &bytes, std::uint32_t number) {
    number = htonl(number);
    bytes.append(reinterpret_cast<const char *>(&number), sizeof number);
}

void add_packet(std::string &bytes, std::string_view packet) {
    add_number(bytes, static_cast<std::uint32_t>(packet.size()));
    bytes += packet;
}

// All that the session sends, in one string: libmilter reads one command after the other, however early they came.
std::string dialogue() {
    std::string options = "O";
    add_number(options, SMFI_PROT_VERSION);
    add_number(options, SMFI_CURR_ACTS);
    add_number(options, all_not_sent_bits);
    std::string bytes;
    add_packet(bytes, options);
    for (const Cue &cue : script) {
        add_packet(bytes, cue.packet);
    }
    return bytes;
}

// Waits for one of the events. Returns false if libmilter has ended, or if that takes too long.
bool wait_for(int connection, short events, const Loop &loop) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (std::chrono::steady_clock::now() < end && !loop.has_ended()) {
        pollfd waiting{connection, events, 0};
        if (::poll(&waiting, 1, look_every) > 0) {
            return true;
        }
    }
    return false;
}

// Sends everything, and reads until libmilter closes the connection. Returns false if it does not.
bool converse(int connection, const Loop &loop) {
    const std::string bytes = dialogue();
    if (!wait_for(connection, POLLOUT, loop) ||
        ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
        return false;
    }
    while (wait_for(connection, POLLIN, loop)) {
        std::array<char, 256> answers{};
        const ssize_t count = ::recv(connection, answers.data(), answers.size(), 0);
        if (count == 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            return false;
        }
    }
    return false;
}

std::vector<Seen> expected() {
    std::vector<Seen> all{{Step::negotiate, traits(Step::negotiate).state}};
    for (const Cue &cue : script) {
        if (cue.is_unexpected) {
            all.push_back({Step::abort, all.back().state});
        }
        all.push_back({cue.step, traits(cue.step).state});
    }
    return all;
}

Rehearsal::Result judge() {
    const std::lock_guard<std::mutex> lock(seen_mutex);
    const std::vector<Seen> wanted = expected();
    Rehearsal::Result result{true, seen.size() == wanted.size(), true};
    for (std::size_t index = 0; index < seen.size() && index < wanted.size(); ++index) {
        if (seen[index].step != wanted[index].step) {
            result.takes_any_order = false;
            break;
        }
        result.shows_state = result.shows_state && seen[index].state == wanted[index].state;
    }
    seen = {};
    return result;
}

}  // namespace

Rehearsal::Result Rehearsal::play(int connection, const Loop &loop) {
    if (connection < 0) {
        return {};
    }
    is_playing.store(true);
    const bool was_played = converse(connection, loop);
    is_playing.store(false);
    ::close(connection);
    if (!was_played) {
        return {};
    }
    const Result result = judge();
    shows_state.store(result.shows_state);
    return result;
}

bool Rehearsal::is_on() noexcept { return is_playing.load(std::memory_order_relaxed); }

Options Rehearsal::agreed() noexcept { return {0, all_not_sent_bits}; }

sfsistat Rehearsal::note(const SMFICTX *context, Step step) noexcept {
    const std::lock_guard<std::mutex> lock(seen_mutex);
    try {
        seen.push_back({step, head_of(context).state});
    } catch (const std::bad_alloc &) {
        return SMFIS_TEMPFAIL;  // the list then differs from what is expected, so nothing is concluded from it
    }
    return SMFIS_CONTINUE;
}

bool Rehearsal::is_own_abort(const SMFICTX *context) noexcept {
    return shows_state.load(std::memory_order_relaxed) && head_of(context).state != traits(Step::abort).state;
}

}  // namespace pymilter
