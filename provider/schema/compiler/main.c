/* llm-schemac: see schemac.h.
 *
 *   llm-schemac tables SCHEMAS_DIR OUT_DIR
 *   llm-schemac docs [--check] SCHEMAS_DIR EXAMPLES_DIR DOCS_DIR
 *   llm-schemac check SCHEMAS_DIR
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "load.h"

typedef int (*emitter)(struct compilation *c, FILE *f);

static int write_file(struct compilation *c, const char *path, emitter emit)
{
    FILE *f = fopen(path, "w");
    int rc = f ? emit(c, f) : -1;
    if (f && fclose(f))
        rc = -1;
    if (rc)
        fprintf(stderr, "llm-schemac: %s: %s\n", path, strerror(errno));
    return rc;
}

static int make_dir(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    fprintf(stderr, "llm-schemac: %s: %s\n", path, strerror(errno));
    return -1;
}

static int write_tables(struct compilation *c, const char *out)
{
    static const struct {
        const char *name;
        emitter emit;
    } files[] = {
        {"tables_schema.c", emit_schema_tables},
        {"tables_components.c", emit_component_tables},
        {"response.c", emit_response},
        {"schema/tables.h", emit_schema_header},
        {"resources/tables.h", emit_component_header},
    };
    if (make_dir(out) || make_dir(text(c, "%s/schema", out)) ||
        make_dir(text(c, "%s/resources", out)))
        return -1;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        if (write_file(c, text(c, "%s/%s", out, files[i].name), files[i].emit))
            return -1;
    }
    return 0;
}

static int usage(void)
{
    fputs("usage: llm-schemac tables SCHEMAS_DIR OUT_DIR\n"
          "       llm-schemac docs [--check] SCHEMAS_DIR EXAMPLES_DIR DOCS_DIR\n"
          "       llm-schemac check SCHEMAS_DIR\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    bool docs = strcmp(mode, "docs") == 0, tables = strcmp(mode, "tables") == 0;
    bool compare = docs && argc > 2 && strcmp(argv[2], "--check") == 0;
    char **args = argv + 2 + compare;
    int count = argc - 2 - compare;
    if (count != (docs ? 3 : tables ? 2 : strcmp(mode, "check") == 0 ? 1 : -2))
        return usage();
    struct compilation c = {0};
    int rc = 0;
    load(&c, args[0]);
    if (!c.errors)
        check(&c);
    if (c.errors)
        fprintf(stderr, "llm-schemac: %zu error%s in %s\n", c.errors, c.errors == 1 ? "" : "s",
                args[0]);
    else if (tables)
        rc = write_tables(&c, args[1]);
    else if (docs)
        rc = docs_write(&c, args[2], args[1], compare);
    rc = rc || c.errors ? 1 : 0;
    compilation_end(&c);
    return rc;
}
