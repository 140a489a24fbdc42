/* The load client: N connections that behave as Postfix does towards a filter, for a time or a number of messages; JSON on stdout. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>

#include "session.h"

struct settings {
    struct target target;
    struct expected expected;
    size_t connections, messages_per_connection, idle;
    unsigned long long messages; /* 0: until the time is over */
    double seconds;
    int pause; /* wait for a line on stdin while the idle connections are open */
};

struct worker {
    pthread_t thread;
    struct session session;
    unsigned long long *latencies; /* ns */
    size_t count, room, connections;
    int failed;
};

static struct script script;
static struct settings settings = {
    .connections = 1, .messages_per_connection = 1, .seconds = 1.0, .target = {.chunk = 65535}, .expected = {.verdicts = "ca"}};
static const char *expected_headers[16];
static atomic_ullong messages_begun;
static atomic_int stop_all;
static unsigned long long deadline;

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * 1000000000ull + (unsigned long long)time.tv_nsec;
}

static int may_begin(void)
{
    if (atomic_load(&stop_all))
        return 0;
    if (settings.messages > 0)
        return atomic_fetch_add(&messages_begun, 1) < settings.messages;
    return now() < deadline;
}

static void note_latency(struct worker *worker, unsigned long long value)
{
    if (worker->count == worker->room) {
        worker->room = worker->room == 0 ? 65536 : worker->room * 2;
        worker->latencies = realloc(worker->latencies, worker->room * sizeof *worker->latencies);
        if (worker->latencies == NULL) {
            fputs("load: out of memory\n", stderr);
            exit(2);
        }
    }
    worker->latencies[worker->count++] = value;
}

/* The latency of a message goes from MAIL, or from connect(2) for the first of a connection, to the final verdict. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct session *session = &worker->session;
    int open = 0;
    size_t on_this = 0;
    while (may_begin()) {
        unsigned long long begin = now();
        if (!open) {
            if (!session_open(session, &settings.target))
                goto wrong;
            open = 1;
            on_this = 0;
            worker->connections++;
        }
        if (!session_message(session))
            goto wrong;
        note_latency(worker, now() - begin);
        if (++on_this == settings.messages_per_connection) {
            session_close(session);
            open = 0;
        }
    }
    if (open)
        session_close(session);
    return NULL;
wrong:
    fprintf(stderr, "load: message %zu: %s\n", worker->count + 1, session->error);
    worker->failed = 1;
    atomic_store(&stop_all, 1);
    return NULL;
}

static int by_value(const void *left, const void *right)
{
    unsigned long long a = *(const unsigned long long *)left, b = *(const unsigned long long *)right;
    return (a > b) - (a < b);
}

static double percentile(const unsigned long long *sorted, size_t count, double part)
{
    size_t at = (size_t)(part * (double)count);
    return count == 0 ? 0.0 : (double)sorted[at < count ? at : count - 1] / 1e6;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(struct worker *workers, double seconds, double cpu)
{
    struct worker all = {0};
    size_t connections = 0;
    for (size_t i = 0; i < settings.connections; i++) {
        for (size_t j = 0; j < workers[i].count; j++)
            note_latency(&all, workers[i].latencies[j]);
        connections += workers[i].connections;
    }
    if (all.count > 0)
        qsort(all.latencies, all.count, sizeof *all.latencies, by_value);
    double bytes = workers[0].session.protocol & 0x10 ? 0.0 : (double)all.count * (double)script.body.size;
    printf("{\"messages\": %zu, \"connections\": %zu, \"seconds\": %.6f, \"messages_per_second\": %.3f, \"mb_per_second\": %.3f, "
           "\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f, \"client_cpu_seconds\": %.6f, \"protocol\": %u, \"actions\": %u}\n",
           all.count, connections, seconds, (double)all.count / seconds, bytes / seconds / 1e6,
           percentile(all.latencies, all.count, 0.50), percentile(all.latencies, all.count, 0.99),
           percentile(all.latencies, all.count, 1.0), cpu, workers[0].session.protocol, workers[0].session.actions);
}

static int usage(const char *why)
{
    fprintf(stderr,
            "load: %s\n"
            "usage: load (--unix PATH | --tcp ADDRESS:PORT) [--connections N] [--messages-per-connection N]\n"
            "            [--seconds S | --messages N] [--recipients N] [--headers N] [--header-size N]\n"
            "            [--body FILE] [--chunk N] [--nodelay] [--each] [--idle N] [--pause]\n"
            "            [--expect LETTERS] [--expect-header NAME]... [--expect-body FILE]\n",
            why);
    return 2;
}

static int set_unix(const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&settings.target.address;
    if (strlen(path) >= sizeof address->sun_path)
        return 0;
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, path);
    settings.target.size = sizeof *address;
    return 1;
}

static int set_tcp(const char *text)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&settings.target.address;
    const char *colon = strrchr(text, ':');
    char host[64];
    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return 0;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    address->sin_family = AF_INET;
    address->sin_port = htons((unsigned short)atoi(colon + 1));
    settings.target.size = sizeof *address;
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static struct session *open_idle(void)
{
    struct session *idle = calloc(settings.idle, sizeof *idle);
    if (idle == NULL)
        exit(usage("out of memory"));
    for (size_t i = 0; i < settings.idle; i++) {
        session_init(&idle[i], &script, &settings.expected);
        if (!session_open(&idle[i], &settings.target) || !session_flush(&idle[i])) {
            fprintf(stderr, "load: idle connection %zu: %s\n", i + 1, idle[i].error);
            exit(1);
        }
        session_free(&idle[i]); /* nothing is read from it any more */
        idle[i].buffer = NULL;
    }
    return idle;
}

