// Fuzzes the gathering of bodies against the simplest model of it, a string: in memory and in the file.
#include <memory>
#include <utility>
#include <vector>

#include "core/body/body_buffer.hpp"
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

class StringMemory : public pymilter::BodyMemory {
public:
    char *reserve(std::size_t size, std::size_t most) override {
        fuzz::expect(size <= most);
        if (size > m_text.size()) {
            m_text.resize(size);
        }
        return m_text.data();
    }
    void release() noexcept override { std::string().swap(m_text); }
    const std::string &text() const { return m_text; }

private:
    std::string m_text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using fuzz::expect;
    fuzz::Input input(data, size);
    const pymilter::BodyLimits limits = limits_of(input);
    StringMemory memory;
    pymilter::BodyBuffer buffer(memory);
    std::string gathered;
    std::size_t taken = 0;
    std::vector<std::pair<std::shared_ptr<const pymilter::MappedFile>, std::string>> pieces;
    for (int steps = 0; !input.empty() && steps < 50; ++steps) {
        const auto step = input.number<std::uint8_t>() % 8;
        if (step < 2 && !buffer.is_in_file()) {
            expect(memory.text().compare(0, buffer.size(), gathered) == 0);
            buffer.begin_piece();
        } else if (step == 0) {
            pieces.emplace_back(buffer.map(), gathered);
            buffer.begin_piece();
        } else if (step == 1) {
            std::string copy(buffer.size(), '\0');
            buffer.copy_file(copy.data());
            expect(copy == gathered);
            buffer.begin_piece();
        } else if (step == 2) {
            buffer.clear();
        } else {
            const std::string chunk = chunk_of(input, step > 5);
            const bool fits = taken + gathered.size() + chunk.size() <= limits.most;
            expect(buffer.append(reinterpret_cast<const unsigned char *>(chunk.data()), chunk.size(), limits) == fits);
            taken += fits ? 0 : gathered.size();
            gathered = fits ? gathered + chunk : std::string{};
        }
        if (step < 3) {
            taken = step == 2 ? 0 : taken + gathered.size();
            gathered.clear();
        }
        expect(buffer.size() == gathered.size());
    }
    // What was handed over stays as it was, whatever the buffer did afterwards.
    for (const auto &[file, expected] : pieces) {
        expect(std::string(file->data(), file->size()) == expected);
    }
    return 0;
}
