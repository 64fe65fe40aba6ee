/* Works on a cloud's objects by their component tables, without a resource: see component_lines.h.
 */
#include "component_lines.h"

#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "hurried_clock.h"
#include "resources/tables.h"
#include "value/codec.h"

enum { LINE_MOST = 1 << 20, DEADLINE_MS = 60000 };

static const struct component *kind_of(const struct value *given)
{
    const char *kind = value_cstr(value_get(given, "kind"), "");
    for (size_t i = 0; all_components[i]; i++)
        if (strcmp(all_components[i]->kind, kind) == 0)
            return all_components[i];
    fprintf(stderr, "no kind %s\n", kind);
    return NULL;
}

/* {attribute: $config.<name>.inputs.<attribute>, …} */
static const struct template *inputs_of(struct arena *a, const char *name,
                                        const struct value *inputs)
{
    struct template *t = arena_calloc(a, 1, sizeof(*t));
    struct template *refs = arena_calloc(a, value_count(inputs), sizeof(*refs));
    struct template_member *m = arena_calloc(a, value_count(inputs), sizeof(*m));
    t->kind = TEMPLATE_OBJECT;
    t->members = m;
    t->member_count = value_count(inputs);
    for (size_t i = 0; i < value_count(inputs); i++) {
        const char *attr = inputs->members[i].key.ptr;
        refs[i] = (struct template){.kind = TEMPLATE_REF,
                                    .root = "config",
                                    .path = arena_printf(a, "%s.inputs.%s", name, attr)};
        m[i] = (struct template_member){attr, &refs[i]};
    }
    return t;
}

static struct graph *graph_of(struct arena *a, const struct cloud_driver *driver,
                              const struct value *components, struct diags *diags)
{
    struct resource_component *entries = arena_calloc(a, value_count(components), sizeof(*entries));
    struct resource_cloud *cloud = arena_calloc(a, 1, sizeof(*cloud));
    struct graph *g = NULL;
    bool partial = false;
    for (size_t i = 0; i < value_count(components); i++) {
        const char *name = components->members[i].key.ptr;
        const struct value *given = components->members[i].value;
        entries[i] =
            (struct resource_component){.name = name,
                                        .component = kind_of(given),
                                        .inputs = inputs_of(a, name, value_get(given, "inputs"))};
        if (!entries[i].component)
            return NULL;
    }
    *cloud = (struct resource_cloud){driver->cloud, entries, value_count(components)};
    const struct value *nothing = value_object(a, NULL, 0);
    return graph_expand(a, cloud, components, nothing, nothing, &g, &partial, diags) < 0 ? NULL : g;
}

static const struct value *changes_of(struct arena *a, const struct engine_changes *c)
{
    const struct value *v = value_object(a, NULL, 0);
    for (size_t i = 0; i < c->count; i++) {
        const struct value **names = arena_calloc(a, c->items[i].attr_count, sizeof(*names));
        for (size_t k = 0; k < c->items[i].attr_count; k++)
            names[k] = value_str(a, c->items[i].attrs[k]);
        if (c->items[i].action != ENGINE_NONE)
            v = value_with(a, v, c->items[i].name, value_tuple(a, names, c->items[i].attr_count));
    }
    return v;
}

static const struct value *errors_of(struct arena *a, const struct diags *diags)
{
    const struct value *v = value_tuple(a, NULL, 0);
    for (const struct diag *d = diags->first; d; d = d->next) {
        const struct value *text = value_printf(a, "%s: %s", d->summary, d->detail);
        v = value_tuple_join(a, v, value_tuple(a, &text, 1));
    }
    return v;
}

struct lines {
    struct arena *a;
    struct engine engine;
    struct work work;
    struct graph *graph;
    struct records prior, records;
    struct engine_changes changes;
    struct diags diags;
};

static void act(struct lines *l, const char *what)
{
    const struct engine *e = &l->engine;
    if (strcmp(what, "apply") == 0)
        engine_apply(l->a, e, &l->work, l->graph, &l->prior, &l->records, &l->diags);
    else if (strcmp(what, "refresh") == 0)
        engine_refresh(l->a, e, &l->work, &l->prior, &l->records, &l->diags);
    else if (strcmp(what, "find") == 0)
        engine_find(l->a, e, &l->work, l->graph, &l->records, &l->diags);
    else if (strcmp(what, "destroy") == 0)
        engine_destroy(l->a, e, &l->work, &l->prior, &l->records, &l->diags);
    else
        l->records = l->prior;
    if (strcmp(what, "destroy") != 0)
        engine_plan(l->a, e, l->graph, &l->records, &l->changes, &l->diags);
}

static const struct value *run(struct lines *l, const struct component_ground *ground,
                               struct http_transport *transport, const struct value *line)
{
    struct buf text _cleanup_buf_ = BUF_INIT(LINE_MOST);
    const struct value *records = value_get(line, "records"),
                       *nothing = value_object(l->a, NULL, 0);
    const struct clock hurried = hurried_clock(), *clock = &hurried;
    struct cloud_client *client = ground->client(line, transport, clock, &l->diags);
    if (!client)
        return NULL;
    l->work = (struct work){clock, NULL, clock->monotonic_ms(clock->self) + DEADLINE_MS};
    l->engine = (struct engine){.driver = ground->driver,
                                .client = client,
                                .region = ground->region,
                                .account = ground->account,
                                .partition = ground->partition,
                                .resource_type = "llm_test",
                                .name = value_str(l->a, "x"),
                                .tags = value_map(l->a, &type_string, NULL, 0),
                                .nonce = value_cstr(value_get(line, "nonce"), "n")};
    l->graph = graph_of(l->a, ground->driver, value_get(line, "components"), &l->diags);
    if (l->graph && (value_is_null(records) ||
                     records_decode(l->a, records, all_components, &l->prior, &l->diags) == 0))
        act(l, value_cstr(value_get(line, "do"), ""));
    ground->driver->free(client);
    const struct value *written = nothing;
    if (records_encode(&text, &l->records) == 0)
        value_json_parse(l->a, buf_slice(&text), &written, &l->diags);
    const struct value_member m[] = {{SLICE_LIT("changes"), changes_of(l->a, &l->changes)},
                                     {SLICE_LIT("errors"), errors_of(l->a, &l->diags)},
                                     {SLICE_LIT("records"), written}};
    return value_object(l->a, m, 3);
}

int component_lines_run(const struct component_ground *ground)
{
    static char line[LINE_MOST];
    struct http_transport *transport = http_transport_new();
    while (transport && fgets(line, sizeof(line), stdin)) {
        struct arena *a _cleanup_arena_ = arena_new();
        struct buf out _cleanup_buf_ = BUF_INIT(LINE_MOST);
        struct lines l = {.a = a};
        const struct value *v = NULL;
        diags_init(&l.diags, a);
        if (value_json_parse(a, slice_str(line), &v, &l.diags) < 0 ||
            value_json_write(&out, run(&l, ground, transport, v), false) < 0)
            return 1;
        printf("%s\n", buf_cstr(&out));
        fflush(stdout);
    }
    http_transport_free(transport);
    return 0;
}
