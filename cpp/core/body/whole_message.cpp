// Envelope and header of one message, gathered step by step for a filter that gets messages whole.
#include "core/body/whole_message.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pymilter {

namespace {

using Lock = std::lock_guard<std::mutex>;

constexpr std::size_t first_room = 4096;  // bytes: most headers fit

WholeMessage::Path to_path(char **list) {
    WholeMessage::Path path;
    for (char **argument = list; *argument != nullptr; ++argument) {
        path.emplace_back(*argument);
    }
    return path;
}

}  // namespace

void WholeMessage::set_sender(char **list) {
    Path path = to_path(list);
    const Lock lock(m_mutex);
    m_sender = std::move(path);
}

void WholeMessage::add_recipient(char **list, bool is_accepted) {
    Recipient recipient{is_accepted, to_path(list)};
    const Lock lock(m_mutex);
    m_recipients.push_back(std::move(recipient));
}

void WholeMessage::drop_recipient() noexcept {
    const Lock lock(m_mutex);
    if (!m_recipients.empty()) {
        m_recipients.pop_back();
    }
}

bool WholeMessage::add_field(const char *name, const char *value, std::size_t most) {
    // The NUL at the end of each is kept.
    const std::size_t name_size = std::strlen(name) + 1;
    const std::size_t value_size = std::strlen(value) + 1;
    const Lock lock(m_mutex);
    if (m_header.size() + name_size + value_size > most) {
        m_header = std::string();
        return false;
    }
    if (m_header.size() + name_size + value_size > m_header.capacity()) {
        m_header.reserve(std::max({m_header.size() + name_size + value_size, 2 * m_header.capacity(), first_room}));
    }
    m_header.append(name, name_size).append(value, value_size);
    ++m_fields;
    return true;
}

WholeMessage::Path WholeMessage::sender() const {
    const Lock lock(m_mutex);
    return m_sender;
}

std::vector<WholeMessage::Recipient> WholeMessage::recipients() const {
    const Lock lock(m_mutex);
    return m_recipients;
}

WholeMessage::Recipient WholeMessage::last_recipient() const {
    const Lock lock(m_mutex);
    return m_recipients.back();
}

std::string WholeMessage::header() const {
    const Lock lock(m_mutex);
    return m_header;
}

std::size_t WholeMessage::recipient_count() const {
    const Lock lock(m_mutex);
    return m_recipients.size();
}

std::size_t WholeMessage::field_count() const {
    const Lock lock(m_mutex);
    return m_fields;
}

void WholeMessage::clear() noexcept {
    const Lock lock(m_mutex);
    m_sender.clear();
    m_recipients.clear();
    m_header.clear();
    m_fields = 0;
}

}  // namespace pymilter
