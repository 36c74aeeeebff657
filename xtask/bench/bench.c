/* The work that `cargo xtask bench` measures, plain and through us. Each command prints one line
 * `RESULT value` (µs at the median, MB/s, requests/s) and exits 0, or says what failed.
 *   file-small PATH N | file-stat PATH N | file-open PATH N | readdir PATH N | file-seq PATH BLOCK
 *   connect IP PORT N | connect-only IP PORT N | connect-first-byte IP PORT N | pingpong IP PORT N
 *   udp IP PORT N | dns NAME N
 *   down IP PORT BYTES | up IP PORT BYTES | http-load IP PORT CONNECTIONS MILLISECONDS
 *   serve IP PORT | serve-first IP PORT | serve-udp IP PORT | serve-http IP PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BLOCK (1 << 18)

static double now(void) { /* microseconds */
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what) {
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void median(double *samples, int count) {
    qsort(samples, count, sizeof *samples, compare);
    printf("RESULT %.3f\n", samples[count / 2]);
}

static socklen_t address(const char *ip, const char *port, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (void *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(atoi(port));
    if (inet_pton(AF_INET, ip, &v4->sin_addr) != 1) fail("address");
    return sizeof *v4;
}

static int dial(const char *ip, const char *port) {
    struct sockaddr_storage to;
    socklen_t length = address(ip, port, &to);
    int on = 1, fd = socket(to.ss_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (void *)&to, length)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void read_all(int fd, void *to, size_t length) {
    for (size_t have = 0; have < length;) {
        ssize_t n = read(fd, (char *)to + have, length - have);
        if (n <= 0) fail("read");
        have += n;
    }
}

static void write_all(int fd, const void *from, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t n = write(fd, (const char *)from + done, length - done);
        if (n <= 0) fail("write");
        done += n;
    }
}

/* A transfer is a row of 64-bit counters: both ends check it, so a lost or doubled block is an
 * error. */
static inline unsigned char pattern(uint64_t i) { return (i >> 3) >> (8 * (i & 7)); }

static void fill(unsigned char *block, uint64_t offset, size_t length) {
    uint64_t *words = (uint64_t *)block;
    for (size_t i = 0; i < length / 8; i++) words[i] = offset / 8 + i;
}

/* Looks at every 509th byte and the last: cheap enough not to be what is measured. */
static void check(const unsigned char *block, uint64_t offset, size_t length) {
    for (size_t i = 0; length; i = i + 509 < length ? i + 509 : length - 1) {
        if (block[i] != pattern(offset + i)) {
            errno = EILSEQ;
            fail("content differs");
        }
        if (i == length - 1) break;
    }
}

/* Files. */

static void file_small(const char *path, int count) {
    double *samples = malloc(count * sizeof *samples);
    char buffer[8192];
    for (int i = 0; i < count; i++) {
        double start = now();
        int fd = open(path, O_RDONLY);
        if (fd < 0) fail(path);
        if (read(fd, buffer, sizeof buffer) < 0 || read(fd, buffer, sizeof buffer) < 0) fail(path);
        close(fd);
        samples[i] = now() - start;
    }
    median(samples, count);
}

static void file_open(const char *path, int count) {
    double *samples = malloc(count * sizeof *samples);
    for (int i = 0; i < count; i++) {
        double start = now();
        int fd = open(path, O_RDONLY);
        samples[i] = now() - start;
        if (fd < 0) fail(path);
        close(fd);
    }
    median(samples, count);
}

static void file_stat(const char *path, int count) {
    double *samples = malloc(count * sizeof *samples);
    struct stat s;
    for (int i = 0; i < count; i++) {
        double start = now();
        if (stat(path, &s)) fail(path);
        samples[i] = now() - start;
    }
    median(samples, count);
}

static void read_directory(const char *path, int count) {
    double *samples = malloc(count * sizeof *samples);
    for (int i = 0; i < count; i++) {
        double start = now();
        DIR *dir = opendir(path);
        if (!dir) fail(path);
        int entries = 0;
        while (readdir(dir)) entries++;
        closedir(dir);
        samples[i] = now() - start;
        if (entries < 3) fail("entries");
    }
    median(samples, count);
}

static void file_sequential(const char *path, size_t block) {
    char *buffer = malloc(block);
    int fd = open(path, O_RDONLY);
    if (fd < 0) fail(path);
    double start = now();
    uint64_t total = 0;
    ssize_t n;
    while ((n = read(fd, buffer, block)) > 0) total += n;
    if (n < 0) fail("read");
    printf("RESULT %.3f\nBYTES %llu\nMICROSECONDS %.0f\n", total / (now() - start), (unsigned long long)total,
           now() - start);
}

/* Network. */

/* What follows a connect: nothing, a byte there and back, or the first byte of a server that speaks first. */
enum after_connect { NOTHING, ECHO_BYTE, FIRST_BYTE };

static void connect_and(const char *ip, const char *port, int count, enum after_connect what) {
    double *samples = malloc(count * sizeof *samples);
    char byte;
    for (int i = 0; i < count; i++) {
        double start = now();
        int fd = dial(ip, port);
        if (what == ECHO_BYTE) write_all(fd, "Ex", 2);
        if (what != NOTHING) read_all(fd, &byte, 1);
        samples[i] = now() - start;
        close(fd);
    }
    median(samples, count);
}

static void ping_pong(const char *ip, const char *port, int count) {
    double *samples = malloc(count * sizeof *samples);
    char buffer[64] = "r";
    int fd = dial(ip, port);
    write_all(fd, "E", 1);
    for (int i = 0; i < count; i++) {
        double start = now();
        write_all(fd, buffer, sizeof buffer);
        read_all(fd, buffer, sizeof buffer);
        samples[i] = now() - start;
    }
    median(samples, count);
}

static void udp_ping_pong(const char *ip, const char *port, int count) {
    double *samples = malloc(count * sizeof *samples);
    struct sockaddr_storage to;
    socklen_t length = address(ip, port, &to);
    struct timeval limit = {2, 0};
    char buffer[64] = "u";
    int lost = 0, fd = socket(to.ss_family, SOCK_DGRAM, 0);
    if (connect(fd, (void *)&to, length)) fail("connect");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (int i = 0; i < count; i++) {
        double start = now();
        if (send(fd, buffer, sizeof buffer, 0) != sizeof buffer || recv(fd, buffer, sizeof buffer, 0) != sizeof buffer) lost++;
        samples[i] = now() - start;
    }
    if (lost > count / 100) fail("datagrams lost");
    median(samples, count);
}

static void lookup(const char *name, int count) {
    double *samples = malloc(count * sizeof *samples);
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    for (int i = 0; i < count; i++) {
        double start = now();
        if (getaddrinfo(name, "80", &hints, &found)) fail(name);
        samples[i] = now() - start;
        freeaddrinfo(found);
    }
    median(samples, count);
}

static void transfer(const char *ip, const char *port, uint64_t bytes, int up) {
    unsigned char *block = malloc(BLOCK);
    int fd = dial(ip, port);
    write_all(fd, up ? "D" : "S", 1);
    write_all(fd, &bytes, sizeof bytes);
    double start = now();
    uint64_t done = 0;
    if (up) {
        char byte;
        while (done < bytes) {
            size_t length = bytes - done > 65536 ? 65536 : bytes - done;
            fill(block, done, length);
            write_all(fd, block, length);
            done += length;
        }
        read_all(fd, &byte, 1);
    } else
        while (done < bytes) {
            ssize_t n = read(fd, block, BLOCK);
            if (n <= 0) fail("read");
            check(block, done, n);
            done += n;
        }
    printf("RESULT %.3f\n", done / (now() - start));
}

/* Kept-alive HTTP requests on some connections at once, counted for a while. */
static void http_load(const char *ip, const char *port, int connections, int milliseconds) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
    char buffer[16384];
    int poller = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        int fd = dial(ip, port);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        write_all(fd, request, sizeof request - 1);
    }
    uint64_t answers = 0;
    double start = now(), end = start + milliseconds * 1e3;
    while (now() < end) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, 1000);
        for (int i = 0; i < ready; i++) {
            ssize_t n = read(events[i].data.fd, buffer, sizeof buffer - 1);
            if (n <= 0) fail("answer");
            buffer[n] = 0;
            if (!strstr(buffer, "Hello, world!\n")) continue; /* the rest comes with the next event */
            answers++;
            write_all(events[i].data.fd, request, sizeof request - 1);
        }
    }
    if (!answers) fail("no answers");
    printf("RESULT %.1f\n", answers / ((now() - start) / 1e6));
}

