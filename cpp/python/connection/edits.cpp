// Edits of a message: made at eom only, only if the MTA granted their action, and sent in an order that MTAs take.
#include "python/connection/edits.hpp"

#include <utility>

#include "core/process/counters.hpp"
#include "python/interpreter/errors.hpp"

namespace pymilter {

namespace {

void check_granted(const Connection &connection, std::uint32_t action, const char *what) {
    if (!connection.options.has_action(action)) {
        raise_disabled_action(action, what);
    }
}

}  // namespace

void make_edit(Connection &connection, std::uint32_t action, const char *what, Calls::Call function,
               MessageNumber number) {
    number = connection.checked_message(what, number);
    connection.check_at(Step::eom, what, number);
    check_granted(connection, action, what);
    Message &message = connection.message;
    if (message.body_begun) {
        // Held back under the same lock as a call, so that flush_edits() never finds the list half changed by another
        // thread of the program.
        const auto hold = [&](SMFICTX *) {
            message.held_edits.push_back(std::move(function));
            return MI_SUCCESS;
        };
        connection.call(what, hold, number);
    } else {
        connection.socket.cork();
        connection.call(what, function, number, true);
    }
    counters.count_edit(what);
}

void replace_body(Connection &connection, const Calls::Call &function, MessageNumber number) {
    constexpr const char *what = "replacebody";
    number = connection.checked_message(what, number);
    connection.check_at(Step::eom, what, number);
    check_granted(connection, SMFIF_CHGBODY, what);
    connection.message.body_begun = true;
    connection.socket.cork();
    connection.call(what, function, number, true);
    counters.count_edit(what);
}

bool flush_edits(Connection &connection) noexcept {
    auto &held = connection.message.held_edits;
    if (held.empty()) {
        return true;
    }
    const auto send_all = [&](SMFICTX *context) {
        int result = MI_SUCCESS;
        for (const auto &send : held) {
            result = result == MI_SUCCESS ? send(context) : result;
        }
        return result;
    };
    const bool sent = connection.call_unattached(send_all);
    held.clear();
    return sent;
}

}  // namespace pymilter
