// Does everything with files that a program can do, and prints what it sees: the same inside the
// pod and under the supervisor.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static void said(const char *what, const char *path, long result) {
    if (result < 0) printf("%s %s: %s\n", what, path, strerrorname_np(errno));
    else printf("%s %s: %ld\n", what, path, result);
}
#define TRY(name, path, call) said(name, path, (long)(call))

static void content(const char *path, int flags) {
    char b[256];
    int fd = open(path, flags);
    if (fd < 0) return said("open", path, -1);
    ssize_t n = read(fd, b, sizeof b - 1);
    if (n < 0) said("read", path, -1);
    else { b[n] = 0; printf("content %s: [%s]\n", path, b); }
    close(fd);
}
static void show(const char *what, const char *path, int r, struct stat *s) {
    if (r < 0) return said(what, path, -1);
    // Sizes of folders and times of what was just made depend on the file system.
    printf("%s %s: mode %o uid %u gid %u nlink %lu", what, path, s->st_mode, s->st_uid, s->st_gid,
           (unsigned long)(S_ISDIR(s->st_mode) ? 0 : s->st_nlink));
    if (!S_ISDIR(s->st_mode)) printf(" size %ld blksize %ld", (long)s->st_size, (long)s->st_blksize);
    if (s->st_mtime == 1700000000 || s->st_mtime < 5000) printf(" mtime %ld", (long)s->st_mtime);
    printf("\n");
}
static void look(const char *path) {
    struct stat s; struct statx x;
    show("stat", path, stat(path, &s), &s);
    int r = lstat(path, &s);
    show("lstat", path, r, &s);
    int rx = statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x);
    if (rx < 0) said("statx", path, -1);
    else printf("statx agrees: %d\n", r == 0 && x.stx_ino == s.st_ino && x.stx_size == (unsigned long)s.st_size
                && x.stx_uid == s.st_uid && x.stx_mode == (s.st_mode & 0xffff));
}
static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *path) {
    DIR *d = opendir(path);
    if (!d) return said("opendir", path, -1);
    char *names[64]; int n = 0; struct dirent *e;
    while ((e = readdir(d)) && n < 64) {
        char b[300]; struct stat s;
        int r = fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW);
        snprintf(b, sizeof b, "%s type %d mode %o same inode %d", e->d_name, e->d_type,
                 r ? 0 : s.st_mode, !r && s.st_ino == e->d_ino);
        // ".." of a root folder is another one outside.
        if (!strcmp(e->d_name, "..")) snprintf(b, sizeof b, "..");
        names[n++] = strdup(b);
    }
    closedir(d);
    qsort(names, n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) printf("in %s: %s\n", path, names[i]);
}
static void link_text(const char *path) {
    char b[64] = ""; ssize_t n = readlink(path, b, sizeof b - 1);
    if (n < 0) said("readlink", path, -1); else printf("readlink %s: %s\n", path, b);
    n = readlink(path, b, 4);
    if (n > 0) printf("cut: %.4s\n", b);
}
static void where(void) {
    char b[256]; printf("cwd %s\n", getcwd(b, sizeof b) ? b : strerrorname_np(errno));
    printf("small buffer: %s\n", syscall(SYS_getcwd, b, 2L) < 0 ? strerrorname_np(errno) : b);
}
static void reading(void) {
    static const char *paths[] = {"/data/file", "/data/secret", "/data/shared", "/data/closed",
        "/data/closed/file", "/data/absolute", "/data/relative", "/data/dangling", "/data/loop",
        "/data/escaping", "/data/escaping/a", "/data/dir", "/data/dir/", "/data/file/", "/data/file/x",
        "/data/none", "/data/none/x", "//data///file", "/data/./dir/../file", "/data/escaping/../../data/file",
        "/etc/app/config", "/var/run/secrets/token", "/run/secrets/token", "/run/secrets",
        "/data/absolute/", "/data/escaping/", "/data/sticky/link", "/data/dir/.", "/data/dir/.."};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        for (int again = 0; again < 2; again++) { look(paths[i]); content(paths[i], O_RDONLY); }
        link_text(paths[i]);
        for (int m = 0; m < 8; m++) TRY("access", paths[i], access(paths[i], m));
        TRY("directory", paths[i], open(paths[i], O_DIRECTORY) < 0 ? -1 : 0);
        TRY("nofollow", paths[i], open(paths[i], O_NOFOLLOW) < 0 ? -1 : 0);
        // Elsewhere writing is local by rule.
        if (!strstr(paths[i], "/data/")) continue;
        struct stat s;
        TRY("for writing", paths[i], open(paths[i], O_WRONLY) < 0 ? -1 : 0);
        TRY("invalid", paths[i], open(paths[i], O_CREAT | O_EXCL | O_DIRECTORY, 0600));
        TRY("invalid", paths[i], open(paths[i], O_TMPFILE | O_RDONLY, 0600));
        if (lstat(paths[i], &s) == 0) TRY("exclusive", paths[i], open(paths[i], O_CREAT | O_EXCL | O_RDONLY, 0600));
    }
    list("/data"); list("/data/dir"); list("/data/closed"); list("/data/file"); list("/data/escaping");
    char longer[5000]; memset(longer, 'x', sizeof longer); memcpy(longer, "/data/", 6);
    longer[400] = 0; TRY("long name", "", open(longer, O_RDONLY));
    longer[400] = 'x'; longer[4999] = 0; TRY("long path", "", open(longer, O_RDONLY));
    TRY("path only", "", open("/data/dir", O_PATH) < 0 ? -1 : 0); TRY("path only", "", open("/data/secret", O_PATH) < 0 ? -1 : 0); TRY("path only", "", open("/data/closed/file", O_PATH));
    TRY("bad pointer", "", syscall(SYS_openat, AT_FDCWD, (char *)8, O_RDONLY));
    struct stat s; TRY("bad buffer", "", syscall(SYS_newfstatat, AT_FDCWD, "/data/file", (void *)8, 0));
    TRY("empty", "", open("", O_RDONLY)); TRY("empty", "", stat("", &s));
}
static void moving_about(void) {
    where();
    TRY("chdir", "/data/none", chdir("/data/none")); TRY("chdir", "/data/file", chdir("/data/file"));
    TRY("chdir", "/data/closed", chdir("/data/closed"));
    TRY("chdir", "/data/dir", chdir("/data/dir")); where();
    content("a", O_RDONLY); content("../file", O_RDONLY); look("."); look(".."); list(".");
    TRY("chdir", "..", chdir("..")); where(); content("dir/b", O_RDONLY);
    TRY("chdir", "/data/escaping", chdir("/data/escaping")); where();
    TRY("chdir", "/", chdir("/")); where();
    int d = open("/data/dir", O_RDONLY | O_DIRECTORY);
    TRY("openat", "a", openat(d, "a", O_RDONLY) < 0 ? -1 : 0);
    TRY("openat", "../secret", openat(d, "../secret", O_RDONLY));
    TRY("openat", "none", openat(d, "none", O_RDONLY));
    TRY("fchdir", "/data/dir", fchdir(d)); where(); content("a", O_RDONLY); look("b");
    char link[64], text[128]; snprintf(link, sizeof link, "/proc/self/fd/%d", d);
    ssize_t n = readlink(link, text, sizeof text - 1);
    printf("descriptor is %.*s\n", (int)n, text);
    close(d); TRY("chdir", "/", chdir("/"));
}
static void changing(void) {
    umask(027);
    int fd = open("/data/new", O_CREAT | O_EXCL | O_RDWR, 0666);
    TRY("create", "/data/new", fd < 0 ? -1 : 0);
    TRY("write", "", write(fd, "0123456789", 10)); TRY("pwrite", "", pwrite(fd, "ab", 2, 4));
    char *m = mmap(0, 12, PROT_READ, MAP_SHARED, fd, 0);
    if (m != MAP_FAILED) printf("mapped [%.10s]\n", m);
    TRY("fsync", "", fsync(fd)); TRY("ftruncate", "", ftruncate(fd, 7)); TRY("close", "", close(fd));
    look("/data/new"); content("/data/new", O_RDONLY);
    TRY("again", "", open("/data/new", O_CREAT | O_EXCL | O_RDWR, 0666));
    fd = open("/data/new", O_WRONLY | O_APPEND); TRY("append", "", write(fd, "END", 3)); close(fd);
    content("/data/new", O_RDONLY);
    fd = open("/data/new", O_RDWR); TRY("fchmod", "", fchmod(fd, 0)); TRY("access", "", access("/data/new", R_OK));
    TRY("open", "", open("/data/new", O_RDONLY)); TRY("fchmod", "", fchmod(fd, 0600)); TRY("access", "", access("/data/new", R_OK)); close(fd);
    TRY("truncate", "/data/new", truncate("/data/new", 3)); content("/data/new", O_RDONLY);
    TRY("truncate", "/data/shared", truncate("/data/shared", 0)); TRY("truncate", "/data/dir", truncate("/data/dir", 0));
    TRY("create", "/data/readonly/x", open("/data/readonly/x", O_CREAT | O_RDWR, 0600));
    TRY("create", "/data/none/x", open("/data/none/x", O_CREAT | O_RDWR, 0600));
    TRY("write to", "/data/shared", open("/data/shared", O_WRONLY)); TRY("cut", "/data/shared", open("/data/shared", O_RDONLY | O_TRUNC));
    fd = open("/data/dangling", O_CREAT | O_WRONLY, 0644); TRY("create through link", "", fd < 0 ? -1 : 0); look("/data/nowhere");
    TRY("mkdir", "/data/made", mkdir("/data/made", 0777)); look("/data/made"); TRY("mkdir", "/data/made", mkdir("/data/made", 0777));
    TRY("mkdir", "/data/made/sub/", mkdir("/data/made/sub/", 0700)); TRY("mkdir", "/data/readonly/x", mkdir("/data/readonly/x", 0700));
    TRY("rmdir", "/data/made", rmdir("/data/made")); TRY("rmdir", "/data/new", rmdir("/data/new"));
    TRY("unlink", "/data/made", unlink("/data/made")); TRY("unlink", "/data/sticky/roots", unlink("/data/sticky/roots"));
    TRY("unlink", "/data/none", unlink("/data/none"));
    TRY("rename", "", rename("/data/new", "/data/made/moved")); look("/data/new"); look("/data/made/moved");
    TRY("rename", "", rename("/data/made", "/data/made/sub/x")); TRY("rename", "", rename("/data/made/moved", "/data/dir"));
    TRY("noreplace", "", syscall(SYS_renameat2, AT_FDCWD, "/data/made/moved", AT_FDCWD, "/data/file", 1));
    TRY("exchange", "", syscall(SYS_renameat2, AT_FDCWD, "/data/made/moved", AT_FDCWD, "/data/dir/a", 2)); content("/data/dir/a", O_RDONLY);
    TRY("link", "", link("/data/dir/a", "/data/hard")); look("/data/hard"); TRY("link", "", link("/data/dir", "/data/hard2"));
    TRY("symlink", "", symlink("/data/hard", "/data/soft")); link_text("/data/soft"); content("/data/soft", O_RDONLY); look("/data/soft");
    TRY("symlink", "", symlink("x", "/data/soft")); TRY("symlink", "", symlink("", "/data/soft2"));
    TRY("mkfifo", "", mkfifo("/data/pipe", 0644)); look("/data/pipe"); TRY("mknod", "", mknod("/data/device", S_IFCHR | 0600, 0x103));
    TRY("chmod", "", chmod("/data/hard", 04711)); look("/data/hard"); TRY("chmod", "/data/shared", chmod("/data/shared", 0666));
    TRY("chown", "/data/hard", chown("/data/hard", 0, 0)); TRY("chown", "/data/hard", chown("/data/hard", -1, 2000)); TRY("lchown", "/data/soft", lchown("/data/soft", getuid() ? 2000 : 2000, 2000));
    struct timespec t[2] = {{1000, 0}, {2000, 0}};
    TRY("utimensat", "", utimensat(AT_FDCWD, "/data/hard", t, 0)); look("/data/hard");
    TRY("utimensat", "/data/shared", utimensat(AT_FDCWD, "/data/shared", t, 0)); TRY("now", "/data/shared", utimensat(AT_FDCWD, "/data/shared", 0, 0));
    TRY("setxattr", "", setxattr("/data/file", "user.test", "value", 5, 0)); char v[16] = "";
    TRY("getxattr", "", getxattr("/data/file", "user.test", v, 0)); TRY("getxattr", "", getxattr("/data/file", "user.test", v, sizeof v)); printf("[%s]\n", v);
    TRY("getxattr", "", getxattr("/data/file", "user.test", v, 2)); TRY("listxattr", "", listxattr("/data/file", v, sizeof v)); printf("[%s]\n", v);
    TRY("removexattr", "", removexattr("/data/file", "user.test")); TRY("getxattr", "", lgetxattr("/data/file", "user.test", v, sizeof v));
    TRY("setxattr", "/data/shared", setxattr("/data/shared", "user.test", "value", 5, 0));
    TRY("unlink", "/data/soft", unlink("/data/soft")); look("/data/soft"); TRY("unlink", "/data/hard/", unlink("/data/hard/"));
    TRY("rmdir", "/data/made/sub/.", rmdir("/data/made/sub/.")); TRY("rmdir", "/data/made/sub", rmdir("/data/made/sub")); list("/data/made"); list("/data");
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IOFBF, 1 << 20);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "wait")) for (;;) pause();
        if (!strcmp(argv[i], "read")) reading();
        if (!strcmp(argv[i], "move")) moving_about();
        if (!strcmp(argv[i], "change")) changing();
    }
    return 0;
}
