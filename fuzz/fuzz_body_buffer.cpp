// Fuzzes the gathering of bodies against the simplest model of it, a string: in memory, in mapped memory, in the file.
#include <memory>
#include <utility>
#include <vector>

#include "core/body_buffer.hpp"
#include "input.hpp"

namespace {

// From a few bytes to 4 MiB, each size as likely as its double.
std::size_t limit_of(fuzz::Input &input) {
    const std::size_t magnitude = std::size_t{1} << (input.number<std::uint8_t>() % 23);
    return input.number<std::uint32_t>() % magnitude;
}

pymilter::BodyLimits limits_of(fuzz::Input &input) {
    const std::size_t most = limit_of(input);
    return {most, limit_of(input)};
}

// Small ones byte for byte, large ones of one byte that is repeated.
std::string chunk_of(fuzz::Input &input, bool is_large) {
    if (!is_large) {
        return input.text(input.number<std::uint8_t>());
    }
    const std::size_t size = std::size_t{input.number<std::uint16_t>()} * 8;
    return std::string(size, static_cast<char>(input.number<std::uint8_t>()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using fuzz::expect;
    fuzz::Input input(data, size);
    const pymilter::BodyLimits limits = limits_of(input);
    pymilter::BodyBuffer buffer;
    std::string gathered;
    std::size_t taken = 0;
    std::vector<std::pair<std::shared_ptr<const pymilter::BodyBytes>, std::string>> pieces;
    for (int steps = 0; !input.empty() && steps < 50; ++steps) {
        const auto step = input.number<std::uint8_t>() % 8;
        if (step == 0) {
            pieces.emplace_back(buffer.take(), gathered);
        } else if (step == 1) {
            std::string copy(buffer.size(), '\0');
            buffer.take_into(copy.data());
            expect(copy == gathered);
        } else if (step == 2) {
            buffer.clear();
        } else {
            const std::string chunk = chunk_of(input, step > 5);
            const bool fits = taken + gathered.size() + chunk.size() <= limits.most;
            expect(buffer.append(reinterpret_cast<const unsigned char *>(chunk.data()), chunk.size(), limits) == fits);
            gathered = fits ? gathered + chunk : std::string{};
        }
        if (step < 3) {
            taken = step == 2 ? 0 : taken + gathered.size();
            gathered.clear();
        }
        expect(buffer.size() == gathered.size());
    }
    // What was handed over stays as it was, whatever the buffer did afterwards.
    for (const auto &[bytes, expected] : pieces) {
        expect(bytes->size == expected.size());
        expect(expected.empty() || std::memcmp(bytes->memory.data(), expected.data(), expected.size()) == 0);
    }
    return 0;
}
