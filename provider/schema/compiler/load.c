/* Finding and reading the files of a schemas directory. */
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

json_t *load_file(struct compilation *c, const char *file, const struct place **ret_at)
{
    json_error_t e;
    json_t *v = json_load_file(text(c, "%s/%s", c->dir, file), JSON_REJECT_DUPLICATES, &e);
    *ret_at = place_file(c, file);
    if (!v) {
        refuse(c, *ret_at, "line %d, column %d: %s", e.line, e.column, e.text);
        return NULL;
    }
    c->documents = with_item(c, c->documents, &c->document_count, v);
    return v;
}

/* The names in a directory that end in `suffix`, sorted; none when there is no such directory. */
static struct strings list(struct compilation *c, const char *dir, const char *suffix)
{
    struct strings names = {0};
    DIR *d = opendir(text(c, "%s/%s", c->dir, dir));
    if (!d) {
        if (errno != ENOENT)
            refuse(c, place_file(c, dir), "%s", strerror(errno));
        return names;
    }
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t len = strlen(e->d_name), tail = strlen(suffix);
        if (e->d_name[0] != '.' && len > tail && strcmp(e->d_name + len - tail, suffix) == 0)
            strings_add(c, &names, e->d_name);
    }
    closedir(d);
    strings_sort(&names);
    return names;
}

static void load_schemas(struct compilation *c, const char *dir, enum file_kind kind,
                         struct schema_list *out)
{
    struct strings names = list(c, dir, ".json");
    for (size_t i = 0; i < names.count; i++) {
        const struct place *at;
        json_t *v = load_file(c, text(c, "%s/%s", dir, names.items[i]), &at);
        struct schema_def *s = v ? parse_schema(c, at, v, kind) : NULL;
        if (s)
            out->items = with_item(c, out->items, &out->count, s);
    }
}

static void load_functions(struct compilation *c)
{
    struct strings names = list(c, "functions", ".json");
    for (size_t i = 0; i < names.count; i++) {
        const struct place *at;
        json_t *v = load_file(c, text(c, "functions/%s", names.items[i]), &at);
        struct function_def *f = v ? parse_function(c, at, v) : NULL;
        if (!f)
            continue;
        if (strcmp(text(c, "%s.json", f->name), names.items[i]) != 0)
            refuse(c, place_key(c, at, "name"), "\"%s\" does not fit the file's name", f->name);
        c->functions = with_item(c, c->functions, &c->function_count, f);
    }
}

static void load_components(struct compilation *c)
{
    struct strings clouds = list(c, "components", "");
    for (size_t i = 0; i < clouds.count; i++) {
        const char *dir = text(c, "components/%s", clouds.items[i]);
        struct strings names = list(c, dir, ".json");
        for (size_t k = 0; k < names.count; k++) {
            const struct place *at;
            json_t *v = load_file(c, text(c, "%s/%s", dir, names.items[k]), &at);
            struct component_def *d = v ? parse_component(c, at, v, clouds.items[i]) : NULL;
            if (d)
                c->components = with_item(c, c->components, &c->component_count, d);
        }
    }
}

void load(struct compilation *c, const char *dir)
{
    c->dir = dir;
    const struct place *at;
    json_t *v = load_file(c, "provider.json", &at);
    if (v)
        c->provider = parse_schema(c, at, v, FILE_PROVIDER);
    load_schemas(c, "resources", FILE_RESOURCE, &c->resources);
    load_schemas(c, "data_sources", FILE_DATA_SOURCE, &c->data_sources);
    load_schemas(c, "ephemeral_resources", FILE_EPHEMERAL, &c->ephemerals);
    load_functions(c);
    load_components(c);
}

void check(struct compilation *c)
{
    if (c->provider)
        check_schema(c, c->provider);
    struct schema_list *lists[3] = {&c->resources, &c->data_sources, &c->ephemerals};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < lists[i]->count; k++)
            check_schema(c, lists[i]->items[k]);
    }
    for (size_t i = 0; i < c->component_count; i++)
        check_component(c, c->components[i]);
    for (size_t i = 0; i < c->resources.count; i++)
        check_resource(c, c->resources.items[i]);
}
