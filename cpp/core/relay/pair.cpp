// A relayed connection: what either side sends reaches the other, byte for byte.
#include "core/relay/pair.hpp"

#include <cerrno>

namespace pymilter {

void Pair::run(int stop, EagerPoll &poll) {
    while (!m_has_ended[0] || !m_has_ended[1]) {
        std::array<pollfd, 3> ready{
            {{-1, wanted(RelaySide::mta), 0}, {-1, wanted(RelaySide::filter), 0}, {stop, POLLIN, 0}}};
        for (const RelaySide side : {RelaySide::mta, RelaySide::filter}) {
            // A socket from which nothing is wanted would only wake us, again and again.
            if (ready[index(side)].events != 0) {
                ready[index(side)].fd = stream(side).descriptor();
            }
        }
        if (poll(ready) < 0 && errno != EINTR) {
            return;
        }
        if (ready[2].revents != 0) {
            return;
        }
        for (const RelaySide side : {RelaySide::mta, RelaySide::filter}) {
            if (ready[index(side)].revents != 0 && !serve(side, ready[index(side)].revents)) {
                return;
            }
        }
    }
}

short Pair::wanted(RelaySide side) const {
    return static_cast<short>((is_read(side) ? POLLIN : 0) | (m_unsent[index(other(side))].empty() ? 0 : POLLOUT));
}

bool Pair::serve(RelaySide side, short events) {
    if (is_read(side) && (events & ~POLLOUT) != 0 && !read(side)) {
        return false;
    }
    const std::string_view unsent = m_unsent[index(other(side))];
    return unsent.empty() || send(other(side), unsent);
}

bool Pair::read(RelaySide side) {
    char *const buffer = m_buffers.of(side);
    const long count = stream(side).read(buffer, RelayBuffers::size);
    if (count < 0) {
        return errno == EAGAIN || errno == EINTR || break_off(side);
    }
    if (count == 0) {
        m_journal.note(m_number, RelayEvent::close, side);
        m_has_ended[index(side)] = true;
        stream(other(side)).end_writing();
        return true;
    }
    const std::string_view data(buffer, static_cast<std::size_t>(count));
    m_journal.note(m_number, RelayEvent::data, side, data);
    return send(side, data);
}

// Passes on what a side has sent, and keeps what the other does not take yet.
bool Pair::send(RelaySide side, std::string_view data) {
    const long count = stream(other(side)).write(data);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        return break_off(other(side));
    }
    data.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    m_unsent[index(side)] = data;
    return true;
}

bool Pair::break_off(RelaySide side) {
    m_journal.note(m_number, RelayEvent::close, side);
    for (const Stream *const one : m_streams) {
        one->end();
    }
    return false;
}

}  // namespace pymilter
