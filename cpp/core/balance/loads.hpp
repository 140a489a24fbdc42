// What each of the processes that serve one socket has to do, in memory that they share. Any thread, never with the
// GIL.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace pymilter {

struct Load {
    std::uint32_t open = 0;   // connections that are open
    std::uint32_t taken = 0;  // connections that there have been, modulo 2^31
};

class Loads {
public:
    // Of one slot, in bytes: a cache line, so that processes do not slow each other. A slot is one number of 64 bits,
    // 0 where no process serves; whoever shares the memory out clears the slot of one that has died.
    static constexpr std::size_t slot_size = 64;

    // The whole memory behind `descriptor`, which stays the caller's; `own` is this process's slot. Throws
    // std::system_error, and std::invalid_argument when there is no such slot.
    Loads(int descriptor, std::size_t own);
    ~Loads();
    Loads(const Loads &) = delete;
    Loads &operator=(const Loads &) = delete;

    std::size_t size() const noexcept { return m_size; }
    std::size_t own() const noexcept { return m_own; }
    // Empty where no process serves.
    std::optional<Load> of(std::size_t slot) const noexcept;
    void tell(Load load) noexcept;
    // This process serves no more; its slot may be another's from now on.
    void leave() noexcept;

private:
    struct alignas(slot_size) Slot {
        std::atomic<std::uint64_t> value;
    };
    static_assert(sizeof(Slot) == slot_size && std::atomic<std::uint64_t>::is_always_lock_free);

    Slot *m_slots = nullptr;
    std::size_t m_size = 0;
    std::size_t m_own;
};

}  // namespace pymilter
