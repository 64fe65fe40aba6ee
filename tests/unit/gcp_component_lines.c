/* Makes, reads, finds, changes and destroys single objects by their tables, the engine and the GCP
 * driver: the counterpart of gcp_component_live.py.
 *
 * A line of standard input: {"kind", "name", "do": "create" | "read" | "find" | "update" |
 * "destroy", "inputs", "attrs": what is recorded, "block"}. What is written: {"found", "owned",
 * "attrs", "differs": the inputs that are not as wanted} or {"class", "code", "message"}. */
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "gcp/driver.h"
#include "hurried_clock.h"
#include "resources/tables.h"
#include "value/codec.h"

enum { LINE_MOST = 1 << 20 };

struct line {
    struct arena *a;
    struct diags diags;
    const struct value *v;
    struct engine engine;
    struct work work;
    struct object o;
    const struct value *desired;
};

static const struct component *component_of(const char *kind)
{
    for (size_t i = 0; i < all_component_count; i++)
        if (strcmp(all_components[i]->kind, kind) == 0)
            return all_components[i];
    return NULL;
}

static void nothing_to_note(void *self, const struct object *o)
{
    (void)self;
    (void)o;
}

/* What the resource wants: the inputs in their types, with the owner's tags. */
static const struct value *wanted(struct line *l)
{
    const struct component *c = l->o.component;
    const struct value *inputs = value_get(l->v, "inputs"), *all = value_object(l->a, NULL, 0);
    const struct value *owner =
        gcp_driver.owner_tags(l->a, l->engine.resource_type, l->engine.name, l->o.name);
    for (size_t i = 0; all && i < c->attr_count; i++) {
        const struct component_attr *attr = &c->attrs[i];
        const struct value *v = value_get(inputs, attr->name);
        if (attr->owner)
            v = owner;
        for (size_t k = 0; attr->tags && k < value_count(owner); k++)
            v = value_with(l->a, v ? v : value_object(l->a, NULL, 0), owner->members[k].key.ptr,
                           owner->members[k].value);
        v = v ? value_convert(l->a, v, attr->type, NULL, &l->diags) : NULL;
        if (v)
            all = value_with(l->a, all, attr->name, v);
    }
    return all;
}

/* What is recorded, in the types of the table. */
static const struct value *recorded(struct line *l)
{
    const struct component *c = l->o.component;
    const struct value *attrs = value_get(l->v, "attrs"), *all = value_object(l->a, NULL, 0);
    for (size_t i = 0; all && i < c->attr_count; i++) {
        const struct value *v = value_get(attrs, c->attrs[i].name);
        v = v ? value_convert(l->a, v, c->attrs[i].type, NULL, &l->diags) : NULL;
        if (v)
            all = value_with(l->a, all, c->attrs[i].name, v);
    }
    return all;
}

static const struct value *over(struct arena *a, const struct value *low, const struct value *high)
{
    for (size_t i = 0; i < value_count(high); i++)
        low = value_with(a, low, high->members[i].key.ptr, high->members[i].value);
    return low;
}

