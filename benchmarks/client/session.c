/* One connection to a filter: sends the steps that were negotiated and checks every answer. Used by one thread at a time. */
#include "session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

enum { NOT_FINAL = 'c', SKIP = 's', FAILED = 0, ANSWER_TIMEOUT_SECONDS = 120 };

static char failed(struct session *session, const char *what, const char *detail)
{
    snprintf(session->error, sizeof session->error, "%s%s%s", what, detail != NULL ? ": " : "", detail != NULL ? detail : "");
    return FAILED;
}

static bool write_all(struct session *session, const struct iovec *first, const struct iovec *second)
{
    struct iovec both[2] = {*first, *second}, *parts = both;
    int count = 2;
    while (count > 0) {
        ssize_t sent = writev(session->fd, parts, count);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return failed(session, "write", strerror(errno));
        }
        while (count > 0 && (size_t)sent >= parts->iov_len) {
            sent -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + sent;
            parts->iov_len -= (size_t)sent;
        }
    }
    return true;
}

static bool write_with_pending(struct session *session, const void *data, size_t size)
{
    struct iovec pending = {session->pending, session->pending_size}, rest = {(void *)data, size};
    session->pending_size = 0;
    return pending.iov_len + rest.iov_len == 0 || write_all(session, &pending, &rest);
}

bool session_flush(struct session *session)
{
    return write_with_pending(session, NULL, 0);
}

/* Holds back, and writes buffer by buffer what does not fit: the writes that Postfix's streams were seen to make. */
static bool hold(struct session *session, const void *data, size_t size)
{
    const unsigned char *from = data;
    while (session->pending_size + size >= session->stream) {
        size_t part = session->stream - session->pending_size;
        if (!write_with_pending(session, from, part))
            return false;
        from += part;
        size -= part;
    }
    memcpy(session->pending + session->pending_size, from, size);
    session->pending_size += size;
    return true;
}

