// What a filter may ask to send: what is let through and how, and the sentence
// of each refusal.
#include "core/protocol/checks.hpp"

#include <stdexcept>

#include "case.hpp"

using namespace pymilter;
using namespace std::string_literals;

namespace {

// What a check says; "" if it has no objection.
std::string objection(const std::function<void()> &check) {
    const std::string said = cases::thrown_by<std::invalid_argument>(check);
    return said == "nothing" ? "" : said;
}

std::string of_name(const std::string &name) {
    return objection([&] { check_header_name(name); });
}

std::string of_value(const std::string &value) {
    return objection([&] { checked_header_value(value); });
}

std::string of_address(const std::string &address) {
    return objection([&] { check_address("it", address); });
}

std::string of_reply(const std::string &code, const std::string &xcode, const std::vector<std::string> &lines = {}) {
    return objection([&] { check_reply({code, xcode, lines}); });
}

}  // namespace

CASE(names_of_headers) {
    for (const char *const good : {"A", "Subject", "!", "~", "X-1;9<"}) {
        EQUAL(of_name(good), "");
    }
    EQUAL(of_name(""), "header name is empty: it needs at least one character");
    const std::string allowed = ": allowed are printable US-ASCII characters except the colon";
    EQUAL(of_name(":"), "header name contains ':' at position 0" + allowed);
    EQUAL(of_name("A b"), "header name contains \\x20 at position 1" + allowed);
    EQUAL(of_name("Ab\x7f"), "header name contains \\x7f at position 2" + allowed);
    EQUAL(of_name("\xe9"), "header name contains \\xe9 at position 0" + allowed);
    EQUAL(of_name("\x1f"), "header name contains \\x1f at position 0" + allowed);
    EQUAL(of_name("A\0"s), "header name contains \\x00 at position 1" + allowed);
}

CASE(values_of_headers_as_libmilter_gets_them) {
    EQUAL(checked_header_value(""), "");
    EQUAL(checked_header_value("a b"), "a b");
    EQUAL(checked_header_value("\xe9\t"), "\xe9\t");
    EQUAL(checked_header_value("a\r\n\r\n"), "a");
    EQUAL(checked_header_value("a\n"), "a");
    EQUAL(checked_header_value("\r\n"), "");
    EQUAL(checked_header_value("a\r\n b\n\tc\r\n  d"), "a\n b\n\tc\n  d");
    EQUAL(checked_header_value("\n a"), "\n a");
}

CASE(values_of_headers_that_are_refused) {
    const std::string lone = ": NUL and a CR without LF are not allowed";
    EQUAL(of_value("a\0b"s), "header value contains \\x00 at position 1" + lone);
    EQUAL(of_value("a\rb"), "header value contains \\x0d at position 1" + lone);
    EQUAL(of_value("a\n b\r\r\n c"), "header value contains \\x0d at position 4" + lone);
    const std::string header = " that no space or tab follows: it would begin a new header";
    EQUAL(of_value("a\nb"), "header value contains LF at position 1" + header);
    EQUAL(of_value("a\r\nb"), "header value contains CRLF at position 1" + header);
    EQUAL(of_value("a\n\n b"), "header value contains LF at position 1" + header);
    EQUAL(of_value("a\n b\nc"), "header value contains LF at position 4" + header);
    const std::string blank =
        " and nothing but blanks in the line after it: "
        "some readers would end the headers there";
    EQUAL(of_value("a\n "), "header value contains LF at position 1" + blank);
    EQUAL(of_value("a\r\n\t "), "header value contains CRLF at position 1" + blank);
    EQUAL(of_value("a\n \n b"), "header value contains LF at position 1" + blank);
    EQUAL(of_value("a\n \r\n b"), "header value contains LF at position 1" + blank);
    EQUAL(of_value("a\r\n \r\n b"), "header value contains CRLF at position 1" + blank);
}

