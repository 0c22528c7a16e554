/* Preloaded (LD_PRELOAD): the k-th write, rename, fsync or creation of a file below one folder fails,
 * or the process is killed just before it. Armed from Python by ctypes; idle until then. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITES = 1, RENAMES = 2, SYNCS = 4, CREATIONS = 8 };
enum { FAIL_ONCE, FAIL_FROM_THEN_ON, KILL, HALF_WRITE };

static char folder[PATH_MAX];
static int kinds, mode, error;
static long wanted, seen;

/* Calls seen since then; with k = 0 nothing fails, and they are counted. */
__attribute__((visibility("default"))) void faults_arm(const char *below, int which, int how,
                                                       int with_error, long k) {
    snprintf(folder, sizeof folder, "%s/", below);
    kinds = which;
    mode = how;
    error = with_error;
    wanted = k;
    seen = 0;
}
__attribute__((visibility("default"))) long faults_seen(void) { return seen; }

static int is_below(const char *path) {
    char whole[PATH_MAX];
    if (path == NULL) return 0;
    if (path[0] != '/') {
        char here[PATH_MAX / 2];
        if (getcwd(here, sizeof here) == NULL) return 0;
        if ((size_t)snprintf(whole, sizeof whole, "%s/%s", here, path) >= sizeof whole) return 0;
        path = whole;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int is_file_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = '\0';
    return is_below(path);
}

/* 1 if this call is to fail. */
static int fails(int kind, int concerned) {
    if (!(kinds & kind) || !concerned) return 0;
    ++seen;
    if (wanted == 0 || seen < wanted || (seen > wanted && mode != FAIL_FROM_THEN_ON)) return 0;
    if (mode == KILL) kill(getpid(), SIGKILL);
    errno = error;
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define ARMED (kinds != 0)

ssize_t write(int fd, const void *from, size_t n) {
    REAL(write);
    if (ARMED && fails(WRITES, is_file_below(fd))) {
        if (mode != HALF_WRITE || n < 2) return -1;
        return real(fd, from, n / 2);
    }
    return real(fd, from, n);
}
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) {
    REAL(pwrite64);
    return ARMED && fails(WRITES, is_file_below(fd)) ? -1 : real(fd, from, n, at);
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(writev);
    return ARMED && fails(WRITES, is_file_below(fd)) ? -1 : real(fd, parts, n);
}
size_t fwrite(const void *from, size_t size, size_t n, FILE *file) {
    REAL(fwrite);
    return ARMED && fails(WRITES, is_file_below(fileno(file))) ? 0 : real(from, size, n, file);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    return ARMED && fails(RENAMES, is_below(to)) ? -1 : real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    REAL(renameat);
    return ARMED && fails(RENAMES, is_below(to)) ? -1 : real(a, from, b, to);
}
int fsync(int fd) {
    REAL(fsync);
    return ARMED && fails(SYNCS, is_file_below(fd)) ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return ARMED && fails(SYNCS, is_file_below(fd)) ? -1 : real(fd);
}
int mkdir(const char *path, mode_t with) {
    REAL(mkdir);
    return ARMED && fails(CREATIONS, is_below(path)) ? -1 : real(path, with);
}

/* The time of day jumps forwards and backwards by a year, from one look to the next. */
static int jumping;
static long looks;
__attribute__((visibility("default"))) void faults_jump(int on) { jumping = on; }
static time_t jump(void) {
    const time_t year = 365 * 24 * 3600;
    if (!jumping) return 0;
    return ++looks % 2 ? year : -year;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    const int status = real(clock, now);
    if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += jump();
    }
    return status;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    const int status = real(now, zone);
    if (status == 0) now->tv_sec += jump();
    return status;
}
time_t time(time_t *now) {
    REAL(time);
    const time_t found = real(NULL) + jump();
    if (now != NULL) *now = found;
    return found;
}

static int writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }
static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}
#define OPEN(name)                                                                        \
    int name(const char *path, int flags, ...) {                                          \
        REAL(name);                                                                       \
        va_list rest;                                                                     \
        va_start(rest, flags);                                                            \
        const mode_t with = mode_of(flags, rest);                                         \
        va_end(rest);                                                                     \
        if (ARMED && writes(flags) && fails(CREATIONS, is_below(path))) return -1;        \
        return real(path, flags, with);                                                   \
    }
#define OPENAT(name)                                                                      \
    int name(int at, const char *path, int flags, ...) {                                  \
        REAL(name);                                                                       \
        va_list rest;                                                                     \
        va_start(rest, flags);                                                            \
        const mode_t with = mode_of(flags, rest);                                         \
        va_end(rest);                                                                     \
        if (ARMED && writes(flags) && fails(CREATIONS, is_below(path))) return -1;        \
        return real(at, path, flags, with);                                               \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
