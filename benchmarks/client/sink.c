/* A filter's end with nothing behind it: answers every command at once, to show how fast the load client can go. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

enum { ROOM = 1 << 16 };

static uint32_t protocol;
static int is_tcp;

static void answer(int fd, const void *data, size_t size)
{
    if (write(fd, data, size) != (ssize_t)size)
        pthread_exit(NULL);
}

static void command(int fd, char letter)
{
    static const unsigned char go_on[5] = {0, 0, 0, 1, 'c'}, accept_it[5] = {0, 0, 0, 1, 'a'};
    static const struct { char letter; uint32_t no_reply; } steps[] = {
        {'C', NR_CONNECT}, {'H', NR_HELO}, {'M', NR_MAIL}, {'R', NR_RCPT}, {'T', NR_DATA}, {'L', NR_HEADER}, {'N', NR_EOH}, {'B', NR_BODY}};
    unsigned char options[17] = {0, 0, 0, 13, 'O', 0, 0, 0, 6};
    if (letter == 'O') {
        put32(options + 13, protocol);
        answer(fd, options, sizeof options);
    } else if (letter == 'E') {
        answer(fd, accept_it, sizeof accept_it);
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].letter == letter && !(protocol & steps[i].no_reply))
            answer(fd, go_on, sizeof go_on);
}

/* Looks at the first five bytes of a packet only, and answers when its last byte has come. */
static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument, on = 1;
    unsigned char buffer[ROOM], head[5];
    size_t have = 0, rest = 0; /* bytes of the head that are there; bytes of the packet that are still to come */
    for (;;) {
        if (is_tcp)
            setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got <= 0)
            break;
        for (size_t at = 0; at < (size_t)got;) {
            if (have < sizeof head) {
                head[have++] = buffer[at++];
                if (have < sizeof head)
                    continue;
                rest = get32(head) - 1;
            }
            size_t part = rest < (size_t)got - at ? rest : (size_t)got - at;
            at += part;
            rest -= part;
            if (rest == 0) {
                command(fd, (char)head[4]);
                have = 0;
            }
        }
    }
    close(fd);
    return NULL;
}

/* sink unix:PATH|inet:PORT@ADDRESS [--noreply | --nothing] */
int main(int argc, char **argv)
{
    struct sockaddr_storage storage = {0};
    socklen_t size;
    int port, on = 1, unwanted = argc > 2 && strcmp(argv[2], "--nothing") == 0;
    char host[64];
    if (argc > 1 && strncmp(argv[1], "unix:", 5) == 0) {
        struct sockaddr_un *address = (struct sockaddr_un *)&storage;
        address->sun_family = AF_UNIX;
        strncpy(address->sun_path, argv[1] + 5, sizeof address->sun_path - 1);
        size = sizeof *address;
    } else if (argc > 1 && sscanf(argv[1], "inet:%d@%63s", &port, host) == 2) {
        struct sockaddr_in *address = (struct sockaddr_in *)&storage;
        address->sin_family = AF_INET;
        address->sin_port = htons((unsigned short)port);
        inet_pton(AF_INET, host, &address->sin_addr);
        size = sizeof *address;
        is_tcp = 1;
    } else {
        fputs("usage: sink unix:PATH|inet:PORT@ADDRESS [--noreply | --nothing]\n", stderr);
        return 2;
    }
    if (argc > 2 && strcmp(argv[2], "--noreply") == 0)
        protocol = NR_CONNECT | NR_HELO | NR_MAIL | NR_RCPT | NR_DATA | NR_HEADER | NR_EOH | NR_BODY;
    else if (unwanted)
        protocol = NO_CONNECT | NO_HELO | NO_MAIL | NO_RCPT | NO_DATA | NO_HEADER | NO_EOH | NO_BODY;
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(storage.ss_family, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_tcp)
        setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&storage, size) != 0 || listen(listener, 128) != 0) {
        perror("sink");
        return 1;
    }
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}
