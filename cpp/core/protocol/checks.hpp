// Checks of what a filter asks to send, made before a byte of it reaches the MTA. Pure; any thread.
//
// libmilter sends edits unchecked, so a line break in a value could be a header injection. Each check throws
// std::invalid_argument with a sentence that says what was wrong and what is allowed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pymilter {

// RFC 5322, 2.2: printable US-ASCII except the colon, at least one character.
void check_header_name(std::string_view name);

// Returns the value as libmilter wants it: each fold (RFC 5322, 2.2.3) is LF followed by a space or tab, and line ends
// at the end are dropped. Accepts CRLF in folds, because libraries write them so. Refuses NUL, a lone CR, a line break
// that would begin a new header, and a fold with nothing but blanks after it, where lenient readers end the headers.
std::string checked_header_value(std::string_view value);

// One mailbox (RFC 5321, 4.1.2), with or without angle brackets; `what` names it in the error. Control characters are
// refused, and outside of quoted strings whatever makes an MTA see more than one address.
void check_address(std::string_view what, std::string_view address);

// The address without the source route that it may begin with (RFC 5321, appendix C): <u@d> for <@a,@b:u@d>.
std::string without_source_route(std::string_view address);

// ESMTP parameters as one line separated by spaces.
void check_parameters(std::string_view parameters);

// Text that goes into one line of protocol, such as the reason of a quarantine.
void check_line(std::string_view what, std::string_view line);

// SMTP reply (RFC 5321, 4.2) with enhanced status code (RFC 3463); `xcode` may be empty.
struct ReplyText {
    std::string code;
    std::string xcode;
    std::vector<std::string> lines;
};

// libmilter: 4xx or 5xx, at most 32 lines of at most 980 bytes, the class of xcode as that of code.
void check_reply(const ReplyText &reply);

// Doubles each `%`, because Sendmail takes the text for a format.
std::string escape_percent(std::string_view text);

// For callers that may have doubled it themselves: doubles each `%` that is not already one of a pair.
std::string escape_lone_percent(std::string_view text);

}  // namespace pymilter
