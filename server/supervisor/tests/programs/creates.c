/* Creates files exclusively while a timer's signals arrive: creates COUNT MICROSECONDS INTERVAL RESTART */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static void on_signal(int s) { (void)s; signals++; }

int main(int c, char **v) {
    (void)c;
    int count = atoi(v[1]), made = 0, exist = 0, interrupted = 0, other = 0, last = 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = atoi(v[4]) ? SA_RESTART : 0};
    sigaction(SIGALRM, &action, 0);
    struct itimerval timer = {{0, atoi(v[3])}, {0, atoi(v[3])}};
    if (atoi(v[3])) setitimer(ITIMER_REAL, &timer, 0);
    for (int i = 0; i < count; i++) {
        char path[128];
        snprintf(path, sizeof path, "/remote/%d/%d-%d", i % 3 == 0 ? atoi(v[2]) * 4 : atoi(v[2]), getpid(), i);
        int fd = openat(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        if (fd >= 0) {
            made++;
            if (write(fd, "x", 1) != 1) other++;
            close(fd);
        } else if (errno == EEXIST) exist++;
        else if (errno == EINTR) interrupted++;
        else { other++; last = errno; }
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, 0);
    int next = open("/dev/null", O_RDONLY);
    printf("made=%d exist=%d interrupted=%d other=%d last=%d signals=%s next_fd=%d\n", made, exist, interrupted, other, last, signals > 100 ? "many" : "few", next);
    return 0;
}
