// Runs one fuzz target on files, without libFuzzer: to look at a finding, and for the tests.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

int main(int count, char **names) {
    for (int index = 1; index < count; ++index) {
        std::cerr << names[index] << std::endl;
        std::ifstream file(names[index], std::ios::binary);
        const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size());
    }
    return 0;
}
