// Fuzzes the gathering of bodies against the simplest model of it, a string, in memory and in the file.
#include <vector>

#include "core/body_buffer.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using fuzz::expect;
    fuzz::Input input(data, size);
    const pymilter::BodyLimits limits{input.number<std::uint16_t>(), input.number<std::uint8_t>()};
    pymilter::BodyBuffer buffer;
    std::string gathered;
    std::size_t taken = 0;
    std::vector<std::pair<std::shared_ptr<const pymilter::BodyBytes>, std::string>> pieces;
    while (!input.empty()) {
        switch (input.number<std::uint8_t>() % 8) {
        case 0: {
            const auto bytes = buffer.take();
            pieces.emplace_back(bytes, gathered);
            taken += gathered.size();
            gathered.clear();
            break;
        }
        case 1:
            buffer.clear();
            gathered.clear();
            taken = 0;
            break;
        default: {
            const std::string chunk = input.text(input.number<std::uint8_t>());
            const bool fits = taken + gathered.size() + chunk.size() <= limits.most;
            expect(buffer.append(reinterpret_cast<const unsigned char *>(chunk.data()), chunk.size(), limits) == fits);
            gathered = fits ? gathered + chunk : std::string{};
        }
        }
        expect(buffer.size() == gathered.size());
    }
    // What was handed over stays as it was, whatever the buffer did afterwards.
    for (const auto &[bytes, expected] : pieces) {
        expect(bytes->size() == expected.size());
        expect(expected.empty() || std::memcmp(bytes->data(), expected.data(), expected.size()) == 0);
    }
    return 0;
}
