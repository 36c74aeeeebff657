/* Prints a variable as each way to read it gives it, then creates a file if it is told to. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int c, char **v, char **envp) {
    const char *shown = 0;
    for (char **e = envp; *e; e++)
        if (!strncmp(*e, "SHARED=", 7)) shown = *e + 7;
    printf("getenv=%s main=%s own=%s\n", getenv("SHARED"), shown, getenv("OWN"));
    printf("pod=%s gone=%s token=%s\n", getenv("POD_VALUE"), getenv("Gone"), getenv("MIRRORD_LAUNCH_TOKEN"));
    fflush(stdout);
    /* The list is the program's own to change. */
    setenv("SHARED", "changed", 1);
    unsetenv("POD_VALUE");
    if (system("echo child=$SHARED pod=$POD_VALUE") != 0) return 1;
    if (c > 1) {
        int fd = open(v[1], O_CREAT | O_EXCL | O_WRONLY, 0644);
        puts(fd < 0 ? "failed" : "opened");
    }
    return 0;
}
