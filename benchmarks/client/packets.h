/* The packets of one message and of one connection, made once before the clock starts. */
#ifndef BENCH_PACKETS_H
#define BENCH_PACKETS_H

#include <stddef.h>

struct bytes {
    unsigned char *data;
    size_t size;
};

struct command {
    struct bytes bytes; /* a packet of macros, then the command's own */
    size_t macros;      /* bytes of the first */
};

struct script {
    struct command negotiate, connect, helo, mail, data, eoh, eom, abort, quit;
    struct command *recipients;
    size_t recipient_count;
    struct command *headers;
    size_t header_count;
    struct bytes body;        /* plain text: cut into chunks when sent */
    struct bytes body_macros; /* before each chunk */
};

void script_make(struct script *script, size_t recipients, size_t headers, size_t header_size, const char *body_file);
struct bytes read_file(const char *path);

#endif
