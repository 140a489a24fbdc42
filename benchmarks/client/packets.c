/* The packets of one message and of one connection, made once before the clock starts. */
#include "packets.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("load: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

static void append(struct bytes *to, const void *from, size_t size)
{
    if (size == 0)
        return;
    to->data = must(realloc(to->data, to->size + size + 1));
    memcpy(to->data + to->size, from, size);
    to->size += size;
}

/* A packet is a length, a command letter and its data. Strings carry their NUL on the wire. */
static void append_packet(struct bytes *to, char command, const void *data, size_t size)
{
    unsigned char head[5];
    put32(head, (uint32_t)size + 1);
    head[4] = (unsigned char)command;
    append(to, head, sizeof head);
    append(to, data, size);
}

static void append_macros(struct bytes *to, char command, const char *const *macros)
{
    struct bytes values = {0};
    append(&values, &command, 1);
    for (size_t i = 0; macros[i] != NULL; i++)
        append(&values, macros[i], strlen(macros[i]) + 1);
    append_packet(to, 'D', values.data, values.size);
    free(values.data);
}

static struct command step(char letter, const void *data, size_t size, const char *const *macros)
{
    struct command command = {0};
    if (macros != NULL)
        append_macros(&command.bytes, letter, macros);
    command.macros = command.bytes.size;
    append_packet(&command.bytes, letter, data, size);
    return command;
}

struct bytes read_file(const char *path)
{
    struct bytes content = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    unsigned char buffer[65536];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        append(&content, buffer, got);
    fclose(file);
    return content;
}

static const char *const connect_macros[] = {"j", "mx.example.com", "{daemon_name}", "mx.example.com",
                                             "{daemon_addr}", "192.0.2.1", "v", "Postfix 3.7.11", NULL};
static const char *const no_macros[] = {NULL}; /* Postfix sends a packet without any for HELO */
static const char *const mail_macros[] = {"{mail_addr}", "sender@example.org", "{mail_host}", "example.org",
                                          "{mail_mailer}", "smtp", NULL};
static const char *const rcpt_macros[] = {"i", "4XYZabc123z", "{rcpt_addr}", "user@example.com",
                                          "{rcpt_host}", "example.com", "{rcpt_mailer}", "local", NULL};
static const char *const message_macros[] = {"i", "4XYZabc123z", NULL};

static const char *const header_names[] = {"Received", "From", "To", "Subject", "Date", "Message-Id", "MIME-Version",
                                           "Content-Type", "DKIM-Signature", "List-Id"};

void script_make(struct script *script, size_t recipients, size_t headers, size_t header_size, const char *body_file)
{
    static const char host[] = "client.example.net", address[] = "198.51.100.7";
    struct bytes text = {0};
    unsigned char flags[12];

    put32(flags, 6);
    put32(flags + 4, ALL_ACTIONS);
    put32(flags + 8, ALL_PROTOCOL);
    script->negotiate = step('O', flags, sizeof flags, NULL);

    append(&text, host, sizeof host);
    append(&text, "4", 1);
    append(&text, "\xC3\x51", 2); /* port 50001 */
    append(&text, address, sizeof address);
    script->connect = step('C', text.data, text.size, connect_macros);
    script->helo = step('H', host, sizeof host, no_macros);
    static const char mail[] = "<sender@example.org>\0SIZE=10240\0BODY=8BITMIME";
    script->mail = step('M', mail, sizeof mail, mail_macros);
    script->data = step('T', NULL, 0, message_macros);
    script->eoh = step('N', NULL, 0, message_macros);
    script->eom = step('E', NULL, 0, message_macros);
    script->abort = step('A', NULL, 0, NULL);
    script->quit = step('Q', NULL, 0, NULL);
    append_macros(&script->body_macros, 'B', message_macros);

    script->recipient_count = recipients;
    script->recipients = must(calloc(recipients + 1, sizeof *script->recipients));
    for (size_t i = 0; i < recipients; i++) {
        char recipient[64];
        int size = snprintf(recipient, sizeof recipient, "<user%zu@example.com>", i);
        script->recipients[i] = step('R', recipient, (size_t)size + 1, rcpt_macros);
    }

    script->header_count = headers;
    script->headers = must(calloc(headers + 1, sizeof *script->headers));
    for (size_t i = 0; i < headers; i++) {
        const char *name = header_names[i % (sizeof header_names / sizeof *header_names)];
        struct bytes header = {0};
        append(&header, name, strlen(name) + 1);
        for (size_t j = 0; j < header_size; j++)
            append(&header, &"value of a header field, as long as they are in mail; "[j % 54], 1);
        append(&header, "", 1);
        script->headers[i] = step('L', header.data, header.size, message_macros);
        free(header.data);
    }
    free(text.data);
    if (body_file != NULL)
        script->body = read_file(body_file);
}
