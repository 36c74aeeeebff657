/* Local calls in a folder: what they give must be as without us. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *what, long r) { printf("%s=%ld errno=%d\n", what, r, r < 0 ? errno : 0); errno = 0; }

int main(int c, char **v) {
    (void)c;
    char path[512], text[512];
    struct stat s;
    struct statx x;
    errno = 7;
    int untouched = open("/usr/bin/env", O_RDONLY);
    printf("env=%d errno=%d\n", untouched, errno);
    close(untouched);
    snprintf(path, sizeof path, "%s/file", v[1]);
    int fd = open(path, O_RDONLY);
    say("open", fd);
    say("read", read(fd, text, 64));
    close(fd);
    say("stat", stat(path, &s));
    printf("size=%ld\n", (long)s.st_size);
    say("statx", statx(AT_FDCWD, path, 0, STATX_SIZE, &x));
    printf("size=%ld\n", (long)x.stx_size);
    /* As libuv calls it. */
    say("statx by number", syscall(SYS_statx, AT_FDCWD, path, 0, STATX_SIZE, &x));
    say("openat by number", fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY));
    close(fd);
    say("access by number", syscall(SYS_faccessat, AT_FDCWD, path, W_OK));
    say("unknown number", syscall(99999));
    say("access", access(path, R_OK));
    say("access x", access(path, X_OK));
    say("readlink", readlink(path, text, sizeof text));
    say("excl", open(path, O_CREAT | O_EXCL | O_WRONLY, 0600));
    say("directory", open(path, O_RDONLY | O_DIRECTORY));
    snprintf(path, sizeof path, "%s/link", v[1]);
    say("open link", fd = open(path, O_RDONLY));
    close(fd);
    say("nofollow", open(path, O_RDONLY | O_NOFOLLOW));
    say("lstat", lstat(path, &s));
    printf("link=%d\n", S_ISLNK(s.st_mode));
    say("stat link", stat(path, &s));
    printf("link=%d size=%ld\n", S_ISLNK(s.st_mode), (long)s.st_size);
    long n = readlink(path, text, sizeof text);
    say("readlink", n);
    snprintf(path, sizeof path, "%s/missing", v[1]);
    say("missing", open(path, O_RDONLY));
    say("missing stat", stat(path, &s));
    say("missing readlink", readlink(path, text, sizeof text));
    snprintf(path, sizeof path, "%s/file/x", v[1]);
    say("not a directory", open(path, O_RDONLY));
    say("empty", open("", O_RDONLY));
    say("null", access(0, 0));
    int dir = open(v[1], O_RDONLY | O_DIRECTORY);
    say("dir", dir);
    say("openat", fd = openat(dir, "file", O_RDONLY));
    close(fd);
    say("fstatat", fstatat(dir, "file", &s, 0));
    say("fstatat empty", fstatat(dir, "", &s, AT_EMPTY_PATH));
    say("chdir", chdir(v[1]));
    say("relative", fd = open("file", O_RDONLY));
    close(fd);
    say("up", fd = open("../", O_RDONLY));
    close(fd);
    DIR *d = opendir(".");
    int entries = 0;
    while (d && readdir(d)) entries++;
    printf("opendir=%d\n", d != 0 && entries >= 4);
    if (d) closedir(d);
    char *gone = opendir("missing") ? "?" : strerror(errno);
    printf("%s\n", gone);
    say("unknown flags", fd = open("file", O_RDONLY | 0x40000000));
    return 0;
}
