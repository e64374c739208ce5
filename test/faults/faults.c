/*
 * Makes calls on files fail, for tests: preloaded into a process (LD_PRELOAD), it looks before each call into the file that
 * MUONSCOPE_FAULTS names. A line there is `CALL ERRNO PART`: calls of that kind (open, read, write, sync, rename) on paths that hold
 * PART fail with that error. So faults come and go while the process runs. Linux, which tells a descriptor's path in /proc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The error that a call is to fail with; 0 for none. Uses the kernel's calls alone: the C library's are the ones that come here. */
static int fault(const char *call, const char *path) {
  const char *list = getenv("MUONSCOPE_FAULTS");
  if (!list || !path) return 0;
  int file = syscall(SYS_openat, AT_FDCWD, list, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[4096];
  long length = syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  if (length <= 0) return 0;
  text[length] = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    char kind[16], part[256];
    int error;
    if (sscanf(line, "%15s %d %255s", kind, &error, part) == 3 && !strcmp(kind, call) && strstr(path, part)) return error;
  }
  return 0;
}

static int fault_of(const char *call, int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fault(call, path);
}

/* Defines NAME, which fails where it is to and else is the next library's. */
#define HOOK(result, name, parameters, arguments, failure) \
  result name parameters {                                 \
    int error = failure;                                   \
    if (error) {                                           \
      errno = error;                                       \
      return -1;                                           \
    }                                                      \
    static result(*next) parameters;                       \
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name);  \
    return next arguments;                                 \
  }

HOOK(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count), fault_of("write", fd))
HOOK(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at), fault_of("write", fd))
HOOK(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at), fault_of("write", fd))
HOOK(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), fault_of("write", fd))
HOOK(ssize_t, read, (int fd, void *bytes, size_t count), (fd, bytes, count), fault_of("read", fd))
HOOK(ssize_t, pread, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count, at), fault_of("read", fd))
HOOK(ssize_t, pread64, (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, count, at), fault_of("read", fd))
HOOK(int, fsync, (int fd), (fd), fault_of("sync", fd))
HOOK(int, fdatasync, (int fd), (fd), fault_of("sync", fd))
HOOK(int, rename, (const char *from, const char *to), (from, to), fault("rename", to))

/* `mode` is there when a file may be made. */
#define HOOK_OPEN(name)                                            \
  int name(const char *path, int flags, ...) {                     \
    va_list rest;                                                  \
    va_start(rest, flags);                                         \
    mode_t mode = va_arg(rest, mode_t);                            \
    va_end(rest);                                                  \
    int error = fault("open", path);                               \
    if (error) {                                                   \
      errno = error;                                               \
      return -1;                                                   \
    }                                                              \
    static int (*next)(const char *, int, ...);                    \
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name);          \
    return next(path, flags, mode);                                \
  }

HOOK_OPEN(open)
HOOK_OPEN(open64)
