/* The search for objects of a resource by their owner tags or names: for imports, and for what an
 * interrupted apply has left. */
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

struct search {
    struct arena *a;
    const struct engine *engine;
    const struct work *work;
    const struct graph *graph;
    struct records *found;
    struct diags *diags;
    pthread_mutex_t lock;
    const struct records *known; /* not looked for; NULL: none */
    const struct graph *wanted;  /* what was looked for already; NULL: nothing */
};

/* Whether a component's object is known, and was there when it was last read. */
static bool is_known(const struct records *known, const char *name)
{
    const struct record *r = known ? records_find(known, name) : NULL;
    return r && !r->missing;
}

static const struct value *found_attr(void *self, struct arena *a, const char *component,
                                      const char *attr)
{
    struct search *s = self;
    pthread_mutex_lock(&s->lock);
    const struct value *v = is_known(s->known, component) ? records_attr(s->known, component, attr)
                                                          : records_attr(s->found, component, attr);
    const struct value *copy = v ? value_copy(a, v) : NULL;
    pthread_mutex_unlock(&s->lock);
    return copy ? copy : value_unknown(a, &type_dynamic);
}

/* Inputs that reading does not answer are taken to be as wanted; so are those of which it answers
 * all, and what the cloud has filled in. */
static const struct value *with_unread(struct arena *a, const struct component *c,
                                       const struct value *attrs, const struct value *inputs)
{
    for (size_t i = 0; attrs && i < value_count(inputs); i++) {
        const char *name = inputs->members[i].key.ptr;
        const struct component_attr *attr = component_attr_find(c, name);
        bool unread = attr && !attr->read_path && !attr->sensitive &&
                      value_is_wholly_known(inputs->members[i].value);
        if (unread ||
            (attr && attr_includes(a, attr, value_get(attrs, name), inputs->members[i].value)))
            attrs = value_with(a, attrs, name, inputs->members[i].value);
    }
    for (size_t i = 0; attrs && i < c->attr_count; i++)
        if (c->attrs[i].if_set && !value_get(inputs, c->attrs[i].name))
            attrs = value_with(a, attrs, c->attrs[i].name, value_null(a, c->attrs[i].type));
    return attrs;
}

/* The same again when all are found: some of them may come from components that were found later.
 */
static int complete_found(struct search *s)
{
    for (size_t i = 0; i < s->graph->count; i++) {
        const struct node *n = &s->graph->nodes[i];
        struct record *r = records_find(s->found, n->name);
        struct diags ignored;
        diags_init(&ignored, s->a);
        const struct value *inputs =
            r ? graph_inputs(s->a, s->engine, s->graph, n, found_attr, s, &ignored) : NULL;
        if (r && inputs && !(r->attrs = with_unread(s->a, n->component, r->attrs, inputs)))
            return diags_error(s->diags, NULL, "Out of memory", "Nothing was looked for.");
    }
    return 0;
}

