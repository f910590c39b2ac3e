/* A load generator that costs little: prepared HTTP requests over many connections, latencies to a file.
 *
 *     load PORT REQUESTS CONNECTIONS SECONDS RATE LATENCIES
 *
 * REQUESTS is a file of whole HTTP requests, each after its length in four bytes, little endian; each is sent once. RATE 0: a
 * closed loop, every connection sends its next request when it has its answer. Otherwise an open loop: requests are due at
 * a constant rate, and a latency counts from the moment when its request was due, also while it waits for a connection.
 * The connection that was free last is taken first, as pools of clients do, so others stay idle for as long as the server
 * keeps up. One that the server closes while it is idle is opened again; one that it closes with a request under way is an
 * error. SIGTERM ends the schedule early; what is under way is waited for.
 * LATENCIES gets one 32-bit number of microseconds for each answer, the highest bit set where the status was not 200.
 * Prints answers, seconds, and refused ones. Exit code 1 when something cannot be done. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

static volatile sig_atomic_t stopped;

typedef struct {
    int fd;
    int busy; /* a request is under way */
    double due;
    size_t have;
    char buffer[BUFFER];
} connection;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void open_connection(connection *c, uint32_t number, int port, int poll)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to))
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event))
        fail("epoll");
}

/* Opens an idle connection again where the server has closed it. */
static void keep_open(connection *c, uint32_t number, int port, int poll)
{
    char byte;
    const ssize_t got = recv(c->fd, &byte, 1, MSG_PEEK);
    if (got > 0) {
        fprintf(stderr, "an answer without a request\n");
        exit(1);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    close(c->fd);
    open_connection(c, number, port, poll);
}

static const unsigned char *next_request(const unsigned char **at, const unsigned char *end, uint32_t *length)
{
    if (*at + 4 > end)
        return NULL;
    memcpy(length, *at, 4);
    const unsigned char *request = *at + 4;
    *at = request + *length;
    return request;
}

static void send_all(int fd, const unsigned char *bytes, uint32_t length)
{
    while (length) {
        const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN || errno == EINTR)
                continue;
            fail("send");
        }
        bytes += sent;
        length -= (uint32_t)sent;
    }
}

/* The length of a whole answer in a buffer, 0 while it is not there. */
static size_t whole(const char *buffer, size_t have)
{
    const char *body = memmem(buffer, have, "\r\n\r\n", 4);
    if (!body)
        return 0;
    body += 4;
    const char *mark = strcasestr(buffer, "content-length:");
    if (!mark || mark > body)
        return 0;
    const size_t total = (size_t)(body - buffer) + (size_t)strtoul(mark + 15, NULL, 10);
    return have >= total ? total : 0;
}

int main(int count, char **arguments)
{
    if (count != 7) {
        fprintf(stderr, "load PORT REQUESTS CONNECTIONS SECONDS RATE LATENCIES\n");
        return 1;
    }
    const struct sigaction ending = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &ending, NULL);
    const int port = atoi(arguments[1]), connections = atoi(arguments[3]);
    const double seconds = atof(arguments[4]), rate = atof(arguments[5]);
    const int file = open(arguments[2], O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status))
        fail(arguments[2]);
    const unsigned char *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (at == MAP_FAILED)
        fail("mmap");
    const unsigned char *const end = at + status.st_size;
    FILE *latencies = fopen(arguments[6], "wb");
    if (!latencies)
        fail(arguments[6]);

    connection *all = calloc((size_t)connections, sizeof *all);
    int *idle = malloc((size_t)connections * sizeof *idle);
    if (!all || !idle)
        fail("memory");
    const int poll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        open_connection(&all[i], (uint32_t)i, port, poll);
        idle[i] = i;
    }

    // A server is not asked before it has taken the connections, a millisecond for each: that is not what is measured.
    const struct timespec settled = {connections / 1000, connections % 1000 * 1000000L};
    nanosleep(&settled, NULL);
    int idle_count = connections, open_count = 0;
    size_t answered = 0, refused = 0, sent = 0;
    const double started = now();
    double last = started;
    for (int more = 1;;) {
        double moment = now();
        if (stopped)
            more = 0;
        while (more && idle_count) {
            const double due = rate > 0 ? started + (double)sent / rate : moment;
            if (due > moment)
                break;
            uint32_t length = 0;
            const unsigned char *request = (rate > 0 ? due : moment) - started < seconds ? next_request(&at, end, &length) : NULL;
            if (!request) {
                more = 0;
                break;
            }
            const int number = idle[--idle_count];
            connection *c = &all[number];
            keep_open(c, (uint32_t)number, port, poll);
            c->busy = 1;
            c->due = due;
            sent++;
            open_count++;
            send_all(c->fd, request, length);
        }
        if (!open_count && !more)
            break;
        if (moment - started > seconds + 60) {
            fprintf(stderr, "%d answers never came\n", open_count);
            return 1;
        }
        const double next = rate > 0 && more && idle_count ? started + (double)sent / rate - moment : 0.01;
        struct epoll_event events[256];
        struct timespec wait = {0, next > 0 ? (long)(1e9 * (next > 0.01 ? 0.01 : next)) : 0};
        const int ready = epoll_pwait2(poll, events, 256, &wait, NULL);
        moment = now();
        for (int e = 0; e < ready; e++) {
            connection *c = &all[events[e].data.u32];
            if (!c->busy) {
                keep_open(c, events[e].data.u32, port, poll);
                continue;
            }
            const ssize_t got = recv(c->fd, c->buffer + c->have, BUFFER - 1 - c->have, 0);
            if (got <= 0) {
                if (got < 0 && (errno == EAGAIN || errno == EINTR))
                    continue;
                fprintf(stderr, "the server closed a connection with a request under way\n");
                return 1;
            }
            c->have += (size_t)got;
            c->buffer[c->have] = 0;
            if (!whole(c->buffer, c->have))
                continue;
            const int good = c->have > 12 && !memcmp(c->buffer + 9, "200", 3);
            uint32_t us = (uint32_t)(1e6 * (moment - c->due));
            us = (us & 0x7fffffff) | (good ? 0 : 0x80000000u);
            fwrite(&us, 4, 1, latencies);
            if (!good && !refused)
                fprintf(stderr, "%.300s\n", c->buffer);
            refused += !good;
            answered++;
            last = moment;
            c->have = 0;
            c->busy = 0;
            open_count--;
            idle[idle_count++] = (int)(c - all);
        }
    }
    fclose(latencies);
    printf("%zu %.6f %zu\n", answered, last - started, refused);
    return 0;
}
