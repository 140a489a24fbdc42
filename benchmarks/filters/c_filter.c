/* The bare C filter: the floor that every binding is measured against.
 *
 * c_filter MODE SOCKET [--noreply] [--cures] [--headers N] [--recipients N] [--size N] [--body FILE] [--replacement FILE]
 * MODE: nothing | all | body | gather | message | edits | compute | boundary. The Python filters beside it do the same in the same modes.
 * --noreply  negotiates NR_* for every step that gives no verdict
 * --cures    what libmilter leaves undone on TCP: TCP_NODELAY from the listener on, TCP_QUICKACK set again in each callback
 * --body     compares the gathered body with this file in whole; else its length is checked
 */
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <libmilter/mfapi.h>

struct state {
    size_t headers, recipients, size;
    unsigned char *body;
    size_t room;
    char *text; /* envelope and header, one string after another */
    size_t text_size, text_room;
};

static int no_reply, cures;
static size_t want_headers, want_recipients, want_size;
static unsigned char *want_body, *replacement;
static size_t replacement_size;
static int (*at_eom)(SMFICTX *, struct state *);

/* ctx_sd is the second field of libmilter's context, behind a pthread_t. Good enough for a benchmark, checked once at negotiation. */
static int descriptor(SMFICTX *ctx)
{
    return *(int *)((char *)ctx + sizeof(pthread_t));
}