/* Servers. */

static int listener(const char *ip, const char *port) {
    struct sockaddr_storage at;
    socklen_t length = address(ip, port, &at);
    int on = 1, fd = socket(at.ss_family, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (void *)&at, length) || listen(fd, 1024)) fail("listen");
    return fd;
}

/* The first byte says what is wanted: Echo, Send so many bytes, Discard so many bytes. */
static void *serve_one(void *argument) {
    int fd = (int)(intptr_t)argument, on = 1;
    unsigned char *block = malloc(BLOCK);
    uint64_t bytes, done = 0;
    char what;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (read(fd, &what, 1) == 1) {
        ssize_t n;
        if (what == 'E') {
            while ((n = read(fd, block, 65536)) > 0)
                if (write(fd, block, n) != n) break;
        } else if (read(fd, &bytes, sizeof bytes) == sizeof bytes && what == 'S') {
            while (done < bytes) {
                size_t length = bytes - done > BLOCK ? BLOCK : bytes - done;
                fill(block, done, length);
                size_t sent = 0;
                while (sent < length && (n = write(fd, block + sent, length - sent)) > 0) sent += n;
                if (sent < length) break;
                done += length;
            }
        } else if (what == 'D') {
            while (done < bytes && (n = read(fd, block, BLOCK)) > 0) {
                check(block, done, n);
                done += n;
            }
            if (done == bytes && write(fd, "k", 1) != 1) fail("answer");
        }
    }
    close(fd);
    free(block);
    return 0;
}

