/* Sends to 10.1.2.3, which is this machine's loopback to the test's handler, and is told that the
 * answer came from there; then cancels a thread that waits for a message. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ours;

/* On musl the padding around the lengths is not the kernel's to read. */
static struct msghdr header(struct sockaddr_in *name, struct iovec *vector) {
    struct msghdr m;
    memset(&m, 0xee, sizeof m);
    m.msg_name = name;
    m.msg_namelen = name ? sizeof *name : 0;
    m.msg_iov = vector;
    m.msg_iovlen = 1;
    m.msg_control = 0;
    m.msg_controllen = 0;
    m.msg_flags = 0;
    return m;
}

static void cancelled(void *unused) { (void)unused; puts("cancelled"); }

static void *wait_for_message(void *unused) {
    char byte;
    struct iovec vector = {&byte, 1};
    struct sockaddr_in from;
    struct msghdr m = header(&from, &vector);
    pthread_cleanup_push(cancelled, 0);
    recvmsg(ours, &m, 0);
    pthread_cleanup_pop(0);
    puts("not cancelled");
    return unused;
}

int main(void) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, to, from;
    socklen_t length = sizeof to;
    char text[16] = {0};
    struct iovec out = {"question", 8}, in = {text, 15};
    ours = socket(AF_INET, SOCK_DGRAM, 0);
    int theirs = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(ours, (void *)&any, sizeof any) || bind(theirs, (void *)&any, sizeof any)) return 1;
    getsockname(theirs, (void *)&to, &length);
    to.sin_addr.s_addr = inet_addr("10.1.2.3");
    struct msghdr m = header(&to, &out);
    if (sendmsg(ours, &m, 0) != 8) perror("sendmsg");
    m = header(&from, &in);
    if (recvmsg(theirs, &m, 0) != 8) perror("recvmsg");
    printf("%s from %s\n", text, inet_ntoa(from.sin_addr));
    /* No name: nobody is asked. */
    connect(theirs, (void *)&from, sizeof from);
    fflush(stdout);

    pthread_t thread;
    pthread_create(&thread, 0, wait_for_message, 0);
    usleep(100000);
    pthread_cancel(thread);
    pthread_join(thread, 0);
    return 0;
}
