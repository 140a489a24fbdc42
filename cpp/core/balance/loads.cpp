// How many connections each of the processes that serve one socket has, in memory that they share.
#include "core/balance/loads.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace pymilter {

namespace {

constexpr std::uint64_t serves_bit = std::uint64_t{1} << 63;
constexpr std::uint32_t taken_bits = 0x7FFFFFFF;

}  // namespace

Loads::Loads(int descriptor, std::size_t own) : m_own(own) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot read the size of the shared memory");
    }
    m_size = static_cast<std::size_t>(status.st_size) / slot_size;
    if (own >= m_size) {
        throw std::invalid_argument("slot " + std::to_string(own) + ": the shared memory has " +
                                    std::to_string(m_size));
    }
    void *const memory = ::mmap(nullptr, m_size * slot_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "cannot map the shared memory");
    }
    m_slots = static_cast<Slot *>(memory);
}

Loads::~Loads() { ::munmap(m_slots, m_size * slot_size); }

std::optional<Load> Loads::of(std::size_t slot) const noexcept {
    const std::uint64_t value = m_slots[slot].value.load(std::memory_order_relaxed);
    if ((value & serves_bit) == 0) {
        return std::nullopt;
    }
    return Load{static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32) & taken_bits};
}

void Loads::publish(Load load) noexcept {
    const std::uint64_t taken = load.taken & taken_bits;
    m_slots[m_own].value.store(serves_bit | (taken << 32) | load.open, std::memory_order_relaxed);
}

void Loads::clear_own() noexcept { m_slots[m_own].value.store(0, std::memory_order_relaxed); }

}  // namespace pymilter
