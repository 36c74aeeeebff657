/* What a C program sees: run inside the pod and through us, it must print the same.
 *   probe env | files PATH… | write DIR | dns NAME… | tcp IP PORT | tcp-nonblocking IP PORT
 *         | udp IP PORT | messages IP PORT | messages-with-timer IP PORT
 *         | messages-cancelled | serve PORT COUNT
 * Built three times: dynamic, static (glibc) and static (musl). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char *error_name(int error) {
    switch (error) {
    case 0: return "ok";
    case EACCES: return "EACCES";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case EEXIST: return "EEXIST";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENOTEMPTY: return "ENOTEMPTY";
    case EPERM: return "EPERM";
    case EINVAL: return "EINVAL";
    case EROFS: return "EROFS";
    case EXDEV: return "EXDEV";
    case ECONNREFUSED: return "ECONNREFUSED";
    case ETIMEDOUT: return "ETIMEDOUT";
    case EINPROGRESS: return "EINPROGRESS";
    case ENETUNREACH: return "ENETUNREACH";
    case ENXIO: return "ENXIO";
    default: return strerror(error);
    }
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_escaped(const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p >= 0x7f || *p == '\\') printf("\\x%02x", *p);
        else putchar(*p);
    }
}

static uint64_t hash(uint64_t state, const unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) state = (state ^ bytes[i]) * 1099511628211ULL;
    return state;
}
#define HASH_START 14695981039346656037ULL

static int env(void) {
    int count = 0;
    while (environ[count]) count++;
    qsort(environ, count, sizeof *environ, by_text);
    for (int i = 0; i < count; i++) {
        printf("env ");
        print_escaped(environ[i]);
        putchar('\n');
    }
    return 0;
}

static void print_stat(const char *what, const char *path, int result, const struct stat *s) {
    if (result) {
        printf("%s %s: %s\n", what, path, error_name(errno));
        return;
    }
    printf("%s %s: mode %o links %lu uid %u gid %u size %lld mtime %lld.%09ld blocks %s\n", what, path,
           s->st_mode, (unsigned long)s->st_nlink, s->st_uid, s->st_gid, (long long)s->st_size,
           (long long)s->st_mtim.tv_sec, (long)s->st_mtim.tv_nsec, s->st_blocks ? "some" : "none");
}

static void content(const char *path) {
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0) {
        printf("open %s: %s\n", path, error_name(errno));
        return;
    }
    struct stat s;
    print_stat("fstat", path, fstat(fd, &s), &s);
    uint64_t state = HASH_START;
    unsigned char buffer[10000];
    long long total = 0;
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        state = hash(state, buffer, n);
        total += n;
    }
    if (n < 0) printf("read %s: %s\n", path, error_name(errno));
    else printf("read %s: %lld bytes %016llx\n", path, total, (unsigned long long)state);
    if (S_ISREG(s.st_mode) && total > 0) {
        off_t end = lseek(fd, 0, SEEK_END), middle = lseek(fd, total / 2, SEEK_SET);
        n = pread(fd, buffer, 16, total / 3);
        printf("seek %s: end %lld middle %lld pread %016llx\n", path, (long long)end,
               (long long)middle, (unsigned long long)hash(HASH_START, buffer, n > 0 ? n : 0));
        unsigned char *map = mmap(0, total, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) printf("mmap %s: %s\n", path, error_name(errno));
        else {
            printf("mmap %s: %016llx\n", path, (unsigned long long)hash(HASH_START, map, total));
            munmap(map, total);
        }
    }
    close(fd);
}

static void list(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) {
        printf("opendir %s: %s\n", path, error_name(errno));
        return;
    }
    char *names[20000];
    int count = 0;
    struct dirent *entry;
    while (count < 20000 && (entry = readdir(dir))) {
        names[count] = malloc(strlen(entry->d_name) + 16);
        sprintf(names[count++], "%s type %d", entry->d_name, entry->d_type);
    }
    closedir(dir);
    qsort(names, count, sizeof *names, by_text);
    for (int i = 0; i < count; i++) {
        printf("entry %s: %s\n", path, names[i]);
        free(names[i]);
    }
}

static void file(const char *path) {
    struct stat s;
    print_stat("lstat", path, lstat(path, &s), &s);
    char target[4096];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0) printf("readlink %s: %s\n", path, error_name(errno));
    else printf("readlink %s: %.*s\n", path, (int)n, target);
    int result = stat(path, &s);
    print_stat("stat", path, result, &s);
    printf("access %s: r %s w %s x %s\n", path, error_name(access(path, R_OK) ? errno : 0),
           error_name(access(path, W_OK) ? errno : 0), error_name(access(path, X_OK) ? errno : 0));
    if (result) return;
    if (S_ISDIR(s.st_mode)) {
        list(path);
        char before[4096], after[4096];
        if (getcwd(before, sizeof before) && !chdir(path)) {
            printf("getcwd after chdir %s: %s\n", path, getcwd(after, sizeof after) ? after : "?");
            struct stat dot;
            print_stat("stat", ".", stat(".", &dot), &dot);
            if (chdir(before)) printf("chdir back: %s\n", error_name(errno));
        } else printf("chdir %s: %s\n", path, error_name(errno));
    } else if (S_ISREG(s.st_mode)) content(path);
    struct statfs f;
    if (statfs(path, &f)) printf("statfs %s: %s\n", path, error_name(errno));
    else printf("statfs %s: bsize %ld namelen %ld\n", path, (long)f.f_bsize, (long)f.f_namelen);
}

static int write_files(const char *dir) {
    char a[512], b[512], c[512];
    snprintf(a, sizeof a, "%s/written", dir);
    snprintf(b, sizeof b, "%s/renamed", dir);
    snprintf(c, sizeof c, "%s/folder", dir);
    umask(027);
    int fd = open(a, O_RDWR | O_CREAT | O_EXCL, 0666);
    printf("create: %s\n", error_name(fd < 0 ? errno : 0));
    if (fd < 0) return 1;
    printf("create again: %s\n", error_name(open(a, O_RDWR | O_CREAT | O_EXCL, 0666) < 0 ? errno : 0));
    printf("write: %zd\n", write(fd, "hello, pod\n", 11));
    printf("pwrite: %zd\n", pwrite(fd, "J", 1, 0));
    printf("fsync: %s\n", error_name(fsync(fd) ? errno : 0));
    struct stat s;
    fstat(fd, &s);
    printf("new: mode %o uid %u gid %u size %lld\n", s.st_mode, s.st_uid, s.st_gid, (long long)s.st_size);
    char text[32] = "";
    printf("read back: %zd %s", pread(fd, text, 31, 0), text);
    printf("ftruncate: %s\n", error_name(ftruncate(fd, 5) ? errno : 0));
    printf("close: %s\n", error_name(close(fd) ? errno : 0));
    fd = open(a, O_WRONLY | O_APPEND);
    printf("append: %zd\n", write(fd, "!!", 2));
    close(fd);
    printf("rename: %s\n", error_name(rename(a, b) ? errno : 0));
    printf("mkdir: %s\n", error_name(mkdir(c, 0777) ? errno : 0));
    stat(c, &s);
    printf("folder: mode %o uid %u gid %u\n", s.st_mode, s.st_uid, s.st_gid);
    snprintf(a, sizeof a, "%s/folder/link", dir);
    printf("symlink: %s\n", error_name(symlink("../renamed", a) ? errno : 0));
    snprintf(c, sizeof c, "%s/folder/hard", dir);
    printf("link: %s\n", error_name(link(b, c) ? errno : 0));
    stat(a, &s);
    printf("through the link: size %lld links %lu\n", (long long)s.st_size, (unsigned long)s.st_nlink);
    printf("chmod: %s\n", error_name(chmod(b, 0600) ? errno : 0));
    struct timespec times[2] = {{1000000000, 5}, {1000000001, 7}};
    printf("utimens: %s\n", error_name(utimensat(AT_FDCWD, b, times, 0) ? errno : 0));
    stat(b, &s);
    printf("after: mode %o mtime %lld.%ld\n", s.st_mode, (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    snprintf(c, sizeof c, "%s/folder", dir);
    printf("rmdir full: %s\n", error_name(rmdir(c) ? errno : 0));
    list(c);
    unlink(a);
    snprintf(a, sizeof a, "%s/folder/hard", dir);
    unlink(a);
    printf("rmdir: %s\n", error_name(rmdir(c) ? errno : 0));
    printf("truncate: %s\n", error_name(truncate(b, 3) ? errno : 0));
    printf("unlink: %s\n", error_name(unlink(b) ? errno : 0));
    printf("gone: %s\n", error_name(stat(b, &s) ? errno : 0));
    return 0;
}

static void print_address(const char *what, const struct sockaddr_storage *address) {
    char text[64] = "?";
    if (address->ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)address)->sin_addr, text, 64);
    if (address->ss_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)address)->sin6_addr, text, 64);
    printf("%s %s\n", what, text);
}

static int dns(const char *name) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(name, "80", &hints, &found);
    if (error) {
        printf("getaddrinfo %s: error %d\n", name, error);
        return 0;
    }
    char *lines[256];
    int count = 0;
    for (struct addrinfo *i = found; i && count < 256; i = i->ai_next) {
        char text[64] = "?";
        getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, 0, 0, NI_NUMERICHOST);
        lines[count++] = strdup(text);
    }
    freeaddrinfo(found);
    qsort(lines, count, sizeof *lines, by_text);
    for (int i = 0; i < count; i++) printf("getaddrinfo %s: %s\n", name, lines[i]);
    return 0;
}

static socklen_t address(const char *ip, const char *port, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(atoi(port));
        return sizeof *v4;
    }
    inet_pton(AF_INET6, ip, &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(atoi(port));
    return sizeof *v6;
}

static int stream(const char *ip, const char *port, int nonblocking) {
    struct sockaddr_storage to, name;
    socklen_t length = address(ip, port, &to), name_length;
    int fd = socket(to.ss_family, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0);
    int result = connect(fd, (void *)&to, length);
    printf("connect: %s\n", error_name(result ? errno : 0));
    if (nonblocking) {
        struct pollfd p = {fd, POLLOUT, 0};
        int ready = poll(&p, 1, 3000), error = 0;
        socklen_t l = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &l);
        printf("ready: %s, %s\n", ready ? "yes" : "no", error_name(error));
        if (!ready || error) return 0;
        fcntl(fd, F_SETFL, 0);
    } else if (result) return 0;
    name_length = sizeof name;
    getpeername(fd, (void *)&name, &name_length);
    print_address("peer", &name);
    name_length = sizeof name;
    getsockname(fd, (void *)&name, &name_length);
    print_address("local", &name);
    char text[64] = "";
    if (write(fd, "hello over tcp", 14) != 14) printf("write: %s\n", error_name(errno));
    shutdown(fd, SHUT_WR);
    ssize_t n, total = 0;
    while ((n = read(fd, text + total, sizeof text - 1 - total)) > 0) total += n;
    printf("echo: %s\n", text);
    close(fd);
    return 0;
}

static int datagram(const char *ip, const char *port) {
    struct sockaddr_storage to, from;
    socklen_t length = address(ip, port, &to), from_length = sizeof from;
    struct timeval limit = {3, 0};
    char text[64] = "";
    int fd = socket(to.ss_family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    printf("sendto: %zd\n", sendto(fd, "unconnected", 11, 0, (void *)&to, length));
    printf("recvfrom: %zd %s\n", recvfrom(fd, text, 63, 0, (void *)&from, &from_length), text);
    print_address("from", &from);
    close(fd);
    fd = socket(to.ss_family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    printf("connect: %s\n", error_name(connect(fd, (void *)&to, length) ? errno : 0));
    from_length = sizeof from;
    getpeername(fd, (void *)&from, &from_length);
    print_address("peer", &from);
    printf("send: %zd\n", send(fd, "connected", 9, 0));
    memset(text, 0, sizeof text);
    printf("recv: %zd %s\n", recv(fd, text, 63, 0), text);
    close(fd);
    return 0;
}

/* Datagrams with their addresses in struct msghdr: gathered, scattered, many at once, cut off,
 * with a timestamp, and a segment size that makes one call send three. */
