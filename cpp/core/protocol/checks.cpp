// Checks of what a filter asks to send, made before a byte of it reaches the MTA. Pure; any thread.
#include "core/protocol/checks.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

namespace pymilter {

namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::size_t max_reply_lines = 32;   // MAXREPLIES in libmilter
constexpr std::size_t max_reply_bytes = 980;  // MAXREPLYLEN in libmilter

bool is_digit(char character) { return character >= '0' && character <= '9'; }

std::string printable(char character) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte > 0x20 && byte < 0x7f) {
        return std::string{'\''} + character + '\'';
    }
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "\\x%02x", byte);
    return text.data();
}

[[noreturn]] void refuse(const std::string &message) { throw std::invalid_argument(message); }

[[noreturn]] void refuse_character(std::string_view what, std::string_view text, std::size_t at, const char *reason) {
    refuse(std::string{what} + " contains " + printable(text[at]) + " at position " + std::to_string(at) + ": " +
           reason);
}

void check_no_line_break(std::string_view what, std::string_view text) {
    const auto bad = text.find_first_of(std::string_view{"\0\r\n", 3});
    if (bad != npos) {
        refuse_character(what, text, bad, "NUL, CR and LF are not allowed");
    }
}

bool is_control(char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte < 0x20 || byte == 0x7f;
}

// `value` has a line break at `at`, and does not end there.
void check_fold(std::string_view value, std::size_t at, bool is_crlf) {
    const std::size_t next = at + (is_crlf ? 2 : 1);
    const std::size_t text = value.find_first_not_of(" \t", next);
    const std::string where =
        std::string{"header value contains "} + (is_crlf ? "CRLF" : "LF") + " at position " + std::to_string(at);
    if (text == next) {
        refuse(where + " that no space or tab follows: it would begin a new header");
    }
    if (text == npos || value[text] == '\r' || value[text] == '\n') {
        refuse(where + " and nothing but blanks in the line after it: some readers would end the headers there");
    }
}

// The length of the source route at the start of `mailbox`, such as "@one.example,@two.example:"; 0 if there is none.
std::size_t route_length(std::string_view mailbox) {
    std::size_t at = 0;
    while (at < mailbox.size() && mailbox[at] == '@') {
        const std::size_t end = mailbox.find_first_of(",:;@<>()\"\\ ", at + 1);
        if (end == npos || (mailbox[end] != ',' && mailbox[end] != ':')) {
            return 0;
        }
        at = end + 1;
        if (mailbox[end] == ':') {
            return at == mailbox.size() || mailbox[at] == '>' ? 0 : at;
        }
    }
    return 0;
}

// Sendmail splits a list at commas, and without angle brackets also at blanks. Postfix takes the first address of a
// list, which may be separated by semicolons too. Comments and a backslash before a quote are refused because the MTAs
// read them differently from us, so that they could hide a comma.
void check_mailbox(std::string_view what, std::string_view address, bool is_bracketed) {
    const std::size_t start = is_bracketed ? 1 : 0;
    const std::size_t end = address.size() - start;
    bool is_quoted = false;
    for (std::size_t at = start + (is_bracketed ? route_length(address.substr(start)) : 0); at < end; ++at) {
        const char character = address[at];
        if (character == '"') {
            is_quoted = !is_quoted;
        } else if (is_quoted) {
            at += character == '\\' ? 1 : 0;
        } else if (std::string_view{"<>,;()"}.find(character) != npos) {
            refuse_character(what, address, at, "allowed is one address, with angle brackets only around it");
        } else if (character == '\\' && at + 1 < end && (address[at + 1] == '"' || address[at + 1] == '\\')) {
            refuse_character(what, address, at, "such a backslash is allowed only in a quoted string");
        } else if (character == ' ' && !is_bracketed) {
            refuse_character(what, address, at, "write <user@example.com>, in angle brackets");
        }
    }
    if (is_quoted) {
        refuse(std::string{what} + " has a quoted string that is not closed");
    }
}

// The x.y.z of RFC 3463: a class of one digit, then twice one to three digits.
bool is_enhanced_code(std::string_view xcode) {
    if (xcode.size() < 5 || !is_digit(xcode[0]) || xcode[1] != '.') {
        return false;
    }
    const auto rest = xcode.substr(2);
    const auto dot = rest.find('.');
    if (dot == npos) {
        return false;
    }
    const auto is_number = [](std::string_view part) {
        return !part.empty() && part.size() <= 3 && std::all_of(part.begin(), part.end(), is_digit);
    };
    return is_number(rest.substr(0, dot)) && is_number(rest.substr(dot + 1));
}

