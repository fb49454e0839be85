/* Preloaded under the daemon: appends all that it does to files below RECORDER_FOLDER to the trace RECORDER_TRACE.
   A sync is not passed on to the real disk: the model of the disk (disk.py) decides what of it survives a power cut;
   instead it takes RECORDER_SYNC_US microseconds, in which other threads go on writing, as on a card.
   RECORDER_FLAGS is a file of two ints. The first is not 0 while an operation and its record may not be parted by a
   kill; while the second is not 0, no sync ends.
   Not recorded: -shm files, which are mapped memory and gone with the power.
   Build: cc -shared -fPIC -O2 -o recorder.so recorder.c -ldl -lpthread */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OPEN = 1, WRITE, TRUNCATE, SYNC, CLOSE, RENAME, UNLINK, LINK, MKDIR, RMDIR };
enum { FDS = 4096, CREATED = 1, DIRECTORY = 2, BUSY = 0, HOLDS = 1 };

struct header { /* little-endian on every machine this runs on; recording.py reads it */
    uint32_t length; /* of the whole record */
    uint32_t kind;
    uint64_t handle;
    int64_t a; /* OPEN: flags; WRITE: offset; TRUNCATE: size; SYNC: the trace's length when it began */
    uint32_t name_length, data_length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { uint64_t handle; int append; } tracked[FDS];
static uint64_t handles;
static const char *folder;
static size_t folder_length;
static int trace = -1;
static volatile int *shared;
static long sync_us;

#define REAL(name, type, ...) ((type (*)(__VA_ARGS__))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void)
{
    const char *to = getenv("RECORDER_TRACE"), *flag = getenv("RECORDER_FLAGS"), *us = getenv("RECORDER_SYNC_US");
    folder = getenv("RECORDER_FOLDER");
    if (!folder || !to || !flag)
        return;
    folder_length = strlen(folder);
    sync_us = us ? atol(us) : 0;
    int fd = REAL(open, int, const char *, int, ...)(flag, O_RDWR | O_CLOEXEC);
    shared = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REAL(close, int, int)(fd);
    handles = (uint64_t)getpid() << 32;
    trace = REAL(open, int, const char *, int, ...)(to, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (trace < 0 || shared == MAP_FAILED)
        abort();
}

static int is_ours(const char *path)
{
    size_t length = path ? strlen(path) : 0;
    if (trace < 0 || length < folder_length || strncmp(path, folder, folder_length))
        return 0;
    if (path[folder_length] && path[folder_length] != '/')
        return 0;
    return length < 4 || strcmp(path + length - 4, "-shm");
}

static void enter(void)
{
    pthread_mutex_lock(&lock);
    shared[BUSY] = 1;
}

static void leave(void)
{
    int kept = errno;
    shared[BUSY] = 0;
    pthread_mutex_unlock(&lock);
    errno = kept;
}

static void put(enum kind kind, uint64_t handle, int64_t a, const char *name, const void *data, size_t length)
{
    int kept = errno;
    size_t named = name ? strlen(name) : 0;
    struct header head = { sizeof head + named + length, kind, handle, a, named, length };
    struct iovec pieces[] = { { &head, sizeof head }, { (void *)name, named }, { (void *)data, length } };
    if (REAL(writev, ssize_t, int, const struct iovec *, int)(trace, pieces, 3) != (ssize_t)head.length)
        abort(); /* a trace with a hole proves nothing */
    errno = kept;
}

static int is_tracked(int fd) { return fd >= 0 && fd < FDS && tracked[fd].handle; }

static int opened(int at, const char *path, int flags, mode_t mode)
{
    if (!is_ours(path))
        return REAL(openat, int, int, const char *, int, mode_t)(at, path, flags, mode);
    enter();
    int existed = access(path, F_OK) == 0;
    int fd = REAL(openat, int, int, const char *, int, mode_t)(at, path, flags, mode);
    if (fd >= FDS)
        abort();
    if (fd >= 0) {
        struct stat found;
        fstat(fd, &found);
        tracked[fd].handle = ++handles;
        tracked[fd].append = flags & O_APPEND;
        put(OPEN, handles, (existed ? 0 : CREATED) | (S_ISDIR(found.st_mode) ? DIRECTORY : 0), path, NULL, 0);
        if (flags & O_TRUNC)
            put(TRUNCATE, handles, 0, NULL, NULL, 0);
    }
    leave();
    return fd;
}

#define OPENS(name, last) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return opened(AT_FDCWD, path, flags | (last), mode); \
    }
#define OPENS_AT(name, last) \
    int name(int at, const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return opened(at, path, flags | (last), mode); \
    }

OPENS(open, 0)
OPENS(open64, O_LARGEFILE)
OPENS_AT(openat, 0)
OPENS_AT(openat64, O_LARGEFILE)
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd)
{
    if (!is_tracked(fd))
        return REAL(close, int, int)(fd);
    enter();
    put(CLOSE, tracked[fd].handle, 0, NULL, NULL, 0);
    tracked[fd].handle = 0;
    int result = REAL(close, int, int)(fd);
    leave();
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    ssize_t (*write_at)(int, const void *, size_t, off64_t) =
        REAL(pwrite64, ssize_t, int, const void *, size_t, off64_t);
    if (!is_tracked(fd))
        return write_at(fd, data, length, offset);
    enter();
    ssize_t done = write_at(fd, data, length, offset);
    if (done > 0)
        put(WRITE, tracked[fd].handle, offset, NULL, data, done);
    leave();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length)
{
    ssize_t (*write_on)(int, const void *, size_t) = REAL(write, ssize_t, int, const void *, size_t);
    if (!is_tracked(fd))
        return write_on(fd, data, length);
    enter();
    off64_t offset = lseek64(fd, 0, tracked[fd].append ? SEEK_END : SEEK_CUR);
    ssize_t done = write_on(fd, data, length);
    if (done > 0)
        put(WRITE, tracked[fd].handle, offset, NULL, data, done);
    leave();
    return done;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (!is_tracked(fd))
        return REAL(writev, ssize_t, int, const struct iovec *, int)(fd, pieces, count);
    ssize_t total = 0;
    for (int at = 0; at < count; at++) {
        ssize_t done = write(fd, pieces[at].iov_base, pieces[at].iov_len);
        if (done < 0)
            return total ? total : done;
        total += done;
        if ((size_t)done < pieces[at].iov_len)
            break;
    }
    return total;
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset)
{
    if (!is_tracked(fd))
        return REAL(pwritev64, ssize_t, int, const struct iovec *, int, off64_t)(fd, pieces, count, offset);
    ssize_t total = 0;
    for (int at = 0; at < count; at++) {
        ssize_t done = pwrite64(fd, pieces[at].iov_base, pieces[at].iov_len, offset + total);
        if (done < 0)
            return total ? total : done;
        total += done;
        if ((size_t)done < pieces[at].iov_len)
            break;
    }
    return total;
}

ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags)
{
    if (!is_tracked(fd))
        return REAL(pwritev64v2, ssize_t, int, const struct iovec *, int, off64_t, int)(
            fd, pieces, count, offset, flags);
    if (offset == -1 || flags)
        abort(); /* nobody here does */
    return pwritev64(fd, pieces, count, offset);
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    return pwritev64v2(fd, pieces, count, offset, flags);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return pwritev64(fd, pieces, count, offset);
}

