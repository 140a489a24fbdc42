// Fuzzes the checks of what a filter sends: what passes them can end no line, no header and no reply early.
#include <algorithm>
#include <stdexcept>

#include "core/protocol/checks.hpp"
#include "input.hpp"

namespace {

using fuzz::expect;

// Whether a check lets it through. Only std::invalid_argument, with a text, may come out of a check.
template <typename Check>
bool passes(Check &&check) {
    try {
        check();
        return true;
    } catch (const std::invalid_argument &error) {
        expect(error.what()[0] != '\0');
        return false;
    }
}

bool has_any(const std::string &text, const char *characters, std::size_t count) {
    return text.find_first_of(characters, 0, count) != std::string::npos;
}

bool is_one_line(const std::string &text) { return !has_any(text, "\0\r\n", 3); }

// Each LF is followed by a blank, and no line after the first has nothing but blanks.
bool is_folded(const std::string &text) {
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
        const std::size_t word = text.find_first_not_of(" \t", at + 1);
        if (word == at + 1 || word == std::string::npos || text[word] == '\n') {
            return false;
        }
    }
    return true;
}

void header_name(const std::string &text) {
    const bool is_name = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char byte) {
        return byte > 32 && byte < 127 && byte != ':';
    });
    expect(passes([&] { pymilter::check_header_name(text); }) == is_name);
}

// The value with LF for each CRLF and without the line ends at its end.
std::string with_line_feeds(const std::string &text) {
    std::string plain = text.substr(0, text.find_last_not_of("\r\n") + 1);
    for (std::size_t at = 0; (at = plain.find("\r\n", at)) != std::string::npos;) {
        plain.erase(at, 1);
    }
    return plain;
}

void header_value(const std::string &text) {
    const std::string plain = with_line_feeds(text);
    const bool is_value = !has_any(plain, "\0\r", 2) && is_folded(plain);
    std::string checked;
    expect(passes([&] { checked = pymilter::checked_header_value(text); }) == is_value);
    expect(!is_value || checked == plain);
    expect(!is_value || pymilter::checked_header_value(checked) == checked);
}

// What of a mailbox is outside of quoted strings, after its source route.
std::string unquoted(const std::string &mailbox) {
    std::string plain;
    bool is_quoted = false;
    for (std::size_t at = 0; at < mailbox.size(); ++at) {
        if (mailbox[at] == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted) {
            plain += mailbox[at];
        } else if (mailbox[at] == '\\') {
            ++at;
        }
    }
    return plain;
}

void address(const std::string &text) {
    const std::string shorter = pymilter::without_source_route(text);
    if (!passes([&] { pymilter::check_address("sender", text); })) {
        return;
    }
    const bool is_bracketed = text.front() == '<';
    expect(is_bracketed == (text.back() == '>'));
    expect(std::none_of(text.begin(), text.end(), [](unsigned char byte) { return byte < 32 || byte == 127; }));
    expect(passes([&] { pymilter::check_address("sender", shorter); }));
    const std::string plain = unquoted(is_bracketed ? shorter.substr(1, shorter.size() - 2) : shorter);
    expect(!has_any(plain, "<>,;()", 6) && (is_bracketed || plain.find(' ') == std::string::npos));
}

void one_line(const std::string &text) {
    expect(passes([&] { pymilter::check_line("reason", text); }) == (is_one_line(text) && !text.empty()));
    expect(passes([&] { pymilter::check_parameters(text); }) == is_one_line(text));
}

void reply(fuzz::Input input) {
    pymilter::ReplyText reply;
    reply.code = input.text(3);
    reply.xcode = input.text(input.number<std::uint8_t>() % 10);
    while (!input.empty()) {
        reply.lines.push_back(input.text(input.number<std::uint16_t>() % 1200));
    }
    if (!passes([&] { pymilter::check_reply(reply); })) {
        return;
    }
    expect(reply.code.size() == 3 && (reply.code[0] == '4' || reply.code[0] == '5'));
    expect(reply.xcode.empty() || (reply.xcode[0] == reply.code[0] && is_one_line(reply.xcode)));
    expect(reply.lines.size() <= 32);
    for (const auto &line : reply.lines) {
        expect(line.size() <= 980 && is_one_line(line));
    }
}

// As Sendmail and Postfix read it: `%%` is one, a lone `%` is lost.
std::string unescape(const std::string &text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            plain += text[at];
        } else if (at + 1 < text.size() && text[at + 1] == '%') {
            plain += '%';
            ++at;
        }
    }
    return plain;
}

void percent(const std::string &text) {
    expect(unescape(pymilter::escape_percent(text)) == text);
    const std::string once = pymilter::escape_lone_percent(text);
    expect(pymilter::escape_lone_percent(once) == once);
    const auto count = [](const std::string &of) { return std::count(of.begin(), of.end(), '%'); };
    expect(count(once) % 2 == 0 && once.size() - count(once) == text.size() - count(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto kind = input.number<std::uint8_t>() % 6;
    switch (kind) {
    case 0:
        header_name(input.rest());
        break;
    case 1:
        header_value(input.rest());
        break;
    case 2:
        one_line(input.rest());
        break;
    case 3:
        reply(input);
        break;
    case 4:
        address(input.rest());
        break;
    default:
        percent(input.rest());
    }
    return 0;
}
