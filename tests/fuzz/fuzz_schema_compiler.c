/* A schema file: the first byte says which of a good directory's files is replaced by the rest.
 * What the compiler takes, it can write tables of. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_value.h"
#include "schema/compiler/load.h"

static const char *const files[] = {"provider.json", "resources/box.json",
                                    "data_sources/sizes.json", "functions/fits.json",
                                    "components/aws/net.json"};
enum { FILES = sizeof(files) / sizeof(*files), PATH_MOST = 4096 };
static const char *const dirs[] = {"",          "resources",  "data_sources",
                                   "functions", "components", "components/aws"};
static char dir[] = "/tmp/fuzz_schema_XXXXXX";
static FILE *nowhere;

static void write_text(const char *file, const void *text, size_t size)
{
    char path[PATH_MOST];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
}

static void restore(const char *file)
{
    char path[PATH_MOST], good[PATH_MOST];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    snprintf(good, sizeof(good), "%s/%s", GOOD, file);
    unlink(path);
    must(symlink(good, path) == 0);
}

static void remove_all(void)
{
    char path[PATH_MOST];
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    for (size_t i = sizeof(dirs) / sizeof(*dirs); i > 0; i--) {
        snprintf(path, sizeof(path), "%s/%s", dir, dirs[i - 1]);
        rmdir(path);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[PATH_MOST];
    (void)argc;
    (void)argv;
    must(mkdtemp(dir) != NULL);
    for (size_t i = 1; i < sizeof(dirs) / sizeof(*dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
        must(mkdir(path, 0700) == 0);
    }
    for (size_t i = 0; i < FILES; i++)
        restore(files[i]);
    atexit(remove_all);
    nowhere = fopen("/dev/null", "w");
    /* Refusals go to stderr, one for each input. */
    must(nowhere && freopen("/dev/null", "w", stderr));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compilation c = {0};
    if (size < 1)
        return 0;
    const char *file = files[data[0] % FILES];
    write_text(file, data + 1, size - 1);
    load(&c, dir);
    if (!c.errors)
        check(&c);
    if (!c.errors)
        must(emit_schema_tables(&c, nowhere) == 0 && emit_component_tables(&c, nowhere) == 0 &&
             emit_response(&c, nowhere) == 0);
    compilation_end(&c);
    restore(file);
    return 0;
}
