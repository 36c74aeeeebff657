/* One slow open, in the main thread or in another (argument "thread"); creates, or reads with READ set; prints its pid first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *work(void *p) {
    int fd = openat(AT_FDCWD, p, getenv("READ") ? O_RDONLY : O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd < 0) printf("failed: %s\n", strerror(errno));
    else printf("opened\n");
    return 0;
}

int main(int c, char **v) {
    printf("%d\n", getpid());
    fflush(stdout);
    if (c > 2) {
        pthread_t t;
        pthread_create(&t, 0, work, v[1]);
        pthread_join(t, 0);
    } else work(v[1]);
    return 0;
}