static int messages(const char *ip, const char *port) {
    struct sockaddr_storage to, from[4];
    socklen_t length = address(ip, port, &to);
    struct timeval limit = {3, 0};
    char text[4][64] = {0}, rest[4][64] = {0}, control[4][64];
    struct iovec in[4][2], out[2] = {{"gathered", 8}, {" datagram", 9}};
    struct mmsghdr many[4] = {0};
    int on = 1, fd = socket(to.ss_family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);

    struct msghdr one = {.msg_name = &to, .msg_namelen = length, .msg_iov = out, .msg_iovlen = 2};
    printf("sendmsg: %zd\n", sendmsg(fd, &one, 0));
    in[0][0] = (struct iovec){text[0], 5};
    in[0][1] = (struct iovec){rest[0], 63};
    one = (struct msghdr){.msg_name = from, .msg_namelen = sizeof *from, .msg_iov = in[0], .msg_iovlen = 2,
                          .msg_control = control[0], .msg_controllen = sizeof *control};
    printf("peek: %zd %d\n", recvmsg(fd, &one, MSG_PEEK), one.msg_flags);
    one.msg_namelen = sizeof *from;
    one.msg_controllen = sizeof *control;
    printf("recvmsg: %zd %s|%s %d\n", recvmsg(fd, &one, 0), text[0], rest[0], one.msg_flags);
    struct cmsghdr *first = CMSG_FIRSTHDR(&one);
    printf("control: %d %d\n", first ? first->cmsg_level : -1, first ? first->cmsg_type : -1);
    print_address("from", from);

    char *what[] = {"first", "second", "third"};
    for (int i = 0; i < 3; i++) {
        in[i][0] = (struct iovec){what[i], strlen(what[i])};
        many[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = length, .msg_iov = in[i], .msg_iovlen = 1};
    }
    printf("sendmmsg: %d %u %u %u\n", sendmmsg(fd, many, 3, 0), many[0].msg_len, many[1].msg_len, many[2].msg_len);
    for (int got = 0, now; got < 3; got += now) {
        memset(from, 0, sizeof from);
        memset(text, 0, sizeof text);
        for (int i = 0; i < 4; i++) {
            /* Too short for the third. */
            in[i][0] = (struct iovec){text[i], got + i == 2 ? 3 : 63};
            many[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof *from, .msg_iov = in[i], .msg_iovlen = 1};
        }
        now = recvmmsg(fd, many, 3 - got, MSG_WAITFORONE, 0);
        if (now <= 0) {
            printf("recvmmsg: %d %s\n", now, error_name(errno));
            break;
        }
        for (int i = 0; i < now; i++) {
            printf("recvmmsg: %u %s %d %u\n", many[i].msg_len, text[i], many[i].msg_hdr.msg_flags, many[i].msg_hdr.msg_namelen);
            print_address("from", &from[i]);
        }
    }

    /* SOL_UDP, UDP_SEGMENT (udp(7)). */
    struct cmsghdr *segment = (void *)control[0];
    memset(control[0], 0, sizeof *control);
    one = (struct msghdr){.msg_name = &to, .msg_namelen = length, .msg_iov = out, .msg_iovlen = 2,
                          .msg_control = segment, .msg_controllen = CMSG_SPACE(sizeof(uint16_t))};
    *segment = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = 17, .cmsg_type = 103};
    memcpy(CMSG_DATA(segment), &(uint16_t){8}, sizeof(uint16_t));
    printf("segments: %zd\n", sendmsg(fd, &one, 0));
    for (int i = 0; i < 3; i++) {
        memset(text, 0, sizeof text);
        in[0][0] = (struct iovec){text[0], 63};
        one = (struct msghdr){.msg_iov = in[0], .msg_iovlen = 1};
        printf("segment: %zd %s\n", recvmsg(fd, &one, 0), text[0]);
    }

    /* Nothing is there: not for a call that waits for nothing, nor within a time. */
    one = (struct msghdr){.msg_name = from, .msg_namelen = sizeof *from, .msg_iov = in[0], .msg_iovlen = 1};
    printf("nothing: %zd", recvmsg(fd, &one, MSG_DONTWAIT));
    printf(" %s\n", error_name(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 50000}, sizeof limit);
    printf("nothing: %zd", recvmsg(fd, &one, 0));
    printf(" %s\n", error_name(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    many[0].msg_hdr = one;
    printf("nothing: %d", recvmmsg(fd, many, 1, 0, 0));
    printf(" %s\n", error_name(errno));
    fcntl(fd, F_SETFL, 0);

    /* Of two that were asked for one comes within the time, which is looked at when one comes. */
    one = (struct msghdr){.msg_name = &to, .msg_namelen = length, .msg_iov = out, .msg_iovlen = 2};
    printf("sendmsg: %zd\n", sendmsg(fd, &one, 0));
    for (int i = 0; i < 2; i++) {
        in[i][0] = (struct iovec){text[i], 63};
        many[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = 4, .msg_iov = in[i], .msg_iovlen = 1};
    }
    struct timespec within = {0, 1};
    printf("recvmmsg: %d", recvmmsg(fd, many, 2, 0, &within));
    printf(" %u %u left %lld %ld\n", many[0].msg_len, many[0].msg_hdr.msg_namelen, (long long)within.tv_sec, within.tv_nsec);

    /* Connected, with a name in and out. MSG_TRUNC asks for the whole length. */
    printf("connect: %s\n", error_name(connect(fd, (void *)&to, length) ? errno : 0));
    one = (struct msghdr){.msg_iov = out, .msg_iovlen = 2};
    printf("sendmsg: %zd\n", sendmsg(fd, &one, 0));
    memset(text, 0, sizeof text);
    in[0][0] = (struct iovec){text[0], 4};
    one = (struct msghdr){.msg_name = from, .msg_namelen = sizeof *from, .msg_iov = in[0], .msg_iovlen = 1};
    printf("recvmsg: %zd", recvmsg(fd, &one, MSG_TRUNC));
    printf(" %s %d\n", text[0], one.msg_flags);
    print_address("from", from);

    /* What is wrong. */
    one.msg_iovlen = 1025;
    printf("too many: %zd", sendmsg(fd, &one, 0));
    printf(" %s\n", error_name(errno));
    static char huge[66000];
    struct iovec all = {huge, sizeof huge};
    one = (struct msghdr){.msg_name = &to, .msg_namelen = length, .msg_iov = &all, .msg_iovlen = 1};
    printf("too long: %zd", sendmsg(fd, &one, 0));
    printf(" %s\n", error_name(errno));
    all.iov_base = 0;
    all.iov_len = 10;
    printf("nowhere: %zd", sendmsg(fd, &one, 0));
    printf(" %s\n", error_name(errno));
    close(fd);
    return 0;
}

static void tick(int signal) { (void)signal; }

/* Datagrams there and back while a signal comes each millisecond. */
static int messages_with_timer(const char *ip, const char *port) {
    struct sockaddr_storage to, from;
    socklen_t length = address(ip, port, &to);
    struct timeval limit = {10, 0};
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct itimerval each = {{0, 1000}, {0, 1000}};
    int good = 0, fd = socket(to.ss_family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &each, 0);
    for (int i = 0; i < 200; i++) {
        int got = -1;
        struct iovec out = {&i, sizeof i}, in = {&got, sizeof got};
        struct msghdr one = {.msg_name = &to, .msg_namelen = length, .msg_iov = &out, .msg_iovlen = 1};
        if (sendmsg(fd, &one, 0) != sizeof i) printf("sendmsg: %s\n", error_name(errno));
        struct mmsghdr many = {{.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &in, .msg_iovlen = 1}, 0};
        /* A receive timeout makes a call fail rather than start again (signal(7)). */
        int count;
        do count = recvmmsg(fd, &many, 1, 0, 0);
        while (count < 0 && errno == EINTR);
        good += count == 1 && many.msg_len == sizeof i && got == i;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
    printf("good: %d\n", good);
    print_address("from", &from);
    close(fd);
    return 0;
}

static int unwound;

static void unwind(void *nothing) {
    (void)nothing;
    unwound++;
}

/* Waits for a message that never comes, until its thread is cancelled. */
static void *wait_for_message(void *socket) {
    struct sockaddr_storage from;
    char byte;
    int fd = *(int *)socket;
    struct iovec in = {&byte, 1};
    struct mmsghdr many = {{.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &in, .msg_iovlen = 1}, 0};
    pthread_cleanup_push(unwind, 0);
    recvmsg(fd, &many.msg_hdr, 0);
    pthread_cleanup_pop(0);
    return 0;
}

/* Threads that are cancelled (pthreads(7)) before they wait for a message, while and after they begin to. */
static int messages_cancelled(void) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int cancelled = 0, fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (void *)&any, sizeof any)) printf("bind: %s\n", error_name(errno));
    for (int i = 0; i < 24; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, 0, wait_for_message, &fd);
        usleep(i % 6 * 2000);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        cancelled += result == PTHREAD_CANCELED;
    }
    close(fd);
    printf("cancelled: %d, unwound: %d\n", cancelled, unwound);
    return 0;
}

