/* The process that holds a pod's namespaces: it waits, reaps, and ends when told to. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
    (void)signal;
    _exit(0);
}

static void reap(int signal) {
    (void)signal;
    while (waitpid(-1, 0, WNOHANG) > 0) {
    }
}

int main(void) {
    struct sigaction reaps = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
    signal(SIGINT, end);
    signal(SIGTERM, end);
    sigaction(SIGCHLD, &reaps, 0);
    for (;;)
        pause();
}
