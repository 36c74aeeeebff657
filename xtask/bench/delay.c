/* A wire with a delay: `delay LISTEN-IP PORT TO-IP PORT ONE-WAY-MICROSECONDS`. Bytes come out that
 * much later, in order, without a limit on how many are on the way. (This kernel has no netem.) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct piece {
    struct piece *next;
    double due;
    ssize_t length;
    char bytes[];
};

struct wire {
    int from, to;
    struct piece *first, *last;
    pthread_mutex_t lock;
    pthread_cond_t filled;
};

static double one_way;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void *take(void *argument) {
    struct wire *wire = argument;
    char *block = malloc(1 << 18);
    ssize_t n;
    do {
        n = read(wire->from, block, 1 << 18);
        struct piece *piece = malloc(sizeof *piece + (n > 0 ? n : 0));
        piece->next = 0;
        piece->due = now() + one_way;
        piece->length = n;
        if (n > 0) memcpy(piece->bytes, block, n);
        pthread_mutex_lock(&wire->lock);
        if (wire->last) wire->last->next = piece;
        else wire->first = piece;
        wire->last = piece;
        pthread_cond_signal(&wire->filled);
        pthread_mutex_unlock(&wire->lock);
    } while (n > 0);
    free(block);
    return 0;
}

static void *give(void *argument) {
    struct wire *wire = argument;
    for (;;) {
        pthread_mutex_lock(&wire->lock);
        while (!wire->first) pthread_cond_wait(&wire->filled, &wire->lock);
        struct piece *piece = wire->first;
        if (!(wire->first = piece->next)) wire->last = 0;
        pthread_mutex_unlock(&wire->lock);
        double wait = piece->due - now();
        if (wait > 0) usleep(wait);
        if (piece->length <= 0) {
            shutdown(wire->to, SHUT_WR);
            return 0;
        }
        for (ssize_t done = 0, w; done < piece->length; done += w)
            if ((w = write(wire->to, piece->bytes + done, piece->length - done)) <= 0) return 0;
        free(piece);
    }
}

static void start(int from, int to) {
    struct wire *wire = calloc(1, sizeof *wire);
    pthread_t thread;
    wire->from = from;
    wire->to = to;
    pthread_mutex_init(&wire->lock, 0);
    pthread_cond_init(&wire->filled, 0);
    pthread_create(&thread, 0, take, wire);
    pthread_detach(thread);
    pthread_create(&thread, 0, give, wire);
    pthread_detach(thread);
}

static struct sockaddr_in address(const char *ip, const char *port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    signal(SIGPIPE, SIG_IGN);
    one_way = atof(argv[5]);
    struct sockaddr_in at = address(argv[1], argv[2]), to = address(argv[3], argv[4]);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 64)) {
        perror("delay");
        return 1;
    }
    puts("listening");
    fflush(stdout);
    for (;;) {
        int near = accept(listener, 0, 0), far = socket(AF_INET, SOCK_STREAM, 0);
        if (near < 0 || connect(far, (void *)&to, sizeof to)) {
            perror("delay: connect");
            close(near);
            close(far);
            continue;
        }
        setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        start(near, far);
        start(far, near);
    }
}