static int keep_found(struct search *s, const struct node *n, struct object *o,
                      const struct value *inputs)
{
    const char **needs = arena_calloc(o->a, n->dep_count, sizeof(*needs));
    for (size_t i = 0; needs && i < n->dep_count; i++)
        needs[i] = s->graph->nodes[n->deps[i]].name;
    o->attrs = with_unread(o->a, n->component, o->attrs, inputs);
    const struct record rec = {.name = n->name,
                               .component = n->component,
                               .region = s->engine->region,
                               .attrs = o->attrs,
                               .needs = needs,
                               .need_count = n->dep_count};
    pthread_mutex_lock(&s->lock);
    int rc = needs && rec.attrs ? records_put(s->a, s->found, &rec) : -1;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static struct object search_object(const struct search *s, const struct node *n, struct arena *a,
                                   const struct value *inputs, struct diags *diags)
{
    return (struct object){.engine = s->engine,
                           .work = s->work,
                           .a = a,
                           .component = n->component,
                           .name = n->name,
                           .attrs = inputs,
                           .diags = diags};
}

/* Whether a search would ask with a required input that is not there: an object that is only half
 * made does not say it yet. */
static bool asks_with_nothing(const struct component *c, const struct template *t,
                              const struct value *inputs)
{
    if (t->kind == TEMPLATE_REF) {
        const struct component_attr *attr =
            !*t->root && t->path ? component_attr_find(c, t->path) : NULL;
        return attr && attr->required && value_is_null(value_get(inputs, t->path));
    }
    for (size_t i = 0; i < t->member_count; i++)
        if (asks_with_nothing(c, t->members[i].value, inputs))
            return true;
    return false;
}

static int search_job(void *self, size_t index)
{
    struct search *s = self;
    const struct node *n = &s->graph->nodes[index];
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags diags;
    if (!a)
        return -1;
    if (!n->component->find.op || is_known(s->known, n->name))
        return 0;
    diags_init(&diags, a);
    const struct value *inputs = graph_inputs(a, s->engine, s->graph, n, found_attr, s, &diags);
    struct object o = search_object(s, n, a, inputs, &diags);
    const struct value *request = NULL;
    /* What cannot be asked for yet belongs to an object that was not found either. */
    if (!inputs || asks_with_nothing(n->component, n->component->find.request, inputs) ||
        object_eval(&o, n->component->find.request, &request) < 0 ||
        !value_is_wholly_known(request))
        return 0;
    enum object_found found = object_find(&o);
    if (found == OBJECT_FAILED) {
        object_report(&o, "looking for the");
        pthread_mutex_lock(&s->lock);
        diags_merge(s->diags, &diags);
        pthread_mutex_unlock(&s->lock);
        return -1;
    }
    return found == OBJECT_FOUND && object_is_owned(&o) ? keep_found(s, n, &o, inputs) : 0;
}

static const struct value *not_found_yet(void *self, struct arena *a, const char *component,
                                         const char *attr)
{
    (void)self;
    (void)component;
    (void)attr;
    return value_unknown(a, &type_dynamic);
}

/* True when the request needs nothing of another component: such a search waits for no other. */
static bool stands_alone(struct search *s, const struct node *n)
{
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags ignored;
    if (!n->component->find.op)
        return true;
    if (!a)
        return false;
    diags_init(&ignored, a);
    const struct value *inputs =
        graph_inputs(a, s->engine, s->graph, n, not_found_yet, NULL, &ignored);
    struct object o = search_object(s, n, a, inputs, &ignored);
    const struct value *request = NULL;
    return inputs && object_eval(&o, n->component->find.request, &request) == 0 &&
           value_is_wholly_known(request);
}

/* ---- what other settings have made ---- */

/* What is left of the listed names behind `prefix`, with which those of an entry begin. */
static const struct value *without_prefix(struct arena *a, const struct value *names,
                                          struct slice prefix)
{
    const struct value *keys = value_tuple(a, NULL, 0);
    for (size_t i = 0; keys && i < value_count(names); i++) {
        struct slice name = value_slice(value_at(names, i));
        bool begins = name.len > prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) == 0;
        const struct value *key =
            begins ? value_string(a, (struct slice){name.ptr + prefix.len, name.len - prefix.len})
                   : NULL;
        if (key)
            keys = value_tuple_join(a, keys, value_tuple(a, &key, 1));
    }
    return keys;
}

/* The keys that an entry's for_each has in the cloud; NULL: none, or they cannot be asked for. With
 * an empty key, the name of one is what the names of all begin with. */
static const struct value *listed_keys(struct search *s, const struct resource_component *entry,
                                       struct diags *diags)
{
    const struct node probe = {.name = entry->name,
                               .entry = entry,
                               .component = entry->component,
                               .key = "",
                               .each = value_object(s->a, NULL, 0)};
    const struct value *inputs =
        graph_inputs(s->a, s->engine, s->graph, &probe, found_attr, s, diags);
    struct object o = search_object(s, &probe, s->a, inputs, diags);
    const struct value *request = NULL, *names = NULL;
    const struct component_read *list = &entry->component->list;
    const char *id = list->match_attr ? list->match_attr : entry->component->id_attr;
    const struct value *prefix = component_attr_find(entry->component, id)->input
                                     ? value_get(inputs, id)
                                     : value_str(s->a, "");
    if (!inputs || !value_is_known(prefix) ||
        asks_with_nothing(entry->component, list->request, inputs) ||
        object_eval(&o, list->request, &request) < 0 || !value_is_wholly_known(request))
        return NULL;
    if (object_list(&o, list, &names) == OBJECT_FAILED)
        object_report(&o, "listing each");
    return names ? without_prefix(s->a, names, value_slice(prefix)) : NULL;
}

/* Whether the keys of its for_each have been listed with another entry. */
static bool is_listed_before(const struct resource_cloud *table, size_t index, const bool *listed)
{
    for (size_t i = 0; i < index; i++)
        if (listed[i] && graph_same_each(&table->components[i], &table->components[index]))
            return true;
    return false;
}

/* Looks for what belongs to a key, of which there is no node yet. 0, or -1 when memory is out. */
static int find_of_key(struct search *s, struct graph *g, const struct resource_component *entry,
                       const char *key)
{
    size_t from = g->count;
    if (graph_add_key(s->a, g, entry, key) < 0)
        return -1;
    for (size_t k = from; k < g->count; k++)
        if (!s->wanted || !graph_find(s->wanted, g->nodes[k].name))
            search_job(s, k);
    return 0;
}

/* Of a key of which something was found, other settings may have made more (a NAT gateway in a zone
 * that shares one now). */
static int find_more_of_found(struct search *s, struct graph *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct node n = g->nodes[i];
        if (n.key && records_find(s->found, n.name) && find_of_key(s, g, n.entry, n.key) < 0)
            return -1;
    }
    return 0;
}

/* Settings that are wanted no more may have made objects under keys that nothing asks for now: they
 * are in no graph, and the records of the apply that has made them may be lost. What the cloud
 * lists is looked for by those keys; tags say whether it is this resource's. */