static sfsistat go_on(SMFICTX *ctx)
{
    int on = 1;
    if (cures)
        setsockopt(descriptor(ctx), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    return no_reply ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static struct state *state_of(SMFICTX *ctx)
{
    struct state *state = smfi_getpriv(ctx);
    if (state == NULL) {
        state = calloc(1, sizeof *state);
        if (state == NULL)
            abort();
        smfi_setpriv(ctx, state);
    }
    return state;
}

/* 100 µs of this thread's own processor time, so that waiting for a core does not count as work. */
static void compute(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    long long end = time.tv_sec * 1000000000ll + time.tv_nsec + 100000;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    while (time.tv_sec * 1000000000ll + time.tv_nsec < end);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    (void)host, (void)address;
    state_of(ctx);
    return go_on(ctx);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    (void)name;
    return go_on(ctx);
}

static sfsistat on_envfrom(SMFICTX *ctx, char **arguments)
{
    (void)arguments;
    struct state *state = state_of(ctx);
    state->headers = state->recipients = state->size = 0;
    return go_on(ctx);
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **arguments)
{
    (void)arguments;
    state_of(ctx)->recipients++;
    return go_on(ctx);
}

static sfsistat on_data(SMFICTX *ctx)
{
    return go_on(ctx);
}

/* Postfix writes the macros of DATA by themselves when it is not to send DATA, and that write is to be acknowledged at once, too. */
static sfsistat on_data_to_acknowledge(SMFICTX *ctx)
{
    go_on(ctx);
    return SMFIS_NOREPLY;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)name, (void)value;
    state_of(ctx)->headers++;
    return go_on(ctx);
}

static sfsistat on_header_only(SMFICTX *ctx, char *name, char *value)
{
    (void)name, (void)value;
    return go_on(ctx);
}

static void keep(struct state *state, const char *text)
{
    size_t size = strlen(text) + 1;
    if (state->text_size + size > state->text_room) {
        state->text_room = (state->text_size + size) * 2;
        state->text = realloc(state->text, state->text_room);
        if (state->text == NULL)
            abort();
    }
    memcpy(state->text + state->text_size, text, size);
    state->text_size += size;
}

static sfsistat on_envfrom_keep(SMFICTX *ctx, char **arguments)
{
    for (; *arguments != NULL; arguments++)
        keep(state_of(ctx), *arguments);
    return go_on(ctx);
}

static sfsistat on_envrcpt_keep(SMFICTX *ctx, char **arguments)
{
    state_of(ctx)->recipients++;
    return on_envfrom_keep(ctx, arguments);
}

static sfsistat on_header_keep(SMFICTX *ctx, char *name, char *value)
{
    keep(state_of(ctx), name);
    keep(state_of(ctx), value);
    return on_header(ctx, name, value);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t size)
{
    (void)chunk;
    state_of(ctx)->size += size;
    return go_on(ctx);
}

static sfsistat on_body_gather(SMFICTX *ctx, unsigned char *chunk, size_t size)
{
    struct state *state = state_of(ctx);
    if (state->size + size > state->room) {
        state->room = (state->size + size) * 2;
        state->body = realloc(state->body, state->room);
        if (state->body == NULL)
            abort();
    }
    memcpy(state->body + state->size, chunk, size);
    state->size += size;
    return go_on(ctx);
}

static sfsistat on_envfrom_compute(SMFICTX *ctx, char **arguments)
{
    (void)arguments;
    compute();
    return go_on(ctx);
}

static sfsistat on_header_compute(SMFICTX *ctx, char *name, char *value)
{
    (void)name, (void)value;
    compute();
    return go_on(ctx);
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct state *state = state_of(ctx);
    int right = at_eom(ctx, state);
    state->headers = state->recipients = state->size = state->text_size = 0;
    go_on(ctx);
    return right ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct state *state = smfi_getpriv(ctx);
    if (state != NULL) {
        free(state->body);
        free(state->text);
        free(state);
        smfi_setpriv(ctx, NULL);
    }
    return SMFIS_CONTINUE;
}

static int check_all(SMFICTX *ctx, struct state *state)
{
    (void)ctx;
    return state->headers == want_headers && state->recipients == want_recipients && state->size == want_size;
}

static int check_size(SMFICTX *ctx, struct state *state)
{
    (void)ctx;
    return state->size == want_size;
}

static int check_body(SMFICTX *ctx, struct state *state)
{
    (void)ctx;
    int right = state->size == want_size && (want_body == NULL || memcmp(state->body, want_body, want_size) == 0);
    free(state->body); /* as a program that keeps nothing beyond the message */
    state->body = NULL;
    state->room = 0;
    return right;
}

static int check_message(SMFICTX *ctx, struct state *state)
{
    int right = state->headers == want_headers && state->recipients == want_recipients;
    return check_body(ctx, state) && right;
}

static int edit(SMFICTX *ctx, struct state *state)
{
    (void)state;
    return smfi_addheader(ctx, "X-Bench-One", "first value") == MI_SUCCESS &&
           smfi_addheader(ctx, "X-Bench-Two", "second value") == MI_SUCCESS &&
           smfi_replacebody(ctx, replacement, (int)replacement_size) == MI_SUCCESS;
}

static int compute_at_eom(SMFICTX *ctx, struct state *state)
{
    (void)ctx, (void)state;
    compute();
    return 1;
}

static int nothing_at_eom(SMFICTX *ctx, struct state *state)
{
    (void)ctx, (void)state;
    return 1;
}

static struct smfiDesc description = {.xxfi_name = "bench", .xxfi_version = SMFI_VERSION, .xxfi_close = on_close};

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered, unsigned long unused2, unsigned long unused3,
                             unsigned long *actions, unsigned long *protocol, unsigned long *out2, unsigned long *out3)
{
    (void)offered_actions, (void)unused2, (void)unused3;
    static const struct { unsigned long not_wanted, no_reply; } steps[] = {
        {SMFIP_NOCONNECT, SMFIP_NR_CONN}, {SMFIP_NOHELO, SMFIP_NR_HELO}, {SMFIP_NOMAIL, SMFIP_NR_MAIL}, {SMFIP_NORCPT, SMFIP_NR_RCPT},
        {SMFIP_NODATA, SMFIP_NR_DATA}, {SMFIP_NOHDRS, SMFIP_NR_HDR}, {SMFIP_NOEOH, SMFIP_NR_EOH}, {SMFIP_NOBODY, SMFIP_NR_BODY}};
    const int wanted[] = {description.xxfi_connect != NULL, description.xxfi_helo != NULL, description.xxfi_envfrom != NULL,
                          description.xxfi_envrcpt != NULL, description.xxfi_data != NULL, description.xxfi_header != NULL,
                          description.xxfi_eoh != NULL, description.xxfi_body != NULL};
    unsigned long mask = SMFIP_NOUNKNOWN;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].not_wanted == SMFIP_NODATA && description.xxfi_data == on_data_to_acknowledge)
            mask |= SMFIP_NR_DATA;
        else
            mask |= !wanted[i] ? steps[i].not_wanted : no_reply ? steps[i].no_reply : 0;
    *actions = description.xxfi_flags;
    *protocol = mask & offered;
    *out2 = *out3 = 0;
    go_on(ctx);
    return SMFIS_CONTINUE;
}