/* As mail and database servers do: a word first, then whatever the client wants. */
static void *serve_first_one(void *argument) {
    int fd = (int)(intptr_t)argument;
    char byte;
    if (write(fd, "+", 1) == 1)
        while (read(fd, &byte, 1) > 0) continue;
    close(fd);
    return 0;
}

static void *serve_http_one(void *argument) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nContent-Type: text/plain\r\n\r\nHello, world!\n";
    int fd = (int)(intptr_t)argument, on = 1;
    char buffer[16384];
    size_t have = 0;
    ssize_t n;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while ((n = read(fd, buffer + have, sizeof buffer - 1 - have)) > 0) {
        have += n;
        buffer[have] = 0;
        char *end;
        while ((end = strstr(buffer, "\r\n\r\n"))) {
            if (write(fd, answer, sizeof answer - 1) != sizeof answer - 1) goto out;
            size_t used = end + 4 - buffer;
            memmove(buffer, buffer + used, have - used + 1);
            have -= used;
        }
    }
out:
    close(fd);
    return 0;
}

static void serve(int fd, void *(*one)(void *)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 18);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    puts("listening");
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int client = accept(fd, 0, 0);
        if (client >= 0 && pthread_create(&thread, &attributes, one, (void *)(intptr_t)client)) close(client);
    }
}

static void serve_udp(const char *ip, const char *port) {
    struct sockaddr_storage at, from;
    socklen_t length = address(ip, port, &at);
    int fd = socket(at.ss_family, SOCK_DGRAM, 0);
    char buffer[65536];
    if (bind(fd, (void *)&at, length)) fail("bind");
    puts("listening");
    fflush(stdout);
    for (;;) {
        length = sizeof from;
        ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, (void *)&from, &length);
        if (n >= 0) sendto(fd, buffer, n, 0, (void *)&from, length);
    }
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    const char *what = argc > 1 ? argv[1] : "";
#define IS(name, count) (!strcmp(what, name) && argc == 2 + (count))
    if (IS("nothing", 0)) puts("RESULT 0");
    else if (IS("file-small", 2)) file_small(argv[2], atoi(argv[3]));
    else if (IS("file-open", 2)) file_open(argv[2], atoi(argv[3]));
    else if (IS("file-stat", 2)) file_stat(argv[2], atoi(argv[3]));
    else if (IS("readdir", 2)) read_directory(argv[2], atoi(argv[3]));
    else if (IS("file-seq", 2)) file_sequential(argv[2], atol(argv[3]));
    else if (IS("connect", 3)) connect_and(argv[2], argv[3], atoi(argv[4]), ECHO_BYTE);
    else if (IS("connect-only", 3)) connect_and(argv[2], argv[3], atoi(argv[4]), NOTHING);
    else if (IS("connect-first-byte", 3)) connect_and(argv[2], argv[3], atoi(argv[4]), FIRST_BYTE);
    else if (IS("pingpong", 3)) ping_pong(argv[2], argv[3], atoi(argv[4]));
    else if (IS("udp", 3)) udp_ping_pong(argv[2], argv[3], atoi(argv[4]));
    else if (IS("dns", 2)) lookup(argv[2], atoi(argv[3]));
    else if (IS("down", 3)) transfer(argv[2], argv[3], strtoull(argv[4], 0, 10), 0);
    else if (IS("up", 3)) transfer(argv[2], argv[3], strtoull(argv[4], 0, 10), 1);
    else if (IS("http-load", 4)) http_load(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
    else if (IS("serve", 2)) serve(listener(argv[2], argv[3]), serve_one);
    else if (IS("serve-first", 2)) serve(listener(argv[2], argv[3]), serve_first_one);
    else if (IS("serve-http", 2)) serve(listener(argv[2], argv[3]), serve_http_one);
    else if (IS("serve-udp", 2)) serve_udp(argv[2], argv[3]);
    else {
        fprintf(stderr, "bench: see the top of bench.c\n");
        return 2;
    }
    return 0;
}