static int find_others(struct search *s, const struct resource_cloud *table)
{
    struct diags quiet;
    struct graph *g =
        graph_of_records(s->a, table, s->graph ? s->graph->config : NULL, s->known, s->found);
    diags_init(&quiet, s->a);
    if (!g)
        return -1;
    s->graph = g;
    s->diags = &quiet;
    bool *listed = arena_calloc(s->a, table->component_count, sizeof(*listed));
    if (find_more_of_found(s, g) < 0)
        return -1;
    for (size_t i = 0; listed && i < table->component_count; i++) {
        const struct resource_component *entry = &table->components[i];
        if (!entry->for_each || !entry->component->list.op || is_listed_before(table, i, listed))
            continue;
        const struct value *keys = listed_keys(s, entry, &quiet);
        listed[i] = keys != NULL;
        for (size_t k = 0; k < value_count(keys); k++)
            if (find_of_key(s, g, entry, value_cstr(value_at(keys, k), "")) < 0)
                return -1;
    }
    for (const struct diag *d = quiet.first; d; d = d->next)
        log_at(LOG_WARN, "Objects of other settings could not be looked for",
               LOG_STR("why", d->detail));
    return arena_failed(s->a) ? -1 : 0;
}

int engine_find_others(struct arena *a, const struct engine *e, const struct work *w,
                       const struct resource_cloud *table, const struct value *config,
                       const struct records *known, struct records *ret)
{
    const struct graph only = {.table = table, .config = config};
    struct search s = {a, e, w, &only, ret, NULL, PTHREAD_MUTEX_INITIALIZER, known, NULL};
    *ret = (struct records){NULL, 0};
    int rc = known->count ? find_others(&s, table) : 0;
    pthread_mutex_destroy(&s.lock);
    return rc;
}

/* ---- all of it ---- */

static int find(struct arena *a, const struct engine *e, const struct work *w,
                const struct graph *g, const struct records *known, struct records *ret,
                struct diags *diags)
{
    *ret = (struct records){NULL, 0};
    struct search s = {a, e, w, g, ret, diags, PTHREAD_MUTEX_INITIALIZER, known, g};
    enum schedule_status *status = arena_calloc(a, g->count, sizeof(*status));
    size_t *dep_counts = arena_calloc(a, g->count, sizeof(*dep_counts));
    const size_t **deps = arena_calloc(a, g->count, sizeof(*deps));
    if (!status || !dep_counts || !deps)
        return diags_error(diags, NULL, "Out of memory", "Nothing was looked for.");
    for (size_t i = 0; i < g->count; i++) {
        deps[i] = g->nodes[i].deps;
        dep_counts[i] = stands_alone(&s, &g->nodes[i]) ? 0 : g->nodes[i].dep_count;
    }
    struct schedule sch = {.count = g->count,
                           .deps = deps,
                           .dep_counts = dep_counts,
                           .run = search_job,
                           .self = &s,
                           .cancel = w->cancel,
                           .keep_going = true,
                           .status = status};
    int rc = schedule_run(&sch);
    if (complete_found(&s) < 0)
        rc = -1;
    /* Of a resource of which there is nothing, there is nothing else either. */
    if ((ret->count || (known && known->count)) && find_others(&s, g->table) < 0)
        rc = -1;
    pthread_mutex_destroy(&s.lock);
    return rc;
}

int engine_find(struct arena *a, const struct engine *e, const struct work *w,
                const struct graph *g, struct records *ret, struct diags *diags)
{
    return find(a, e, w, g, NULL, ret, diags);
}

int engine_take_unread(struct arena *a, const struct engine *e, const struct graph *g,
                       const struct records *known, struct records *found, struct diags *diags)
{
    struct search s = {a, e, NULL, g, found, diags, PTHREAD_MUTEX_INITIALIZER, known, g};
    int rc = complete_found(&s);
    pthread_mutex_destroy(&s.lock);
    return rc;
}

int engine_distrust_secrets(struct arena *a, struct records *found)
{
    for (size_t i = 0; i < found->count; i++) {
        struct record *r = &found->items[i];
        for (size_t k = 0; k < r->component->attr_count; k++) {
            const char *version = r->component->attrs[k].version_of;
            if (version && r->attrs)
                r->attrs = value_with(a, r->attrs, version, value_int(a, -1));
        }
        if (!r->attrs)
            return -1;
    }
    return 0;
}

int engine_adopt(struct arena *a, const struct engine *e, const struct work *w,
                 const struct graph *g, const struct records *known, struct records *ret)
{
    /* A failed search is no reason not to create: names that are taken will say so. */
    struct diags quiet;
    diags_init(&quiet, a);
    *ret = (struct records){NULL, 0};
    bool all_known = true;
    for (size_t i = 0; i < g->count; i++)
        all_known &= is_known(known, g->nodes[i].name);
    if (all_known)
        return 0;
    find(a, e, w, g, known, ret, &quiet);
    for (size_t i = 0; i < ret->count; i++) {
        log_at(LOG_WARN, "Found an object of an interrupted apply; it is used",
               LOG_STR("component", ret->items[i].name));
        ret->items[i].incomplete = true;
    }
    return arena_failed(a) ? -1 : 0;
}
