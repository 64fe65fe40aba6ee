/* The documentation pages, in the layout of the registries: docs/index.md, docs/resources/NAME.md,
 * docs/data-sources/NAME.md, docs/ephemeral-resources/NAME.md, docs/functions/NAME.md, and some
 * of docs/guides/. The other guides are written by hand; the index lists them all. */
#include "docs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct site {
    struct compilation *c;
    const char *docs, *examples;
    bool check;
    size_t wrong;
    struct strings pages; /* written or compared, relative to docs */
};

/* ---- files ---- */

/* The whole file, or NULL. */
static char *read_file(struct compilation *c, const char *path)
{
    FILE *f = fopen(path, "r");
    struct stat st;
    char *s = NULL;
    if (f && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode)) {
        s = take(c, (size_t)st.st_size + 1, 1);
        s[fread(s, 1, (size_t)st.st_size, f)] = '\0';
    }
    if (f)
        fclose(f);
    return s;
}

static void wrong(struct site *w, const char *path, const char *what)
{
    w->wrong++;
    fprintf(stderr, "%s: %s\n", path, what);
}

/* An example, with a line break at its end; "" (and an error) when there is none. */
static const char *example(struct site *w, const char *file)
{
    const char *path = text(w->c, "%s/%s", w->examples, file);
    const char *s = read_file(w->c, path);
    if (!s || !*s) {
        wrong(w, path, "missing: every page shows an example");
        return "";
    }
    return s[strlen(s) - 1] == '\n' ? s : text(w->c, "%s\n", s);
}

static int make_dirs(struct site *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dir = text(w->c, "%.*s", (int)(slash - path), path);
    if (mkdir(w->docs, 0777) && errno != EEXIST)
        return -1;
    return mkdir(dir, 0777) && errno != EEXIST ? -1 : 0;
}

static void finish_page(struct site *w, const char *page, const char *content)
{
    const char *path = text(w->c, "%s/%s", w->docs, page);
    const char *old = read_file(w->c, path);
    strings_add(w->c, &w->pages, page);
    if (old && strcmp(old, content) == 0)
        return;
    if (w->check) {
        wrong(w, path,
              old ? "differs from the schemas and examples; run scripts/docs"
                  : "missing; run scripts/docs");
        return;
    }
    FILE *f = make_dirs(w, path) ? NULL : fopen(path, "w");
    bool ok = f && fputs(content, f) >= 0;
    if (f && fclose(f))
        ok = false;
    if (!ok)
        wrong(w, path, strerror(errno));
}

/* ---- pages ---- */

typedef void (*page_fn)(struct site *w, FILE *f, const void *subject);

static void write_page(struct site *w, const char *page, page_fn write, const void *subject)
{
    char *content = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&content, &len);
    if (f)
        write(w, f, subject);
    if (!f || fclose(f))
        wrong(w, page, "out of memory");
    else {
        /* One line break at the end. */
        while (len > 1 && content[len - 2] == '\n')
            content[--len] = '\0';
        finish_page(w, page, content);
    }
    free(content);
}

/* The text up to the first full stop that ends a sentence. */
static const char *first_sentence(struct compilation *c, const char *s)
{
    const char *end = s;
    while (*end && !(end[0] == '.' && (end[1] == ' ' || !end[1])))
        end++;
    return text(c, "%.*s", (int)(end - s + (*end == '.')), s);
}

static void front_matter(struct site *w, FILE *f, const char *title, const char *subcategory,
                         const char *description)
{
    fprintf(f,
            "---\npage_title: \"%s\"\nsubcategory: \"%s\"\ndescription: |-\n  %s\n---\n\n"
            "<!-- Generated from schemas/ and examples/ by scripts/docs. -->\n\n",
            title, subcategory ? subcategory : "", first_sentence(w->c, description));
}

static void example_usage(struct site *w, FILE *f, const char *file)
{
    fprintf(f, "## Example Usage\n\n```terraform\n%s```\n\n", example(w, file));
}

struct schema_page {
    const struct schema_def *s;
    const char *title, *dir, *file; /* "Resource", "resources", "resource.tf" */
};

