/* Preloaded under the daemon: adds SLOWSYNC_MS to every fsync and fdatasync, as a slow SD card does.
   Build: cc -shared -fPIC -O2 -o slowsync.so slowsync.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_as_the_card_does(void)
{
    const char *text = getenv("SLOWSYNC_MS");
    long ms = text ? atol(text) : 0;
    struct timespec pause = { ms / 1000, (ms % 1000) * 1000000L };
    if (ms > 0)
        nanosleep(&pause, NULL);
}

static int synced(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    wait_as_the_card_does();
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