/* Answers COUNT requests with who asked and on which port it believes to be. */
static int serve(const char *port, int count) {
    int on = 1, off = 0, listener = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(port))};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(listener, (void *)&any, sizeof any) || listen(listener, 64)) {
        printf("listen: %s\n", error_name(errno));
        return 1;
    }
    struct sockaddr_in6 own;
    socklen_t length = sizeof own;
    getsockname(listener, (void *)&own, &length);
    printf("listening on %d\n", ntohs(own.sin6_port));
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        struct sockaddr_storage client;
        length = sizeof client;
        int fd = accept(listener, (void *)&client, &length);
        if (fd < 0) {
            printf("accept: %s\n", error_name(errno));
            return 1;
        }
        char request[4096] = "", answer[512], body[256], ip[64] = "?", peer[64] = "?";
        getnameinfo((void *)&client, length, ip, sizeof ip, 0, 0, NI_NUMERICHOST);
        struct sockaddr_storage name;
        length = sizeof name;
        if (!getpeername(fd, (void *)&name, &length))
            getnameinfo((void *)&name, length, peer, sizeof peer, 0, 0, NI_NUMERICHOST);
        size_t have = 0;
        ssize_t n;
        while (!strstr(request, "\r\n\r\n") && (n = read(fd, request + have, sizeof request - 1 - have)) > 0)
            have += n;
        char *end = strstr(request, "\r\n");
        if (end) *end = 0;
        int size = snprintf(body, sizeof body, "local program: %s from %s (getpeername %s)\n", request, ip, peer);
        size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size, body);
        printf("request: %s from %s\n", request, ip);
        fflush(stdout);
        if (write(fd, answer, size) != size) printf("answer: %s\n", error_name(errno));
        close(fd);
    }
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "env")) return env();
    if (!strcmp(what, "files")) {
        for (int i = 2; i < argc; i++) file(argv[i]);
        return 0;
    }
    if (!strcmp(what, "write") && argc == 3) return write_files(argv[2]);
    if (!strcmp(what, "dns")) {
        for (int i = 2; i < argc; i++) dns(argv[i]);
        return 0;
    }
    if (!strcmp(what, "tcp") && argc == 4) return stream(argv[2], argv[3], 0);
    if (!strcmp(what, "tcp-nonblocking") && argc == 4) return stream(argv[2], argv[3], 1);
    if (!strcmp(what, "udp") && argc == 4) return datagram(argv[2], argv[3]);
    if (!strcmp(what, "messages") && argc == 4) return messages(argv[2], argv[3]);
    if (!strcmp(what, "messages-with-timer") && argc == 4) return messages_with_timer(argv[2], argv[3]);
    if (!strcmp(what, "messages-cancelled")) return messages_cancelled();
    if (!strcmp(what, "serve") && argc == 4) return serve(argv[2], atoi(argv[3]));
    fprintf(stderr, "probe: see the top of probe.c\n");
    return 2;
}
