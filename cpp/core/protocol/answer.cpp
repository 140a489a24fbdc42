// An answer to the MTA: a status, and for a refusal the reply that the SMTP client gets.
#include "core/protocol/answer.hpp"

#include <array>
#include <string>
#include <vector>

namespace pymilter {

namespace {

constexpr std::size_t max_lines = 32;  // MAXREPLIES in libmilter, which check_reply() has enforced

}  // namespace

int send_reply(SMFICTX *context, const ReplyText &reply) {
    std::string code = reply.code;
    std::string xcode = reply.xcode;
    char *const enhanced = xcode.empty() ? nullptr : xcode.data();
    std::array<char *, max_lines + 1> line{};
    std::vector<std::string> lines = reply.lines;
    for (std::size_t index = 0; index < lines.size() && index < max_lines; ++index) {
        line[index] = lines[index].data();
    }
    if (lines.size() <= 1) {
        return ::smfi_setreply(context, code.data(), enhanced, line[0]);
    }
    // The first null pointer ends the list, so it does no harm to pass all of them.
    return ::smfi_setmlreply(context, code.data(), enhanced, line[0], line[1], line[2], line[3], line[4], line[5],
                             line[6], line[7], line[8], line[9], line[10], line[11], line[12], line[13], line[14],
                             line[15], line[16], line[17], line[18], line[19], line[20], line[21], line[22], line[23],
                             line[24], line[25], line[26], line[27], line[28], line[29], line[30], line[31], line[32]);
}

}  // namespace pymilter
