/* Preloaded into the provider: makes one allocation of the program's own code fail. Counted are
 * those whose caller lies in the program itself (its libraries, which end the process when memory
 * is out, are left alone) and that were made while the file LLM_ALLOC_COUNT is there: the test
 * makes it when the work begins. LLM_ALLOC_FAIL names the allocation by its number; the count is
 * written to the file at the end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static uintptr_t text_start, text_end;
static _Atomic int ready, on;
static _Atomic long counted;
static long fail_at;
static const char *path;

static int find_program(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            text_start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            text_end = text_start + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the program */
}

__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv("LLM_ALLOC_FAIL");
    path = getenv("LLM_ALLOC_COUNT");
    fail_at = number ? strtol(number, NULL, 10) : 0;
    dl_iterate_phdr(find_program, NULL);
    atomic_store(&ready, path != NULL);
}

__attribute__((destructor)) static void end(void)
{
    char text[32];
    int fd = atomic_load(&on) ? open(path, O_WRONLY | O_TRUNC) : -1;
    if (fd < 0)
        return;
    int len = snprintf(text, sizeof(text), "%ld", atomic_load(&counted));
    if (write(fd, text, (size_t)len) < 0)
        perror(path);
    close(fd);
}

/* The provider leaves without destructors. */
void _exit(int status)
{
    end();
    for (;;)
        syscall(SYS_exit_group, status);
}

/* Whether this one fails. */
static int fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    if (!atomic_load(&ready) || at < text_start || at >= text_end)
        return 0;
    if (!atomic_load(&on)) {
        int saved = errno;
        int there = access(path, F_OK) == 0;
        errno = saved;
        if (!there)
            return 0;
        atomic_store(&on, 1);
    }
    return atomic_fetch_add(&counted, 1) + 1 == fail_at;
}

void *malloc(size_t size)
{
    if (!fails(__builtin_return_address(0)))
        return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    if (!fails(__builtin_return_address(0)))
        return __libc_calloc(count, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *ptr, size_t size)
{
    if (!fails(__builtin_return_address(0)))
        return __libc_realloc(ptr, size);
    errno = ENOMEM;
    return NULL;
}
