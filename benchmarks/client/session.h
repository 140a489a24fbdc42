/* One connection to a filter: sends the steps that were negotiated and checks every answer. Used by one thread at a time. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "packets.h"

struct target {
    struct sockaddr_storage address;
    socklen_t size;
    bool no_delay; /* TCP_NODELAY on our side: kinder than Postfix */
    bool each;     /* one write a command; else what is not answered waits in the stream's buffer, as in Postfix */
    size_t chunk;
};

struct expected {
    const char *verdicts;       /* letters of final answers that are right, e.g. "a" */
    const char *const *headers; /* names of added headers, in order */
    size_t header_count;
    struct bytes body; /* the replaced body; data is NULL when none is expected */
};

struct session {
    int fd;
    const struct script *script;
    const struct expected *expected;
    size_t chunk;
    bool each;
    unsigned char pending[131072]; /* not written yet */
    size_t pending_size, stream;   /* stream: how many bytes are held back at most */
    uint32_t protocol, actions;
    unsigned char *buffer; /* what was read and not yet parsed */
    size_t begin, end, room;
    size_t headers_seen, body_seen;
    char error[200];
};

void session_init(struct session *session, const struct script *script, const struct expected *expected);
void session_free(struct session *session);
/* Each returns false when something is wrong; then session->error says what. */
bool session_open(struct session *session, const struct target *target);
bool session_message(struct session *session);
bool session_flush(struct session *session); /* Writes what is held back. */
void session_close(struct session *session);

#endif
