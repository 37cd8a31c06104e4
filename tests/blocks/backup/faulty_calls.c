/* Lets the n-th call of a kind fail on files whose path holds a word; loaded before the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char armed[32], word[256];
static int left = 0, error_number = 0, happened = 0;

/* call: write, fsync (fdatasync too), rename; number: 0 lets a call succeed without doing anything. */
void faulty_arm(const char *call, const char *path_word, int nth, int number) {
    strncpy(armed, call, sizeof armed - 1);
    strncpy(word, path_word, sizeof word - 1);
    left = nth;
    error_number = number;
    happened = 0;
}

int faulty_happened(void) { return happened; }

static int is_due(const char *call, const char *path) {
    if (left <= 0 || strcmp(call, armed) != 0 || strstr(path, word) == NULL) return 0;
    if (--left > 0) return 0;
    happened = 1;
    return 1;
}

static int is_due_of(const char *call, int descriptor) {
    char name[64], path[1024];
    if (left <= 0) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_due(call, path);
}

ssize_t write(int descriptor, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (is_due_of("write", descriptor)) {
        if (error_number) { errno = error_number; return -1; }
        return (ssize_t)size;
    }
    return real(descriptor, data, size);
}

int fsync(int descriptor) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    if (is_due_of("fsync", descriptor) && error_number) { errno = error_number; return -1; }
    return real(descriptor);
}

int fdatasync(int descriptor) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    if (is_due_of("fsync", descriptor) && error_number) { errno = error_number; return -1; }
    return real(descriptor);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    if (is_due("rename", to)) {
        if (error_number) { errno = error_number; return -1; }
        return 0;
    }
    return real(from, to);
}
