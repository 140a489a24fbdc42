// The envelope and the header of a message, as they are gathered.
#include "case.hpp"
#include "core/body/gathered_envelope.hpp"
#include "core/body/gathered_header.hpp"

using namespace pymilter;
using namespace std::string_literals;

CASE(a_header_of_just_the_limit_fits_and_one_byte_more_does_not) {
    GatheredHeader header;
    HOLDS(header.add("A", "b", 8));
    HOLDS(header.add("C", "d", 8));
    EQUAL(header.text(), "A\0b\0C\0d\0"s);
    EQUAL(header.field_count(), 2U);
    HOLDS(!header.add("", "", 8));
    EQUAL(header.text(), "");
    header.clear();
    HOLDS(!header.add("A", "b", 3));
    EQUAL(header.field_count(), 0U);
    HOLDS(header.add("A", "", 3));
    EQUAL(header.text(), "A\0\0"s);
}

CASE(a_header_grows_seldom_and_is_freed_when_it_is_refused) {
    GatheredHeader header;
    HOLDS(header.add("Subject", "a short one", 100000));
    const std::size_t first = header.text().capacity();
    EQUAL(first, 4096U);
    const std::string value(first - 20 - 6, 'v');
    HOLDS(header.add("NAME", value.c_str(), 100000));
    EQUAL(header.text().size(), first);
    EQUAL(header.text().capacity(), first);
    HOLDS(header.add("B", "", 100000));
    EQUAL(header.text().capacity(), 2 * first);
    const std::string large(50000, 'v');
    HOLDS(header.add("B", large.c_str(), 100000));
    HOLDS(header.text().capacity() < 70000U);
    header.clear();
    EQUAL(header.text(), "");
    EQUAL(header.field_count(), 0U);
    HOLDS(header.text().capacity() >= 50000U);  // kept for the next message
    HOLDS(!header.add("B", large.c_str(), 1000));
    HOLDS(header.text().capacity() < 100U);
}

CASE(an_envelope_keeps_paths_with_their_parameters) {
    GatheredEnvelope envelope;
    std::string from = "<f@x>";
    std::string size = "SIZE=5";
    std::string to = "<t@x>";
    char *sender[] = {from.data(), size.data(), nullptr};
    char *recipient[] = {to.data(), nullptr};
    char *nobody[] = {nullptr};
    envelope.drop_recipient();
    EQUAL(envelope.recipient_count(), 0U);
    envelope.set_sender(sender);
    EQUAL(envelope.sender(), "<f@x>\0SIZE=5\0"s);
    envelope.add_recipient(recipient, true);
    envelope.add_recipient(sender, false);
    EQUAL(envelope.recipient_count(), 2U);
    EQUAL(envelope.last_recipient().path, "<f@x>\0SIZE=5\0"s);
    HOLDS(!envelope.last_recipient().is_accepted);
    envelope.drop_recipient();
    EQUAL(envelope.recipients().size(), 1U);
    EQUAL(envelope.recipients()[0].path, "<t@x>\0"s);
    HOLDS(envelope.recipients()[0].is_accepted);
    envelope.set_sender(nobody);
    EQUAL(envelope.sender(), "");
    envelope.set_sender(sender);
    envelope.clear();
    EQUAL(envelope.sender(), "");
    EQUAL(envelope.recipient_count(), 0U);
}
