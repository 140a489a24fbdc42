/* The packets of one message and of one connection, made once before the clock starts. */
#ifndef BENCH_PACKETS_H
#define BENCH_PACKETS_H

#include <stddef.h>

struct bytes {
    unsigned char *data;
    size_t size;
};

struct script {
    struct bytes negotiate, connect, helo, mail, data, eoh, eom, quit;
    struct bytes *recipients; /* one packet each */
    size_t recipient_count;
    struct bytes *headers; /* one packet each */
    size_t header_count;
    struct bytes body; /* plain text: cut into chunks when sent */
};

void script_make(struct script *script, size_t recipients, size_t headers, size_t header_size, const char *body_file);
struct bytes read_file(const char *path);

#endif
