// The calls of libmilter for one connection: allowed only while a callback runs, and only for the message they are
// meant for.
//
// They may come from any thread of the program, while libmilter itself goes on with its context as soon as the callback
// has returned. So a mutex guards them. It is never held while a thread waits for the GIL.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "core/protocol/libmilter.hpp"
#include "core/protocol/step.hpp"
#include "python/interpreter/gil.hpp"
#include "python/interpreter/python.hpp"

namespace pymilter {

// Numbers the messages of a connection, from 1. A handle that was made for one message makes no call for another.
using MessageNumber = std::uint64_t;
constexpr MessageNumber any_message = 0;

class Calls {
public:
    using Call = std::function<int(SMFICTX *)>;

    virtual ~Calls() = default;
    Calls(const Calls &) = delete;
    Calls &operator=(const Calls &) = delete;

    // Handlers run between enter() and leave(), and may call libmilter. leave() needs the GIL.
    void enter(Step step) noexcept { m_step.store(step, std::memory_order_relaxed); }
    void leave() noexcept;
    Step step() const noexcept { return m_step.load(std::memory_order_relaxed); }
    bool is_at(Step wanted) const noexcept { return step() == wanted; }

    // Calls libmilter. Needs the GIL; releases it while waiting for the mutex, and also during the call if that
    // `may_block`. Throws MilterError if libmilter refuses, or as check_usable() does.
    void call(const char *what, const Call &function, MessageNumber number, bool may_block = false);
    // Calls libmilter between two handlers. Called without the GIL. Returns false if libmilter refuses.
    bool call_unattached(const Call &function) noexcept;

    // These checks throw MilterError; `what` names the call in it. They need the GIL.
    //
    // The context of libmilter must still exist.
    void check_open(const char *what) const;
    // A callback must be running as well, and the message `number` must not have ended.
    void check_usable(const char *what, MessageNumber number) const;
    // The step must be `wanted` as well, and the process must not be a fork.
    void check_at(Step wanted, const char *what, MessageNumber number) const;

    // In a forked process: the connections belong to the parent, so nothing is sent over them.
    static void disown_all_in_child() noexcept;

protected:
    explicit Calls(SMFICTX *context) : m_context(context) {}

    // The name that errors use for the handler of a step.
    virtual const char *handler_name(Step step) const = 0;

    // The message under way, or the next one if there is none.
    MessageNumber current_message() const noexcept { return m_message.load(); }
    bool is_over(MessageNumber number) const noexcept { return number != any_message && number != m_message.load(); }
    void end_current_message() noexcept { m_message.fetch_add(1); }

    // Waits for any call that is being made; after that, none is possible. Needs the GIL.
    void end_calls() noexcept;

    // Runs `look(context)` while nobody else calls libmilter; `context` is null once the connection is closed. Needs
    // the GIL.
    template <typename Look>
    void locked(Look &&look) {
        alone([&] { look(m_context.load()); }, false);
    }
    // The same without the GIL.
    template <typename Look>
    void locked_unattached(Look &&look) {
        std::unique_lock<std::mutex> lock(m_mutex, std::defer_lock);
        if (!is_forked()) {
            lock.lock();
        }
        look(m_context.load());
    }

private:
    // Whether this process was forked from the filter. The mutex is of no use then: nobody else calls libmilter here,
    // and a thread of the parent may have held it during the fork.
    static bool is_forked() noexcept { return m_is_forked.load(std::memory_order_relaxed); }

    // Runs `work` while nobody else calls libmilter, without the GIL if that takes time. Needs the GIL.
    template <typename Work>
    void alone(Work &&work, bool may_block) {
        std::unique_lock<std::mutex> lock(m_mutex, std::defer_lock);
        if (is_forked() || (!may_block && lock.try_lock())) {
            work();
        } else {
            const Release release;
            const std::lock_guard<std::mutex> guard(m_mutex);
            work();
        }
    }

    // With the mutex held. Returns MI_FAILURE if the context is gone or the message is over.
    int locked_call(const Call &function, MessageNumber number) const;

    static inline std::atomic<bool> m_is_forked{false};
    std::mutex m_mutex;
    std::atomic<SMFICTX *> m_context;
    std::atomic<Step> m_step{Step::idle};
    std::atomic<MessageNumber> m_message{1};
};

}  // namespace pymilter