static void write_import(struct site *w, FILE *f, const struct schema_def *s, const char *dir)
{
    docs_import(f, s,
                &(struct docs_import_examples){
                    .command = example(w, text(w->c, "%s/import.sh", dir)),
                    .by_id = example(w, text(w->c, "%s/import-by-string-id.tf", dir)),
                    .by_identity =
                        s->identity ? example(w, text(w->c, "%s/import-by-identity.tf", dir)) : "",
                });
}

static void write_schema_page(struct site *w, FILE *f, const void *subject)
{
    const struct schema_page *p = subject;
    const struct schema_def *s = p->s;
    front_matter(w, f, text(w->c, "%s %s - llm", s->type, p->title), s->subcategory,
                 s->description);
    fprintf(f, "# %s (%s)\n\n%s\n\n", s->type, p->title, s->description);
    if (s->deprecated)
        fprintf(f, "~> **Deprecated:** %s\n\n", s->deprecated);
    example_usage(w, f, text(w->c, "%s/%s/%s", p->dir, s->type, p->file));
    docs_clouds(w->c, f, s);
    docs_schema(w->c, f, s);
    if (s->kind == FILE_RESOURCE)
        write_import(w, f, s, text(w->c, "%s/%s", p->dir, s->type));
}

/* A guide that is generated as a whole. */
struct guide {
    const char *page, *title, *description;
    void (*write)(struct compilation *c, FILE *f);
    bool (*exists)(struct compilation *c); /* NULL: always */
};

static const struct guide generated[] = {
    {"guides/components.md", "What each resource creates",
     "The cloud objects that each resource stands for, and which needs which.",
     docs_guide_components, NULL},
    {"guides/permissions.md", "Permissions",
     "The least that the credentials have to be allowed, as policies to copy.",
     docs_guide_permissions, NULL},
    {"guides/machines.md", "Machines and prices",
     "The machines that the provider knows, with GPUs, memory, price and quota.",
     docs_guide_machines, docs_has_machines},
    {"guides/models.md", "Models of the catalogue",
     "The models that the provider knows, with size, context and source.", docs_guide_models,
     docs_has_models},
};

static void write_guide(struct site *w, FILE *f, const void *subject)
{
    const struct guide *g = subject;
    front_matter(w, f, g->title, "Guides", g->description);
    g->write(w->c, f);
}

static void write_generated(struct site *w)
{
    for (size_t i = 0; i < sizeof(generated) / sizeof(*generated); i++) {
        if (!generated[i].exists || generated[i].exists(w->c))
            write_page(w, generated[i].page, write_guide, &generated[i]);
    }
}

/* ---- the index ---- */

/* `description: |-` and the line below it, or `key: "value"`, of a page's front matter; "" when it
 * has none. */
static const char *front_value(struct compilation *c, const char *page, const char *key)
{
    const char *end = strstr(page, "\n---\n");
    const char *at = strstr(page, text(c, "\n%s: ", key));
    if (!end || !at || at > end)
        return "";
    at += strlen(key) + 3;
    if (*at == '|')
        at += strcspn(at, "\n") + 1;
    at += strspn(at, " \"");
    size_t len = strcspn(at, "\n");
    while (len && at[len - 1] == '"')
        len--;
    return text(c, "%.*s", (int)len, at);
}

static struct strings guides(struct site *w)
{
    struct strings names = {0};
    DIR *d = opendir(text(w->c, "%s/guides", w->docs));
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t len = strlen(e->d_name);
        if (len > 3 && strcmp(e->d_name + len - 3, ".md") == 0)
            strings_add(w->c, &names, e->d_name);
    }
    if (d)
        closedir(d);
    strings_sort(&names);
    return names;
}

static void write_guide_line(struct site *w, FILE *f, const char *name)
{
    const char *path = text(w->c, "%s/guides/%s", w->docs, name);
    const char *page = read_file(w->c, path);
    const char *title = page ? front_value(w->c, page, "page_title") : "";
    const char *description = page ? front_value(w->c, page, "description") : "";
    if (!*title || !*description)
        wrong(w, path, "a guide starts with a page_title and a description");
    fprintf(f, "- [%s](guides/%s): %s\n", title, name, description);
}

/* The one for beginners first, then by name. */
static void write_guides(struct site *w, FILE *f)
{
    static const char first[] = "getting-started.md";
    struct strings names = guides(w);
    fputs("## Guides\n\n", f);
    if (strings_have(&names, first))
        write_guide_line(w, f, first);
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i], first) != 0)
            write_guide_line(w, f, names.items[i]);
    }
    fputs("\n", f);
}