static unsigned char *read_file(const char *path, size_t *size)
{
    struct stat about;
    FILE *file = fopen(path, "rb");
    unsigned char *content;
    if (file == NULL || fstat(fileno(file), &about) != 0 || (content = malloc((size_t)about.st_size + 1)) == NULL ||
        fread(content, 1, (size_t)about.st_size, file) != (size_t)about.st_size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    *size = (size_t)about.st_size;
    return content;
}

static int set_mode(const char *mode)
{
    if (strcmp(mode, "nothing") == 0)
        return 1;
    description.xxfi_eom = on_eom;
    at_eom = nothing_at_eom;
    if (strcmp(mode, "all") == 0) {
        description.xxfi_connect = on_connect;
        description.xxfi_helo = on_helo;
        description.xxfi_envfrom = on_envfrom;
        description.xxfi_envrcpt = on_envrcpt;
        description.xxfi_data = on_data;
        description.xxfi_header = on_header;
        description.xxfi_eoh = on_data;
        description.xxfi_body = on_body;
        at_eom = check_all;
    } else if (strcmp(mode, "body") == 0) {
        description.xxfi_body = on_body;
        at_eom = check_size;
    } else if (strcmp(mode, "gather") == 0) {
        description.xxfi_body = on_body_gather;
        at_eom = check_body;
    } else if (strcmp(mode, "message") == 0) {
        description.xxfi_connect = on_connect;
        description.xxfi_helo = on_helo;
        description.xxfi_envfrom = on_envfrom_keep;
        description.xxfi_envrcpt = on_envrcpt_keep;
        description.xxfi_header = on_header_keep;
        description.xxfi_body = on_body_gather;
        at_eom = check_message;
    } else if (strcmp(mode, "edits") == 0) {
        description.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGBODY;
        at_eom = edit;
    } else if (strcmp(mode, "compute") == 0) {
        description.xxfi_envfrom = on_envfrom_compute;
        description.xxfi_header = on_header_compute;
        at_eom = compute_at_eom;
    } else if (strcmp(mode, "boundary") == 0) {
        description.xxfi_header = on_header_only;
    } else {
        return 0;
    }
    return 1;
}

/* Accepted connections inherit TCP_NODELAY from the listener, which libmilter does not hand out: look for it. */
static void cure_listener(void)
{
    int on = 1;
    for (int fd = 3; fd < 64; fd++) {
        int listening = 0;
        socklen_t size = sizeof listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

enum { NOREPLY = 1, CURES, HEADERS, RECIPIENTS, SIZE, BODY, REPLACEMENT, VERSION };

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"noreply", no_argument, NULL, NOREPLY}, {"cures", no_argument, NULL, CURES}, {"headers", required_argument, NULL, HEADERS},
        {"recipients", required_argument, NULL, RECIPIENTS}, {"size", required_argument, NULL, SIZE}, {"body", required_argument, NULL, BODY},
        {"replacement", required_argument, NULL, REPLACEMENT}, {"version", no_argument, NULL, VERSION}, {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        size_t size;
        unsigned int major, minor, patch;
        switch (option) {
        case NOREPLY: no_reply = 1; break;
        case CURES: cures = 1; break;
        case HEADERS: want_headers = strtoull(optarg, NULL, 10); break;
        case RECIPIENTS: want_recipients = strtoull(optarg, NULL, 10); break;
        case SIZE: want_size = strtoull(optarg, NULL, 10); break;
        case BODY: want_body = read_file(optarg, &size); break;
        case REPLACEMENT: replacement = read_file(optarg, &replacement_size); break;
        case VERSION:
            smfi_version(&major, &minor, &patch);
            printf("%u.%u.%u\n", major, minor, patch);
            return 0;
        default: return 2;
        }
    }
    if (argc - optind != 2 || !set_mode(argv[optind])) {
        fputs("usage: c_filter MODE SOCKET [options]\n", stderr);
        return 2;
    }
    if (no_reply || cures)
        description.xxfi_negotiate = on_negotiate;
    if (cures && strncmp(argv[optind + 1], "inet:", 5) != 0)
        cures = 0;
    if (cures && description.xxfi_data == NULL)
        description.xxfi_data = on_data_to_acknowledge;
    if (smfi_setconn(argv[optind + 1]) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS) {
        fputs("c_filter: cannot register or listen\n", stderr);
        return 1;
    }
    if (cures)
        cure_listener();
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