int ftruncate64(int fd, off64_t size)
{
    int (*cut)(int, off64_t) = REAL(ftruncate64, int, int, off64_t);
    if (!is_tracked(fd))
        return cut(fd, size);
    enter();
    int result = cut(fd, size);
    if (result == 0)
        put(TRUNCATE, tracked[fd].handle, size, NULL, NULL, 0);
    leave();
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* Whoever makes room without writing is told that the file system cannot, and writes (zeros) instead. */
int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    if (!is_tracked(fd))
        return REAL(fallocate64, int, int, int, off64_t, off64_t)(fd, mode, offset, length);
    errno = EOPNOTSUPP;
    return -1;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    if (!is_tracked(fd))
        return REAL(posix_fallocate64, int, int, off64_t, off64_t)(fd, offset, length);
    return EOPNOTSUPP;
}

int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static int synced(int fd)
{
    struct stat begun;
    enter();
    uint64_t handle = tracked[fd].handle;
    fstat(trace, &begun);
    leave();
    struct timespec pause = { sync_us / 1000000, (sync_us % 1000000) * 1000L };
    do
        nanosleep(&pause, NULL);
    while (shared[HOLDS]);
    enter();
    put(SYNC, handle, begun.st_size, NULL, NULL, 0);
    leave();
    return 0;
}

int fsync(int fd) { return is_tracked(fd) ? synced(fd) : REAL(fsync, int, int)(fd); }
int fdatasync(int fd) { return is_tracked(fd) ? synced(fd) : REAL(fdatasync, int, int)(fd); }

#define PAIRED(name, kind) \
    int name(const char *from, const char *to) \
    { \
        int (*act)(const char *, const char *) = REAL(name, int, const char *, const char *); \
        if (!is_ours(from) && !is_ours(to)) \
            return act(from, to); \
        enter(); \
        int result = act(from, to); \
        if (result == 0) \
            put(kind, 0, 0, from, to, strlen(to)); \
        leave(); \
        return result; \
    }

PAIRED(rename, RENAME)
PAIRED(link, LINK)

#define NAMED(name, kind) \
    int name(const char *path) \
    { \
        int (*act)(const char *) = REAL(name, int, const char *); \
        if (!is_ours(path)) \
            return act(path); \
        enter(); \
        int result = act(path); \
        if (result == 0) \
            put(kind, 0, 0, path, NULL, 0); \
        leave(); \
        return result; \
    }

NAMED(unlink, UNLINK)
NAMED(rmdir, RMDIR)

int mkdir(const char *path, mode_t mode)
{
    int (*make)(const char *, mode_t) = REAL(mkdir, int, const char *, mode_t);
    if (!is_ours(path))
        return make(path, mode);
    enter();
    int result = make(path, mode);
    if (result == 0)
        put(MKDIR, 0, 0, path, NULL, 0);
    leave();
    return result;
}
