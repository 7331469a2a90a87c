/* What gcsfuse refuses in a bucket without hierarchical namespace, as a library to preload (see gcsfuse.py).
 *
 * Each rule was seen with gcsfuse 3.2.8 and its defaults (tests/integration/test_gcsfuse.py sees them again); the words
 * are those of docs/semantics.md in GoogleCloudPlatform/gcsfuse.
 *
 *   rename of a folder with something in it  EMFILE  "Renaming directories in flat namespace buckets is by default not
 *                                                    supported"
 *   link                                     EPERM   (no such operation)
 *   mknod                                    ENOTSUP (no such operation)
 *
 * Applies to absolute paths below $GCSFUSE_MOUNT. A call that is refused is noted, one a line, in $GCSFUSE_REFUSED.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int below_mount(const char *path) {
    const char *mount = getenv("GCSFUSE_MOUNT");
    size_t length = mount ? strlen(mount) : 0;
    return length && path && !strncmp(path, mount, length) && (path[length] == '/' || !path[length]);
}

static int is_full_folder(const char *path) {
    DIR *folder = opendir(path);
    int entries = 0;
    if (!folder)
        return 0;
    while (entries < 3 && readdir(folder))
        entries++;
    closedir(folder);
    return entries > 2; /* beside "." and ".." */
}

static int refuse(const char *call, const char *path, int error) {
    const char *name = getenv("GCSFUSE_REFUSED");
    FILE *file = name ? fopen(name, "a") : NULL;
    if (file) {
        fprintf(file, "%s %s\n", call, path);
        fclose(file);
    }
    errno = error;
    return -1;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

int rename(const char *from, const char *to) {
    if (below_mount(from) && is_full_folder(from))
        return refuse("rename", from, EMFILE);
    return ((int (*)(const char *, const char *))next("rename"))(from, to);
}

int renameat(int a, const char *from, int b, const char *to) {
    if (below_mount(from) && is_full_folder(from))
        return refuse("renameat", from, EMFILE);
    return ((int (*)(int, const char *, int, const char *))next("renameat"))(a, from, b, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    if (below_mount(from) && is_full_folder(from))
        return refuse("renameat2", from, EMFILE);
    return ((int (*)(int, const char *, int, const char *, unsigned))next("renameat2"))(a, from, b, to, flags);
}

int link(const char *from, const char *to) {
    if (below_mount(to))
        return refuse("link", to, EPERM);
    return ((int (*)(const char *, const char *))next("link"))(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    if (below_mount(to))
        return refuse("linkat", to, EPERM);
    return ((int (*)(int, const char *, int, const char *, int))next("linkat"))(a, from, b, to, flags);
}

int mknod(const char *path, mode_t mode, dev_t device) {
    if (below_mount(path))
        return refuse("mknod", path, ENOTSUP);
    return ((int (*)(const char *, mode_t, dev_t))next("mknod"))(path, mode, device);
}
