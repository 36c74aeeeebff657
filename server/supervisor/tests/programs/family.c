/* Threads and children open files at once, and one child executes this program again. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;
static void *work(void *p) {
    for (int i = 0; i < 50; i++) {
        char path[128];
        snprintf(path, sizeof path, "/remote/%s/%d-%ld-%d", i % 2 ? "quick" : "300", getpid(), (long)p, i);
        int fd = openat(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (fd < 0) { bad++; fprintf(stderr, "%s: %s\n", path, strerror(errno)); }
        else close(fd);
    }
    return 0;
}

int main(int c, char **v) {
    int children = c > 1 ? atoi(v[1]) : 0;
    for (int i = 0; i < children; i++)
        if (fork() == 0) {
            execl("/proc/self/exe", v[0], (char *)0);
            _exit(99);
        }
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, work, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    int status;
    while (wait(&status) > 0)
        if (status) bad++;
    char cwd[64];
    if (!getcwd(cwd, sizeof cwd) || strcmp(cwd, "/pod")) bad++;
    if (c > 1) printf("bad=%d\n", bad);
    return bad != 0;
}
