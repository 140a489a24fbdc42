// How many connections each of the processes that serve one socket has, in memory that they share. Any thread, never
// with the GIL.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace pymilter {

struct Load {
    std::uint32_t open = 0;   // open connections
    std::uint32_t taken = 0;  // connections taken since the start, modulo 2^31
};

class Loads {
public:
    // The size of one slot in bytes: a cache line, so that processes do not slow each other down. A slot holds one
    // number of 64 bits, 0 if no process serves there. The supervisor clears the slot of a process that has died.
    static constexpr std::size_t slot_size = 64;

    // Maps all the memory behind `descriptor`, which the caller still has to close; `own` is the slot of this process.
    // Throws std::system_error, and std::invalid_argument if there is no such slot.
    Loads(int descriptor, std::size_t own);
    ~Loads();
    Loads(const Loads &) = delete;
    Loads &operator=(const Loads &) = delete;

    std::size_t size() const noexcept { return m_size; }
    std::size_t own() const noexcept { return m_own; }
    // Empty if no process serves in that slot.
    std::optional<Load> of(std::size_t slot) const noexcept;
    // Shows the others the load of this process.
    void publish(Load load) noexcept;
    // This process stops serving; from now on another process may have its slot.
    void clear_own() noexcept;

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
