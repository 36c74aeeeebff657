/* Executes programs with execl, execlp and execle; the first argument says how. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const own[] = {"VALUE=another", NULL};

static int call(const char *how, const char *name) {
    if (!strcmp(how, "path")) return execl(name, "zero", "a", NULL);
    if (!strcmp(how, "name")) return execlp(name, "zero", "a", "b", "c", "d", "e", "f", "g", "h", NULL);
    if (!strcmp(how, "five")) return execle(name, "0", "1", "2", "3", "4", NULL, own);
    if (!strcmp(how, "environment"))
        return execle(name, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL, own);
#define TEN "x", "x", "x", "x", "x", "x", "x", "x", "x", "x"
    return execl(name, "zero", TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, NULL);
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        fflush(stdout);
        if (fork() == 0) {
            call(argv[i], argv[i + 1]);
            printf("%s: %s\n", argv[i + 1], strerror(errno));
            fflush(stdout);
            _exit(0);
        }
        wait(NULL);
    }
    return 0;
}
