// Checks of what a filter asks to send, made before a byte of it reaches the MTA. Pure; any thread.
#include "core/checks.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

namespace pymilter {

namespace {

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

void check_no_line_break(std::string_view what, std::string_view text) {
    const auto bad = text.find_first_of(std::string_view{"\0\r\n", 3});
    if (bad != std::string_view::npos) {
        refuse(std::string{what} + " contains " + printable(text[bad]) + " at position " + std::to_string(bad) +
               ": NUL, CR and LF are not allowed");
    }
}

// x.y.z of RFC 3463: one digit of class, then one to three digits twice.
bool is_enhanced_code(std::string_view xcode) {
    if (xcode.size() < 5 || !is_digit(xcode[0]) || xcode[1] != '.') {
        return false;
    }
    const auto rest = xcode.substr(2);
    const auto dot = rest.find('.');
    if (dot == std::string_view::npos) {
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

void check_header_value(std::string_view value) {
    for (std::size_t at = 0; at < value.size(); ++at) {
        const char character = value[at];
        if (character == '\0' || character == '\r') {
            refuse("header value contains " + printable(character) + " at position " + std::to_string(at) +
                   ": NUL and CR are not allowed (a fold is LF followed by space or tab)");
        }
        if (character == '\n') {
            const bool folded = at + 1 < value.size() && (value[at + 1] == ' ' || value[at + 1] == '\t');
            if (!folded) {
                refuse("header value contains LF at position " + std::to_string(at) +
                       " that no space or tab follows: it would begin a new header");
            }
        }
    }
}

void check_address(std::string_view what, std::string_view address) {
    if (address.empty()) {
        refuse(std::string{what} + " is empty: an address is needed, <> for the null sender");
    }
    check_no_line_break(what, address);
    if ((address.front() == '<') != (address.back() == '>')) {
        refuse(std::string{what} + " has only one of its angle brackets: write <user@example.com>");
    }
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
