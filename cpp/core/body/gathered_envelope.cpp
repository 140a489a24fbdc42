// The envelope of one message, gathered step by step for a filter that gets messages whole.
#include "core/body/gathered_envelope.hpp"

#include <cstring>
#include <utility>

namespace pymilter {

namespace {

using Lock = std::lock_guard<std::mutex>;

GatheredEnvelope::Path to_path(char **list) {
    GatheredEnvelope::Path path;
    for (char **argument = list; *argument != nullptr; ++argument) {
        path.append(*argument, std::strlen(*argument) + 1);
    }
    return path;
}

}  // namespace

void GatheredEnvelope::set_sender(char **list) {
    Path path = to_path(list);
    const Lock lock(m_mutex);
    m_sender = std::move(path);
}

void GatheredEnvelope::add_recipient(char **list, bool is_accepted) {
    Recipient recipient{is_accepted, to_path(list)};
    const Lock lock(m_mutex);
    m_recipients.push_back(std::move(recipient));
}

void GatheredEnvelope::drop_recipient() noexcept {
    const Lock lock(m_mutex);
    if (!m_recipients.empty()) {
        m_recipients.pop_back();
    }
}

GatheredEnvelope::Path GatheredEnvelope::sender() const {
    const Lock lock(m_mutex);
    return m_sender;
}

std::vector<GatheredEnvelope::Recipient> GatheredEnvelope::recipients() const {
    const Lock lock(m_mutex);
    return m_recipients;
}

GatheredEnvelope::Recipient GatheredEnvelope::last_recipient() const {
    const Lock lock(m_mutex);
    return m_recipients.back();
}

std::size_t GatheredEnvelope::recipient_count() const {
    const Lock lock(m_mutex);
    return m_recipients.size();
}

void GatheredEnvelope::clear() noexcept {
    const Lock lock(m_mutex);
    m_sender.clear();
    m_recipients.clear();
}

}  // namespace pymilter