static void write_index(struct site *w, FILE *f, const void *subject)
{
    const struct schema_def *s = subject;
    front_matter(w, f, "llm Provider", NULL, s->description);
    fprintf(f, "# llm Provider\n\n%s\n\n", s->description);
    example_usage(w, f, "provider/provider.tf");
    write_guides(w, f);
    docs_schema(w->c, f, s);
}

static const char *signature(struct compilation *c, const struct function_def *d)
{
    const char *list = "";
    for (size_t i = 0; i < d->parameter_count; i++)
        list = text(c, "%s%s%s %s", list, i ? ", " : "", d->parameters[i].name,
                    type_text(c, d->parameters[i].type));
    if (d->variadic)
        list = text(c, "%s%s%s %s...", list, *list ? ", " : "", d->variadic->name,
                    type_text(c, d->variadic->type));
    return text(c, "%s(%s) %s", d->name, list, type_text(c, d->result));
}

static void write_parameter(struct site *w, FILE *f, const struct parameter_def *p,
                            const char *variadic)
{
    fprintf(f, "1. `%s` (%s%s%s) %s\n", p->name, variadic, docs_type(w->c, p->type),
            p->allow_null ? ", may be null" : "", p->description);
}

static void write_function(struct site *w, FILE *f, const void *subject)
{
    const struct function_def *d = subject;
    front_matter(w, f, text(w->c, "%s function - llm", d->name), NULL, d->summary);
    fprintf(f, "# function: %s\n\n%s\n\n", d->name, d->description);
    if (d->deprecated)
        fprintf(f, "~> **Deprecated:** %s\n\n", d->deprecated);
    example_usage(w, f, text(w->c, "functions/%s/function.tf", d->name));
    fprintf(f, "## Signature\n\n```text\n%s\n```\n\n## Arguments\n\n", signature(w->c, d));
    for (size_t i = 0; i < d->parameter_count; i++)
        write_parameter(w, f, &d->parameters[i], "");
    if (d->variadic)
        write_parameter(w, f, d->variadic, "Variadic, ");
}

/* ---- the site ---- */

static void write_schemas(struct site *w, const struct schema_list *list, struct schema_page page)
{
    for (size_t i = 0; i < list->count; i++) {
        page.s = list->items[i];
        /* Pages are named without the provider's name. */
        write_page(w, text(w->c, "%s/%s.md", page.dir, page.s->type + strlen("llm_")),
                   write_schema_page, &page);
    }
}

/* Pages of what no schema file has any more. */
static void remove_stale(struct site *w, const char *dir)
{
    DIR *d = opendir(text(w->c, "%s/%s", w->docs, dir));
    if (!d)
        return;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        const char *page = text(w->c, "%s/%s", dir, e->d_name);
        const char *path = text(w->c, "%s/%s", w->docs, page);
        size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 3, ".md") != 0 || strings_have(&w->pages, page))
            continue;
        if (w->check)
            wrong(w, path, "no schema file stands behind this page; run scripts/docs");
        else if (unlink(path))
            wrong(w, path, strerror(errno));
    }
    closedir(d);
}

int docs_write(struct compilation *c, const char *docs_dir, const char *examples_dir, bool check)
{
    static const char *const dirs[] = {"resources", "data-sources", "ephemeral-resources",
                                       "functions"};
    struct site w = {.c = c, .docs = docs_dir, .examples = examples_dir, .check = check};
    write_generated(&w);
    write_page(&w, "index.md", write_index, c->provider);
    write_schemas(&w, &c->resources,
                  (struct schema_page){NULL, "Resource", dirs[0], "resource.tf"});
    write_schemas(&w, &c->data_sources,
                  (struct schema_page){NULL, "Data Source", dirs[1], "data-source.tf"});
    write_schemas(
        &w, &c->ephemerals,
        (struct schema_page){NULL, "Ephemeral Resource", dirs[2], "ephemeral-resource.tf"});
    for (size_t i = 0; i < c->function_count; i++)
        write_page(&w, text(c, "functions/%s.md", c->functions[i]->name), write_function,
                   c->functions[i]);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
        remove_stale(&w, dirs[i]);
    return w.wrong ? -1 : 0;
}