/* The next packet, still in the buffer: its letter, and data of *size bytes. */
static char receive(struct session *session, const unsigned char **data, size_t *size)
{
    for (;;) {
        size_t have = session->end - session->begin;
        unsigned char *from = session->buffer + session->begin;
        if (have >= 5) {
            size_t length = get32(from);
            if (length == 0 || length + 4 > session->room)
                return failed(session, "answer with an impossible length", NULL);
            if (have >= length + 4) {
                session->begin += length + 4;
                *data = from + 5;
                *size = length - 1;
                return (char)from[4];
            }
        }
        if (session->begin > 0) {
            memmove(session->buffer, from, have);
            session->begin = 0;
            session->end = have;
        }
        ssize_t got = read(session->fd, session->buffer + session->end, session->room - session->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(session, "read", strerror(errno));
        if (got == 0)
            return failed(session, "the filter closed the connection", NULL);
        session->end += (size_t)got;
    }
}

static bool check_added_header(struct session *session, const unsigned char *data, size_t size)
{
    const struct expected *expected = session->expected;
    if (memchr(data, '\0', size) == NULL || data[size - 1] != '\0')
        return failed(session, "added header is not two strings", NULL);
    if (session->headers_seen >= expected->header_count)
        return failed(session, "unexpected added header", (const char *)data);
    if (strcmp((const char *)data, expected->headers[session->headers_seen]) != 0)
        return failed(session, "wrong added header", (const char *)data);
    session->headers_seen++;
    return true;
}

static bool check_body(struct session *session, const unsigned char *data, size_t size)
{
    const struct bytes *body = &session->expected->body;
    if (session->body_seen + size > body->size)
        return failed(session, "replaced body is longer than expected", NULL);
    if (memcmp(body->data + session->body_seen, data, size) != 0)
        return failed(session, "replaced body differs from the expected one", NULL);
    session->body_seen += size;
    return true;
}

/* Reads to the answer of a step; edits and progress may come before it only at the end of the message. */
static char answer(struct session *session, bool at_eom)
{
    const unsigned char *data;
    size_t size;
    for (;;) {
        char letter = receive(session, &data, &size);
        char name[2] = {letter, '\0'};
        switch (letter) {
        case FAILED:
        case 'c':
        case 'a':
        case 'r':
        case 't':
        case 'd':
        case 'y':
            return letter;
        case 's':
            return session->protocol & CAN_SKIP ? SKIP : failed(session, "skip without having been negotiated", NULL);
        case 'p':
        case 'h':
        case 'b':
            if (!at_eom)
                return failed(session, "edit before the end of the message", name);
            if (letter == 'h' && !check_added_header(session, data, size))
                return FAILED;
            if (letter == 'b' && !check_body(session, data, size))
                return FAILED;
            break;
        default:
            return failed(session, "unexpected answer", name);
        }
    }
}

static bool send_command(struct session *session, const struct command *command, bool now)
{
    if (session->each && now)
        return write_with_pending(session, command->bytes.data, command->bytes.size);
    return hold(session, command->bytes.data, command->bytes.size) && (!now || session_flush(session));
}

static char step(struct session *session, const struct command *command, uint32_t not_wanted, uint32_t no_reply)
{
    /* Postfix hands over from smtpd to cleanup after DATA, and writes all that it held back. */
    bool hands_over = not_wanted == NO_DATA, mute = (session->protocol & no_reply) != 0;
    if (session->protocol & not_wanted) {
        /* The macros of a step that is not sent go out all the same. Only cleanup, past DATA, leaves them out. */
        if (not_wanted & (NO_HEADER | NO_EOH))
            return NOT_FINAL;
        if (!hold(session, command->bytes.data, command->macros) || (hands_over && !session_flush(session)))
            return FAILED;
        return NOT_FINAL;
    }
    if (!send_command(session, command, session->each || hands_over || !mute))
        return FAILED;
    return mute ? NOT_FINAL : answer(session, false);
}

static bool send_chunk(struct session *session, const unsigned char *chunk, size_t size, bool now)
{
    const struct bytes *macros = &session->script->body_macros;
    unsigned char head[5];
    put32(head, (uint32_t)size + 1);
    head[4] = 'B';
    if (!hold(session, macros->data, macros->size) || !hold(session, head, sizeof head))
        return false;
    if (session->each)
        return write_with_pending(session, chunk, size);
    return hold(session, chunk, size) && (!now || session_flush(session));
}

static char send_body(struct session *session)
{
    const struct bytes *body = &session->script->body;
    if (session->protocol & NO_BODY)
        return NOT_FINAL;
    for (size_t at = 0; at < body->size;) {
        size_t size = body->size - at < session->chunk ? body->size - at : session->chunk;
        bool mute = (session->protocol & NR_BODY) != 0;
        if (!send_chunk(session, body->data + at, size, !mute))
            return FAILED;
        at += size;
        if (mute)
            continue;
        char letter = answer(session, false);
        if (letter == SKIP)
            break;
        if (letter != NOT_FINAL)
            return letter;
    }
    return NOT_FINAL;
}

static char transaction(struct session *session)
{
    const struct script *script = session->script;
    char letter = step(session, &script->mail, NO_MAIL, NR_MAIL);
    for (size_t i = 0; letter == NOT_FINAL && i < script->recipient_count; i++)
        letter = step(session, &script->recipients[i], NO_RCPT, NR_RCPT);
    if (letter == NOT_FINAL)
        letter = step(session, &script->data, NO_DATA, NR_DATA);
    for (size_t i = 0; letter == NOT_FINAL && i < script->header_count; i++)
        letter = step(session, &script->headers[i], NO_HEADER, NR_HEADER);
    if (letter == NOT_FINAL)
        letter = step(session, &script->eoh, NO_EOH, NR_EOH);
    if (letter == NOT_FINAL)
        letter = send_body(session);
    if (letter != NOT_FINAL)
        return letter;
    return send_command(session, &script->eom, true) ? answer(session, true) : FAILED;
}

bool session_message(struct session *session)
{
    const struct expected *expected = session->expected;
    session->headers_seen = session->body_seen = 0;
    char letter = transaction(session);
    /* Postfix ends every transaction with an abort, which waits for the next write. */
    if (letter == FAILED || !hold(session, session->script->abort.bytes.data, session->script->abort.bytes.size))
        return false;
    char got[2] = {letter, '\0'};
    if (strchr(expected->verdicts, letter) == NULL)
        return failed(session, "wrong verdict", got);
    if (session->headers_seen != expected->header_count)
        return failed(session, "an expected header was not added", NULL);
    if (session->body_seen != expected->body.size)
        return failed(session, "the replaced body is shorter than expected", NULL);
    return true;
}

static bool negotiate(struct session *session)
{
    const unsigned char *data;
    size_t size;
    if (!send_command(session, &session->script->negotiate, true))
        return false;
    char letter = receive(session, &data, &size);
    if (letter == FAILED)
        return false;
    if (letter != 'O' || size < 12)
        return failed(session, "negotiation was not answered with options", NULL);
    session->actions = get32(data + 4);
    session->protocol = get32(data + 8);
    if (session->actions & ~ALL_ACTIONS)
        return failed(session, "the filter asks for actions that were not offered", NULL);
    if (session->protocol & ~ALL_PROTOCOL)
        return failed(session, "the filter asks for protocol steps that were not offered", NULL);
    if (session->expected->header_count > 0 && !(session->actions & 0x1))
        return failed(session, "headers are to be added, but ADDHDRS was not asked for", NULL);
    return true;
}

bool session_open(struct session *session, const struct target *target)
{
    int on = 1;
    struct timeval patience = {.tv_sec = ANSWER_TIMEOUT_SECONDS};
    session->begin = session->end = 0;
    session->pending_size = 0;
    session->chunk = target->chunk;
    session->each = target->each;
    session->stream = target->address.ss_family == AF_UNIX ? 4096 : sizeof session->pending;
    session->fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (session->fd < 0)
        return failed(session, "socket", strerror(errno));
    if (target->no_delay && target->address.ss_family == AF_INET)
        setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(session->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(session->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    while (connect(session->fd, (const struct sockaddr *)&target->address, target->size) != 0)
        if (errno != EINTR)
            return failed(session, "connect", strerror(errno));
    if (!negotiate(session))
        return false;
    char letter = step(session, &session->script->connect, NO_CONNECT, NR_CONNECT);
    if (letter == NOT_FINAL)
        letter = step(session, &session->script->helo, NO_HELO, NR_HELO);
    if (letter != NOT_FINAL && letter != FAILED)
        return failed(session, "the connection got a final verdict", NULL);
    return letter == NOT_FINAL;
}

void session_close(struct session *session)
{
    if (session->fd < 0)
        return;
    hold(session, session->script->abort.bytes.data, session->script->abort.bytes.size);
    send_command(session, &session->script->quit, true);
    close(session->fd);
    session->fd = -1;
}

void session_init(struct session *session, const struct script *script, const struct expected *expected)
{
    memset(session, 0, sizeof *session);
    session->fd = -1;
    session->script = script;
    session->expected = expected;
    /* The longest answer is a body chunk; without MDS it has at most 65535 bytes. Some peers send 1 MiB at once. */
    session->room = (expected->body.size > 65536 ? expected->body.size : 65536) + 65536;
    session->buffer = malloc(session->room);
    if (session->buffer == NULL) {
        fputs("load: out of memory\n", stderr);
        exit(2);
    }
}

void session_free(struct session *session)
{
    free(session->buffer);
}