/* Tells the harness that the idle connections stand, and lets it look at the filter's memory. */
static void wait_for_harness(void)
{
    printf("{\"idle\": %zu}\n", settings.idle);
    fflush(stdout);
    int letter;
    while ((letter = getchar()) != '\n' && letter != EOF)
        ;
}

enum { UNIX = 1, TCP, CONNECTIONS, PER_CONNECTION, SECONDS, MESSAGES, RECIPIENTS, HEADERS, HEADER_SIZE, BODY, CHUNK, NODELAY, EACH, IDLE, PAUSE,
       EXPECT, EXPECT_HEADER, EXPECT_BODY };

static const struct option options[] = {
    {"unix", required_argument, NULL, UNIX}, {"tcp", required_argument, NULL, TCP},
    {"connections", required_argument, NULL, CONNECTIONS}, {"messages-per-connection", required_argument, NULL, PER_CONNECTION},
    {"seconds", required_argument, NULL, SECONDS}, {"messages", required_argument, NULL, MESSAGES},
    {"recipients", required_argument, NULL, RECIPIENTS}, {"headers", required_argument, NULL, HEADERS},
    {"header-size", required_argument, NULL, HEADER_SIZE}, {"body", required_argument, NULL, BODY},
    {"chunk", required_argument, NULL, CHUNK}, {"nodelay", no_argument, NULL, NODELAY}, {"each", no_argument, NULL, EACH}, {"idle", required_argument, NULL, IDLE},
    {"pause", no_argument, NULL, PAUSE}, {"expect", required_argument, NULL, EXPECT},
    {"expect-header", required_argument, NULL, EXPECT_HEADER}, {"expect-body", required_argument, NULL, EXPECT_BODY}, {0}};

int main(int argc, char **argv)
{
    size_t recipients = 1, headers = 20, header_size = 60;
    const char *body = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        size_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (option) {
        case UNIX: if (!set_unix(optarg)) return usage("path too long"); break;
        case TCP: if (!set_tcp(optarg)) return usage("--tcp takes ADDRESS:PORT, IPv4"); break;
        case CONNECTIONS: settings.connections = number; break;
        case PER_CONNECTION: settings.messages_per_connection = number; break;
        case SECONDS: settings.seconds = atof(optarg); break;
        case MESSAGES: settings.messages = number; break;
        case RECIPIENTS: recipients = number; break;
        case HEADERS: headers = number; break;
        case HEADER_SIZE: header_size = number; break;
        case BODY: body = optarg; break;
        case CHUNK: settings.target.chunk = number; break;
        case NODELAY: settings.target.no_delay = true; break;
        case EACH: settings.target.each = true; break;
        case IDLE: settings.idle = number; break;
        case PAUSE: settings.pause = 1; break;
        case EXPECT: settings.expected.verdicts = optarg; break;
        case EXPECT_HEADER:
            if (settings.expected.header_count == sizeof expected_headers / sizeof *expected_headers)
                return usage("too many --expect-header");
            expected_headers[settings.expected.header_count++] = optarg;
            break;
        case EXPECT_BODY: settings.expected.body = read_file(optarg); break;
        default: return usage("unknown option");
        }
    }
    if (settings.target.size == 0 || settings.connections == 0 || settings.messages_per_connection == 0 || settings.target.chunk == 0)
        return usage("--unix or --tcp is needed, and counts above 0");
    settings.expected.headers = expected_headers;
    signal(SIGPIPE, SIG_IGN);
    script_make(&script, recipients, headers, header_size, body);

    struct session *idle = settings.idle > 0 ? open_idle() : NULL;
    if (settings.pause)
        wait_for_harness();

    struct worker *workers = calloc(settings.connections, sizeof *workers);
    if (workers == NULL)
        return usage("out of memory");
    double cpu = cpu_seconds();
    unsigned long long begin = now();
    deadline = begin + (unsigned long long)(settings.seconds * 1e9);
    for (size_t i = 0; i < settings.connections; i++) {
        session_init(&workers[i].session, &script, &settings.expected);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return usage("cannot make a thread");
    }
    int wrong = 0;
    for (size_t i = 0; i < settings.connections; i++) {
        pthread_join(workers[i].thread, NULL);
        wrong |= workers[i].failed;
    }
    double seconds = (double)(now() - begin) / 1e9;
    report(workers, seconds, cpu_seconds() - cpu);
    for (size_t i = 0; idle != NULL && i < settings.idle; i++)
        session_close(&idle[i]);
    return wrong;
}