CASE(addresses_that_are_one) {
    for (const char *const good :
         {"<>", "<a@x>", "a@x", "a", "<a b@x>", "\"a,b\"@x", "\"a<>();b\"@x", "<\"a,\\\"b,\"@x>", "\"a\\\\\"@x",
          "a\\b@x", "<@one.example:a@x>", "<@one.example,@two.example:a@x>", "@one.example:a@x", "\"a b\"@x", "<a@x\\>",
          "<a@[::1]>", "\xe9@x"}) {
        EQUAL(of_address(good) + good, std::string{good});
    }
}

CASE(addresses_that_an_mta_might_see_otherwise) {
    EQUAL(of_address(""), "it is empty: an address is needed, <> for the null sender");
    EQUAL(of_address("a\nb"), "it contains \\x0a at position 1: control characters are not allowed");
    EQUAL(of_address("\"a\x7f\""), "it contains \\x7f at position 2: control characters are not allowed");
    EQUAL(of_address("\x1f"), "it contains \\x1f at position 0: control characters are not allowed");
    const std::string bracket = "it has only one of its angle brackets: write <user@example.com>";
    EQUAL(of_address("<a@x"), bracket);
    EQUAL(of_address("a@x>"), bracket);
    EQUAL(of_address("<"), bracket);
    EQUAL(of_address(">"), bracket);
    const std::string one = ": allowed is one address, with angle brackets only around it";
    EQUAL(of_address("a,b"), "it contains ',' at position 1" + one);
    EQUAL(of_address("<a,b>"), "it contains ',' at position 2" + one);
    EQUAL(of_address("<a;b>"), "it contains ';' at position 2" + one);
    EQUAL(of_address("<a>,<b>"), "it contains '>' at position 2" + one);
    EQUAL(of_address("<<a>"), "it contains '<' at position 1" + one);
    EQUAL(of_address("a(b)"), "it contains '(' at position 1" + one);
    EQUAL(of_address("ab)"), "it contains ')' at position 2" + one);
    EQUAL(of_address("\"a\"b,"), "it contains ',' at position 4" + one);
    EQUAL(of_address("<@one,a@x>"), "it contains ',' at position 5" + one);
    EQUAL(of_address("<@one,@two>"), "it contains ',' at position 5" + one);
    EQUAL(of_address("<@one(c):a@x>"), "it contains '(' at position 5" + one);
    EQUAL(of_address("<@one,@two:a,b>"), "it contains ',' at position 12" + one);
    const std::string quoted = "it has a quoted string that is not closed";
    EQUAL(of_address("\"a"), quoted);
    EQUAL(of_address("<\"a\\\">"), quoted);
    EQUAL(of_address("\"a\"\""), quoted);
    const std::string backslash = ": such a backslash is allowed only in a quoted string";
    EQUAL(of_address("a\\\"b"), "it contains '\\' at position 1" + backslash);
    EQUAL(of_address("a\\\\"), "it contains '\\' at position 1" + backslash);
    EQUAL(of_address("<a\\\\>"), "it contains '\\' at position 2" + backslash);
    EQUAL(of_address("a b"),
          "it contains \\x20 at position 1: write "
          "<user@example.com>, in angle brackets");
    EQUAL(of_address(" a"),
          "it contains \\x20 at position 0: write "
          "<user@example.com>, in angle brackets");
}

CASE(source_routes_are_left_out) {
    const auto check = [](const std::string &address, const std::string &wanted) {
        EQUAL(without_source_route(address), wanted);
    };
    check("", "");
    check("<>", "<>");
    check("<a@x>", "<a@x>");
    check("<@one:a@x>", "<a@x>");
    check("@one:a@x", "a@x");
    check("<@one,@two:a@x>", "<a@x>");
    check("<@one,two:a@x>", "<@one,two:a@x>");
    check("<@one:>", "<@one:>");
    check("@one:", "@one:");
    check("<@one>", "<@one>");
    check("<@one,>", "<@one,>");
    check("<@o ne:a@x>", "<@o ne:a@x>");
    check("<@one@two:a@x>", "<@one@two:a@x>");
    check("<@:a@x>", "<a@x>");
    check("<@one:@two:a@x>", "<@two:a@x>");
}

