/* Counts the calls by which a process changes files, and kills the process or fails the call at the n-th of them.
 *
 * Loaded with LD_PRELOAD and armed by faults_arm(). Only calls on paths below the given folders count, and only those
 * that change something: opening an existing file does not, creating or truncating one does. Changes through mmap
 * (SQLite's -shm file) are not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, COUNT, KILL_BEFORE, KILL_HALF, FAIL, FAIL_ALWAYS };
enum { GROWS = 1, NAMES = 2 };      /* what a full disk refuses, what a lack of permission refuses; EIO meets all */
enum { GO_ON, HALF, REFUSE };       /* what meet() answers */
enum { FOLDERS = 8, TRACE = 100000 };

static volatile int mode = OFF;
static long target, count;
static long met;                    /* the call that a fault was given to */
static int code;
static char folders[FOLDERS][PATH_MAX];
static char *trace[TRACE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void faults_arm(int how, long n, int error, const char *below) {
    mode = OFF;
    target = n, code = error, met = 0, count = 0;
    memset(folders, 0, sizeof folders);
    for (int i = 0; i < FOLDERS && *below; i++) {
        size_t length = strcspn(below, ":");
        snprintf(folders[i], PATH_MAX, "%.*s", (int)length, below);
        below += length + (below[length] == ':');
    }
    mode = how;
}

long faults_count(void) { return count; }

long faults_met(void) { return met; }

const char *faults_call(long i) { return i < TRACE && trace[i] ? trace[i] : ""; }

static int is_below(const char *path) {
    for (int i = 0; i < FOLDERS && folders[i][0]; i++) {
        size_t length = strlen(folders[i]);
        if (!strncmp(path, folders[i], length) && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

static void fd_path(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void whole_path(int dir, const char *name, char *path) {
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    char folder[PATH_MAX];
    if (dir != AT_FDCWD) fd_path(dir, folder);
    else if (!getcwd(folder, sizeof folder)) folder[0] = 0;
    size_t length = strlen(folder);
    if (length + strlen(name) + 2 > PATH_MAX) { path[0] = 0; return; }
    memcpy(path, folder, length);
    path[length] = '/';
    strcpy(path + length + 1, name);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int applies(int kind) {
    if (code == ENOSPC || code == EDQUOT) return kind & GROWS;
    if (code == EACCES || code == EPERM || code == EROFS) return kind & NAMES;
    return 1;
}

static int meet(const char *name, int kind, const char *path) {
    if (!is_below(path)) return GO_ON;
    int answer = GO_ON;
    pthread_mutex_lock(&lock);
    long n = ++count;
    if (mode == COUNT && n <= TRACE) {
        size_t room = strlen(name) + strlen(path) + 2;
        if ((trace[n - 1] = malloc(room))) snprintf(trace[n - 1], room, "%s %s", name, path);
    } else if (mode == KILL_BEFORE && n == target) {
        die();
    } else if (mode == KILL_HALF && n == target) {
        answer = HALF;
    } else if ((mode == FAIL || mode == FAIL_ALWAYS) && n >= target && applies(kind)) {
        if (mode == FAIL_ALWAYS || !met) answer = REFUSE;
        if (!met) met = n;
    }
    pthread_mutex_unlock(&lock);
    if (answer == REFUSE) errno = code;
    return answer;
}

static int meet_fd(const char *name, int kind, int fd) {
    char path[PATH_MAX];
    fd_path(fd, path);
    return meet(name, kind, path);
}

static int meet_at(const char *name, int kind, int dir, const char *file) {
    char path[PATH_MAX];
    whole_path(dir, file, path);
    return meet(name, kind, path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* A call that writes SIZE bytes: PART(k) writes only k of them. */
#define WRITES(name, fd, size, PART) \
    if (mode != OFF) switch (meet_fd(#name, GROWS, fd)) { \
        case REFUSE: return -1; \
        case HALF: PART((size) / 2); die(); \
    } \
    return PART(size)

/* A call that is done whole or not at all. */
#define CHANGES(answer, CALL) \
    if (mode != OFF) switch (answer) { \
        case REFUSE: return -1; \
        case HALF: CALL; die(); \
    } \
    return CALL

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
#define PART(k) real(fd, data, k)
    WRITES(write, fd, size, PART);
#undef PART
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
#define PART(k) real(fd, data, k, at)
    WRITES(pwrite, fd, size, PART);
#undef PART
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
#define PART(k) real(fd, data, k, at)
    WRITES(pwrite64, fd, size, PART);
#undef PART
}

ssize_t sendfile(int out, int in, off_t *at, size_t size) {
    REAL(ssize_t, sendfile, int, int, off_t *, size_t);
#define PART(k) real(out, in, at, k)
    WRITES(sendfile, out, size, PART);
#undef PART
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t size) {
    REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
#define PART(k) real(out, in, at, k)
    WRITES(sendfile64, out, size, PART);
#undef PART
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *at, size_t size, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
#define PART(k) real(in, from, out, at, k, flags)
    WRITES(copy_file_range, out, size, PART);
#undef PART
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (mode != OFF) switch (meet_fd("writev", GROWS, fd)) {
        case REFUSE: return -1;
        case HALF: {
            ssize_t (*one)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
            if (n) one(fd, parts[0].iov_base, parts[0].iov_len / 2);
            die();
        }
    }
    return real(fd, parts, n);
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *file) { /* libc writes its buffer by an inner call */
    REAL(size_t, fwrite, const void *, size_t, size_t, FILE *);
    if (mode != OFF) switch (meet_fd("fwrite", GROWS, fileno(file))) {
        case REFUSE: return 0;
        case HALF: real(data, 1, size * n / 2, file); fflush(file); die();
    }
    return real(data, size, n, file);
}

int fsync(int fd) {
    REAL(int, fsync, int);
    CHANGES(meet_fd("fsync", GROWS, fd), real(fd));
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    CHANGES(meet_fd("fdatasync", GROWS, fd), real(fd));
}

int ftruncate(int fd, off_t size) {
    REAL(int, ftruncate, int, off_t);
    CHANGES(meet_fd("ftruncate", 0, fd), real(fd, size));
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    CHANGES(meet_fd("ftruncate64", 0, fd), real(fd, size));
}

int truncate(const char *path, off_t size) {
    REAL(int, truncate, const char *, off_t);
    CHANGES(meet_at("truncate", NAMES, AT_FDCWD, path), real(path, size));
}

int fallocate(int fd, int how, off_t at, off_t size) {
    REAL(int, fallocate, int, int, off_t, off_t);
    CHANGES(meet_fd("fallocate", GROWS, fd), real(fd, how, at, size));
}

int fallocate64(int fd, int how, off64_t at, off64_t size) {
    REAL(int, fallocate64, int, int, off64_t, off64_t);
    CHANGES(meet_fd("fallocate64", GROWS, fd), real(fd, how, at, size));
}

int fchmod(int fd, mode_t bits) {
    REAL(int, fchmod, int, mode_t);
    CHANGES(meet_fd("fchmod", NAMES, fd), real(fd, bits));
}

int chmod(const char *path, mode_t bits) {
    REAL(int, chmod, const char *, mode_t);
    CHANGES(meet_at("chmod", NAMES, AT_FDCWD, path), real(path, bits));
}

int fchmodat(int dir, const char *path, mode_t bits, int flags) {
    REAL(int, fchmodat, int, const char *, mode_t, int);
    CHANGES(meet_at("fchmodat", NAMES, dir, path), real(dir, path, bits, flags));
}

int utimensat(int dir, const char *path, const struct timespec times[2], int flags) {
    REAL(int, utimensat, int, const char *, const struct timespec *, int);
    CHANGES(meet_at("utimensat", NAMES, dir, path), real(dir, path, times, flags));
}

int futimens(int fd, const struct timespec times[2]) {
    REAL(int, futimens, int, const struct timespec *);
    CHANGES(meet_fd("futimens", NAMES, fd), real(fd, times));
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    CHANGES(meet_at("rename", GROWS | NAMES, AT_FDCWD, to), real(from, to));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    CHANGES(meet_at("renameat", GROWS | NAMES, to_dir, to), real(from_dir, from, to_dir, to));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    CHANGES(meet_at("renameat2", GROWS | NAMES, to_dir, to), real(from_dir, from, to_dir, to, flags));
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    CHANGES(meet_at("link", GROWS | NAMES, AT_FDCWD, to), real(from, to));
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    CHANGES(meet_at("linkat", GROWS | NAMES, to_dir, to), real(from_dir, from, to_dir, to, flags));
}

int symlink(const char *target_, const char *to) {
    REAL(int, symlink, const char *, const char *);
    CHANGES(meet_at("symlink", GROWS | NAMES, AT_FDCWD, to), real(target_, to));
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    CHANGES(meet_at("unlink", NAMES, AT_FDCWD, path), real(path));
}

int unlinkat(int dir, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    CHANGES(meet_at("unlinkat", NAMES, dir, path), real(dir, path, flags));
}

int rmdir(const char *path) {
    REAL(int, rmdir, const char *);
    CHANGES(meet_at("rmdir", NAMES, AT_FDCWD, path), real(path));
}

int mkdir(const char *path, mode_t bits) {
    REAL(int, mkdir, const char *, mode_t);
    CHANGES(meet_at("mkdir", GROWS | NAMES, AT_FDCWD, path), real(path, bits));
}

int mkdirat(int dir, const char *path, mode_t bits) {
    REAL(int, mkdirat, int, const char *, mode_t);
    CHANGES(meet_at("mkdirat", GROWS | NAMES, dir, path), real(dir, path, bits));
}

static int creates(int dir, const char *path, int flags) {
    struct stat status;
    if (flags & O_TRUNC) return 1;
    return (flags & O_CREAT) && fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) != 0;
}

#define OPENS(name, dir, CALL) \
    mode_t bits = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        bits = va_arg(rest, mode_t); \
        va_end(rest); \
    } \
    if (mode != OFF && creates(dir, path, flags)) switch (meet_at(#name, GROWS | NAMES, dir, path)) { \
        case REFUSE: return -1; \
        case HALF: CALL; die(); \
    } \
    return CALL

int open(const char *path, int flags, ...) {
    REAL(int, open, const char *, int, ...);
    OPENS(open, AT_FDCWD, real(path, flags, bits));
}

int open64(const char *path, int flags, ...) {
    REAL(int, open64, const char *, int, ...);
    OPENS(open64, AT_FDCWD, real(path, flags, bits));
}

int openat(int dir, const char *path, int flags, ...) {
    REAL(int, openat, int, const char *, int, ...);
    OPENS(openat, dir, real(dir, path, flags, bits));
}

int openat64(int dir, const char *path, int flags, ...) {
    REAL(int, openat64, int, const char *, int, ...);
    OPENS(openat64, dir, real(dir, path, flags, bits));
}
