// The calls of libmilter for one connection: allowed only while a callback runs, and only for the message they are
// meant for.
#include "python/connection/calls.hpp"

#include "python/interpreter/errors.hpp"

namespace pymilter {

void Calls::leave() noexcept {
    // Waits for a call that another thread of the program is still making, because libmilter goes on with the context
    // after this. The call may wait for the MTA, so the GIL must not be held meanwhile.
    locked([&](SMFICTX *) { m_step.store(Step::idle, std::memory_order_relaxed); });
}

void Calls::end_calls() noexcept {
    locked([&](SMFICTX *) { m_context.store(nullptr); });
}

int Calls::locked_call(const Call &function, MessageNumber number) const {
    SMFICTX *const context = m_context.load();
    return context == nullptr || step() == Step::idle || is_over(number) ? MI_FAILURE : function(context);
}

void Calls::call(const char *what, const Call &function, MessageNumber number, bool may_block) {
    check_usable(what, number);
    int result = MI_FAILURE;
    alone([&] { result = locked_call(function, number); }, may_block);
    if (result != MI_SUCCESS) {
        check_usable(what, number);
        raise_milter_error(std::string{"libmilter could not carry out "} + what + " at " + handler_name(step()) +
                           " (is the MTA still there?)");
    }
}

bool Calls::call_unattached(const Call &function) noexcept {
    int result = MI_FAILURE;
    locked_unattached([&](SMFICTX *context) { result = context == nullptr ? MI_FAILURE : function(context); });
    return result == MI_SUCCESS;
}

void Calls::check_open(const char *what) const {
    if (m_context.load() == nullptr) {
        raise_milter_error(std::string{what} + " is not possible: the connection is closed");
    }
}

void Calls::check_usable(const char *what, MessageNumber number) const {
    check_open(what);
    if (is_over(number)) {
        raise_milter_error(std::string{what} +
                           " is not possible: the message has ended to which this handle, or the "
                           "thread that uses it, belongs (self.context, taken in a callback, is its message's handle)");
    }
    if (step() == Step::idle) {
        raise_milter_error(std::string{what} + " is not possible between two callbacks");
    }
}

void Calls::check_at(Step wanted, const char *what, MessageNumber number) const {
    check_usable(what, number);
    if (is_forked()) {
        // The descriptor of the connection is closed here, and may by now belong to another file.
        raise_milter_error(std::string{what} +
                           " is not possible in a process that a handler has forked: the connection "
                           "is the parent's");
    }
    if (!is_at(wanted)) {
        raise_milter_error(std::string{what} + " is possible only at " + handler_name(wanted) + ", not at " +
                           handler_name(step()));
    }
}

void Calls::disown_all_in_child() noexcept { m_is_forked.store(true, std::memory_order_relaxed); }

}  // namespace pymilter
