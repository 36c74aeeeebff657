/* The bare chain's relay: one thread, epoll, no framing. `relay LISTEN-IP PORT TO-IP PORT`. Two of
 * them, in the places of session and agent, are the limit of this shape. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int other[65536];
static char block[1 << 18];

static struct sockaddr_in address(const char *ip, const char *port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in at = address(argv[1], argv[2]), to = address(argv[3], argv[4]);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poller = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 512)) {
        perror("relay");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    puts("listening");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int client = accept(listener, 0, 0), server = socket(AF_INET, SOCK_STREAM, 0);
                if (client < 0 || connect(server, (void *)&to, sizeof to)) {
                    close(client);
                    close(server);
                    continue;
                }
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                other[client] = server;
                other[server] = client;
                event.data.fd = client;
                epoll_ctl(poller, EPOLL_CTL_ADD, client, &event);
                event.data.fd = server;
                epoll_ctl(poller, EPOLL_CTL_ADD, server, &event);
                continue;
            }
            if (other[fd] < 0) continue;
            ssize_t n = read(fd, block, sizeof block), done = 0, w;
            if (n <= 0) {
                int peer = other[fd];
                other[fd] = other[peer] = -1;
                close(fd);
                close(peer);
                continue;
            }
            while (done < n && (w = write(other[fd], block + done, n - done)) > 0) done += w;
        }
    }
}
