/* Connects COUNT times to PORT on loopback under a 1 ms timer; RESTART as SA_RESTART, HOST the last number of the address. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void on_signal(int s) { (void)s; }

int main(int c, char **v) {
    int good = 0, interrupted = 0, other = 0, last = 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = atoi(v[3]) ? SA_RESTART : 0};
    sigaction(SIGALRM, &action, 0);
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &timer, 0);
    for (int i = 0; i < atoi(v[1]); i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(v[2])), .sin_addr = {htonl(0x7f000000 + (c > 4 ? atoi(v[4]) : 1))}};
        int s = socket(AF_INET, SOCK_STREAM, 0);
        int r = connect(s, (void *)&to, sizeof to);
        if (r == 0) good++;
        else if (errno == EINTR) interrupted++;
        else { other++; last = errno; }
        close(s);
    }
    printf("good=%d interrupted=%d other=%d last=%d\n", good, interrupted, other, last);
    return 0;
}