void check_reply_codes(const ReplyText &reply) {
    const auto &code = reply.code;
    if (code.size() != 3 || (code[0] != '4' && code[0] != '5') || !is_digit(code[1]) || !is_digit(code[2])) {
        refuse("reply code is '" + code + "': allowed are three digits, 4xx or 5xx");
    }
    if (reply.xcode.empty()) {
        return;
    }
    if (!is_enhanced_code(reply.xcode)) {
        refuse("enhanced status code is '" + reply.xcode + "': the form is class.subject.detail, for example 5.7.1");
    }
    if (reply.xcode[0] != code[0]) {
        refuse("enhanced status code " + reply.xcode + " does not fit reply code " + code +
               ": both must be of the same class");
    }
}

}  // namespace

void check_header_name(std::string_view name) {
    if (name.empty()) {
        refuse("header name is empty: it needs at least one character");
    }
    const auto bad = std::find_if(name.begin(), name.end(), [](char character) {
        const auto byte = static_cast<unsigned char>(character);
        return byte <= 0x20 || byte >= 0x7f || character == ':';
    });
    if (bad != name.end()) {
        refuse("header name contains " + printable(*bad) + " at position " + std::to_string(bad - name.begin()) +
               ": allowed are printable US-ASCII characters except the colon");
    }
}

std::string checked_header_value(std::string_view value) {
    value = value.substr(0, value.find_last_not_of("\r\n") + 1);
    std::string checked;
    checked.reserve(value.size());
    for (std::size_t at = 0; at < value.size(); ++at) {
        const char character = value[at];
        const bool is_crlf = value.substr(at, 2) == "\r\n";
        if (character == '\0' || (character == '\r' && !is_crlf)) {
            refuse("header value contains " + printable(character) + " at position " + std::to_string(at) +
                   ": NUL and a CR without LF are not allowed");
        }
        checked.push_back(is_crlf ? '\n' : character);
        if (character == '\n' || is_crlf) {
            check_fold(value, at, is_crlf);
            at += is_crlf ? 1 : 0;
        }
    }
    return checked;
}

void check_address(std::string_view what, std::string_view address) {
    if (address.empty()) {
        refuse(std::string{what} + " is empty: an address is needed, <> for the null sender");
    }
    for (std::size_t at = 0; at < address.size(); ++at) {
        if (is_control(address[at])) {
            refuse_character(what, address, at, "control characters are not allowed");
        }
    }
    const bool is_bracketed = address.front() == '<';
    if (is_bracketed != (address.back() == '>')) {
        refuse(std::string{what} + " has only one of its angle brackets: write <user@example.com>");
    }
    check_mailbox(what, address, is_bracketed);
}

std::string without_source_route(std::string_view address) {
    const std::size_t start = !address.empty() && address.front() == '<' ? 1 : 0;
    std::string shorter{address};
    return shorter.erase(start, route_length(address.substr(start)));
}

void check_parameters(std::string_view parameters) { check_no_line_break("ESMTP parameter", parameters); }

void check_line(std::string_view what, std::string_view line) {
    if (line.empty()) {
        refuse(std::string{what} + " is empty: some text is needed");
    }
    check_no_line_break(what, line);
}

void check_reply(const ReplyText &reply) {
    check_reply_codes(reply);
    if (reply.lines.size() > max_reply_lines) {
        refuse("reply has " + std::to_string(reply.lines.size()) + " lines: at most " +
               std::to_string(max_reply_lines) + " are allowed");
    }
    for (const auto &line : reply.lines) {
        if (line.size() > max_reply_bytes) {
            refuse("reply text has " + std::to_string(line.size()) + " bytes in one line: at most " +
                   std::to_string(max_reply_bytes) + " are allowed");
        }
        check_no_line_break("reply text", line);
    }
}

std::string escape_percent(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char character : text) {
        escaped.append(character == '%' ? 2 : 1, character);
    }
    return escaped;
}

std::string escape_lone_percent(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        escaped.push_back(text[at]);
        if (text[at] == '%') {
            escaped.push_back('%');
            if (at + 1 < text.size() && text[at + 1] == '%') {
                ++at;
            }
        }
    }
    return escaped;
}

}  // namespace pymilter
