// What may have the number 0, because a program has closed its stdin; what is read to the last byte and no further; and
// how the lines of a reply are handed to libmilter.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdarg>
#include <cstring>

#include "case.hpp"
#include "core/body/body_buffer.hpp"
#include "core/process/descriptors.hpp"
#include "core/process/signals.hpp"
#include "core/protocol/answer.hpp"
#include "core/protocol/socket_address.hpp"

using namespace pymilter;

namespace {

class NoMemory : public BodyMemory {
public:
    char *reserve(std::size_t, std::size_t) override { throw std::bad_alloc(); }
    void release() noexcept override {}
};

// A copy of the address that ends where readable memory ends.
template <typename Address>
const sockaddr *at_the_end_of_memory(const Address &address) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void *const memory = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HOLDS(memory != MAP_FAILED);
    char *const end = static_cast<char *>(memory) + page;
    HOLDS(::mprotect(end, page, PROT_NONE) == 0);
    return reinterpret_cast<const sockaddr *>(std::memcpy(end - sizeof address, &address, sizeof address));
}

template <typename Address>
void check_is_read_to_its_end(sa_family_t family) {
    Address address{};
    reinterpret_cast<sockaddr &>(address).sa_family = family;
    const sockaddr *const last = at_the_end_of_memory(address);
    EQUAL(copy_address(last).ss_family, family);
    EQUAL(to_socket_address(last).family, family);
}

std::string set;

void note_line(const char *line) { set += line == nullptr ? "|null" : std::string{"|"} + line; }

}  // namespace

extern "C" {

int smfi_setreply(SMFICTX *, char *code, char *xcode, char *line) {
    set = std::string{"one "} + code;
    note_line(xcode);
    note_line(line);
    return MI_FAILURE;
}

int smfi_setmlreply(SMFICTX *, const char *code, const char *xcode, ...) {
    set = std::string{"many "} + code;
    note_line(xcode);
    va_list lines;
    va_start(lines, xcode);
    for (const char *line = va_arg(lines, const char *); line != nullptr; line = va_arg(lines, const char *)) {
        note_line(line);
    }
    va_end(lines);
    return MI_SUCCESS;
}

}  // extern "C"

CASE(the_file_of_a_body_may_have_the_number_zero) {
    ::close(0);
    NoMemory memory;
    BodyBuffer buffer(memory);
    const std::string text = "0123";
    for (int count = 0; count < 2; ++count) {
        HOLDS(buffer.append(reinterpret_cast<const unsigned char *>(text.data()), text.size(), {100, 0}));
    }
    HOLDS(buffer.is_in_file());
    EQUAL(::lseek(0, 0, SEEK_CUR), 8);
    std::string copy(8, '?');
    buffer.copy_file(copy.data());
    EQUAL(copy, "01230123");
    buffer.clear();
    HOLDS(::fcntl(0, F_GETFD) < 0);
}

CASE(the_pipe_of_signals_may_have_the_number_zero) {
    const auto pipe = open_pipe();
    HOLDS(duplicate_to(pipe[1], 0));
    const SignalChain chain(0, false, false);
    ::raise(SIGTERM);
    unsigned char byte = 0;
    HOLDS(::read(pipe[0], &byte, 1) == 1 && byte == SIGTERM);
}

CASE(a_connection_may_have_the_number_zero) {
    ::close(0);
    const int socket = open_socket(AF_INET);
    EQUAL(socket, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    HOLDS(::bind(socket, reinterpret_cast<const sockaddr *>(&any), sizeof any) == 0 && ::listen(socket, 8) == 0);
    const SocketName name(socket);
    const int moved = ::fcntl(socket, F_DUPFD_CLOEXEC, 10);
    ::close(0);
    EQUAL(name.connect(), 0);
    EQUAL(name.connect() > 0, true);
    ::close(moved);
}

CASE(an_address_is_read_to_its_end_and_no_further) {
    check_is_read_to_its_end<sockaddr_in>(AF_INET);
    check_is_read_to_its_end<sockaddr_in6>(AF_INET6);
    check_is_read_to_its_end<sockaddr_un>(AF_UNIX);
    check_is_read_to_its_end<sockaddr>(77);
}

CASE(lines_of_a_reply_reach_libmilter_in_their_order) {
    EQUAL(send_reply(nullptr, {"550", "", {}}), MI_FAILURE);
    EQUAL(set, "one 550|null|null");
    EQUAL(send_reply(nullptr, {"451", "4.7.1", {"text"}}), MI_FAILURE);
    EQUAL(set, "one 451|4.7.1|text");
    std::vector<std::string> lines{"line 0"};
    std::string wanted = "many 550|5.7.1|line 0";
    for (int number = 1; number < 32; ++number) {
        lines.push_back("line " + std::to_string(number));
        wanted += "|line " + std::to_string(number);
        EQUAL(send_reply(nullptr, {"550", "5.7.1", lines}), MI_SUCCESS);
        EQUAL(set, wanted);
    }
    EQUAL(send_reply(nullptr, {"550", "", {"a", ""}}), MI_SUCCESS);
    EQUAL(set, "many 550|null|a|");
}
