// The envelope of one message, gathered step by step for a filter that gets messages whole.
//
// libmilter's callbacks write here; the filter reads, also in threads of its own while the message is still coming in.
// A mutex guards both; whoever holds it waits for nothing else.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace pymilter {

class GatheredEnvelope {
public:
    // An address exactly as in MAIL or RCPT, and its ESMTP parameters, each ended by NUL.
    using Path = std::string;

    struct Recipient {
        bool is_accepted;
        Path path;
    };

    // `list` ends with a null pointer, as in libmilter's callbacks. Both throw std::bad_alloc.
    void set_sender(char **list);
    void add_recipient(char **list, bool is_accepted);
    // The filter has refused the recipient that was added last.
    void drop_recipient() noexcept;

    Path sender() const;
    std::vector<Recipient> recipients() const;
    // There must be one.
    Recipient last_recipient() const;
    std::size_t recipient_count() const;

    // Begins anew, for another message.
    void clear() noexcept;

private:
    mutable std::mutex m_mutex;
    Path m_sender;
    std::vector<Recipient> m_recipients;
};

}  // namespace pymilter