static int update(struct line *l)
{
    const char *const *names = NULL;
    size_t count = 0;
    l->o.prior = l->o.attrs;
    if (compare_attrs(l->a, &l->engine, l->o.component, l->desired, l->o.attrs, &names, &count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (component_attr_find(l->o.component, names[i])->change != COMPONENT_UPDATE)
            return -1;
    l->o.attrs = over(l->a, l->o.attrs, l->desired);
    return object_update(&l->o, names, count);
}

static int act(struct line *l, const char *verb, bool *found)
{
    struct object *o = &l->o;
    enum object_found f = OBJECT_FOUND;
    o->attrs = recorded(l);
    if (strcmp(verb, "update") == 0)
        return update(l);
    if (strcmp(verb, "read") == 0 || strcmp(verb, "destroy") == 0) {
        f = strcmp(verb, "read") == 0 ? object_read(o, true) : OBJECT_GONE;
        *found = f == OBJECT_FOUND;
        return f == OBJECT_FAILED ? -1 : *verb == 'd' ? object_destroy(o) : 0;
    }
    o->attrs = l->desired;
    if (strcmp(verb, "create") == 0)
        return object_create(o, false);
    f = object_find(o);
    *found = f == OBJECT_FOUND;
    return f == OBJECT_FAILED ? -1 : 0;
}

static const struct value *outcome(struct line *l, bool found)
{
    const char *const *names = NULL;
    size_t count = 0;
    if (compare_attrs(l->a, &l->engine, l->o.component, l->desired, l->o.attrs, &names, &count) < 0)
        return NULL;
    const struct value **list = arena_calloc(l->a, count + 1, sizeof(*list));
    for (size_t i = 0; list && i < count; i++)
        list[i] = value_str(l->a, names[i]);
    const struct value_member m[] = {
        {SLICE_LIT("attrs"), l->o.attrs},
        {SLICE_LIT("differs"), list ? value_tuple(l->a, list, count) : NULL},
        {SLICE_LIT("found"), value_bool(l->a, found)},
        {SLICE_LIT("owned"), value_bool(l->a, found && object_is_owned(&l->o))}};
    return value_object(l->a, m, 4);
}

static const struct value *failed(struct line *l)
{
    const struct cloud_error *e = &l->o.error;
    const struct value_member m[] = {
        {SLICE_LIT("class"), value_str(l->a, cloud_error_class_name(e->class_))},
        {SLICE_LIT("code"), value_str(l->a, e->code ? e->code : "")},
        {SLICE_LIT("message"), value_str(l->a, e->message ? e->message : "")}};
    return value_object(l->a, m, 3);
}

static const struct value *run(struct arena *a, struct http_transport *transport,
                               const struct value *v)
{
    const struct clock hurried = hurried_clock(), *clock = &hurried;
    struct line l = {.a = a, .v = v};
    bool found = true;
    diags_init(&l.diags, a);
    l.work = (struct work){clock, NULL, clock->monotonic_ms(clock->self) + 60000};
    l.engine = (struct engine){.driver = &gcp_driver,
                               .region = "us-central1",
                               .account = "test-project",
                               .partition = "",
                               .resource_type = "llm_platform_cluster",
                               .name = value_str(a, "test"),
                               .nonce = "n"};
    l.engine.client =
        gcp_driver.configure(value_get(v, "block"), transport, clock, "test/1", &l.diags);
    l.o = (struct object){.engine = &l.engine,
                          .work = &l.work,
                          .a = a,
                          .component = component_of(value_cstr(value_get(v, "kind"), "")),
                          .name = value_cstr(value_get(v, "name"), ""),
                          .diags = &l.diags,
                          .changed = nothing_to_note};
    if (!l.engine.client || !l.o.component || !(l.desired = wanted(&l)))
        return NULL;
    int rc = act(&l, value_cstr(value_get(v, "do"), ""), &found);
    const struct value *ret = rc < 0 ? failed(&l) : outcome(&l, found);
    gcp_driver.free(l.engine.client);
    return ret;
}

int main(void)
{
    static char line[LINE_MOST];
    struct http_transport *transport = http_transport_new();
    while (transport && fgets(line, sizeof(line), stdin)) {
        struct arena *a _cleanup_arena_ = arena_new();
        struct buf out _cleanup_buf_ = BUF_INIT(LINE_MOST);
        struct diags diags;
        const struct value *v = NULL;
        diags_init(&diags, a);
        if (value_json_parse(a, slice_str(line), &v, &diags) < 0)
            return 1;
        const struct value *answer = run(a, transport, v);
        if (!answer || value_json_write(&out, answer, false) < 0)
            return 1;
        printf("%s\n", buf_cstr(&out));
        fflush(stdout);
    }
    http_transport_free(transport);
    return 0;
}