CASE(parameters_and_lines) {
    const std::string reason = ": NUL, CR and LF are not allowed";
    EQUAL(objection([] { check_parameters(""); }), "");
    EQUAL(objection([] { check_parameters("A=1 B\t\x7f"); }), "");
    EQUAL(objection([] { check_parameters("A\rB"); }), "ESMTP parameter contains \\x0d at position 1" + reason);
    EQUAL(objection([] { check_parameters("A\nB"); }), "ESMTP parameter contains \\x0a at position 1" + reason);
    EQUAL(objection([] { check_parameters("\0"s); }), "ESMTP parameter contains \\x00 at position 0" + reason);
    EQUAL(objection([] { check_line("it", "x"); }), "");
    EQUAL(objection([] { check_line("it", ""); }), "it is empty: some text is needed");
    EQUAL(objection([] { check_line("it", "x\n"); }), "it contains \\x0a at position 1" + reason);
}

CASE(codes_of_replies) {
    for (const char *const good : {"400", "499", "500", "599"}) {
        EQUAL(of_reply(good, ""), "");
    }
    for (const char *const bad : {"", "4", "40", "4000", "399", "600", "4x0", "40x", "50:", "5/0", "250"}) {
        EQUAL(of_reply(bad, ""), "reply code is '"s + bad + "': allowed are three digits, 4xx or 5xx");
    }
    for (const char *const good : {"5.0.0", "5.7.1", "5.123.999", "5.10.10"}) {
        EQUAL(of_reply("550", good), "");
    }
    for (const char *const bad : {"5.7", "5.7.", "5..1", "57.1.1", "5.7.1234", "5.1234.1", "x.7.1", "5.x.1", "5.7.x",
                                  "5,7.1", "5.7.1.1", "5.711", "5....", "5.123", "5"}) {
        EQUAL(of_reply("550", bad),
              "enhanced status code is '"s + bad + "': the form is class.subject.detail, for example 5.7.1");
    }
    EQUAL(of_reply("550", "4.7.1"),
          "enhanced status code 4.7.1 does not fit reply code 550: both must be "
          "of the same class");
    EQUAL(of_reply("451", "5.7.1"),
          "enhanced status code 5.7.1 does not fit reply code 451: both must be "
          "of the same class");
}

CASE(lines_of_replies) {
    EQUAL(of_reply("550", "", std::vector<std::string>(32, "x")), "");
    EQUAL(of_reply("550", "", std::vector<std::string>(33, "x")), "reply has 33 lines: at most 32 are allowed");
    EQUAL(of_reply("550", "", {std::string(980, 'x'), ""}), "");
    EQUAL(of_reply("550", "", {"", std::string(981, 'x')}),
          "reply text has 981 bytes in one line: at most 980 are allowed");
    EQUAL(of_reply("550", "", {"x", "y\r"}),
          "reply text contains \\x0d at position 1: NUL, CR and LF are not "
          "allowed");
}

CASE(percent_signs) {
    EQUAL(escape_percent(""), "");
    EQUAL(escape_percent("a%b%%c%"), "a%%b%%%%c%%");
    EQUAL(escape_lone_percent(""), "");
    EQUAL(escape_lone_percent("a%b"), "a%%b");
    EQUAL(escape_lone_percent("a%%b"), "a%%b");
    EQUAL(escape_lone_percent("%"), "%%");
    EQUAL(escape_lone_percent("%%"), "%%");
    EQUAL(escape_lone_percent("%%%"), "%%%%");
    EQUAL(escape_lone_percent("%a%"), "%%a%%");
    EQUAL(escape_lone_percent("a%%b%c%%"), "a%%b%%c%%");
}
