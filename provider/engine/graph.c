/* From a resource's table to a graph of components, and the inputs of each. */
#include <string.h>

#include "engine/internal.h"

enum { NODES_MOST = 4096 };

/* ---- names ---- */

/* "subnet.private-{key}" with the key put in; the name itself when it has no place for one. */
static const char *name_with_key(struct arena *a, const char *name, const char *key)
{
    const char *at = strstr(name, "{key}");
    if (!at || !key)
        return name;
    return arena_printf(a, "%.*s%s%s", (int)(at - name), name, key, at + 5);
}

/* Whether `root`, which ends in '*', stands for the nodes of `entry`. */
static bool stands_for(const char *root, const char *entry)
{
    size_t n = strlen(root);
    return n && root[n - 1] == '*' && strncmp(root, entry, n - 1) == 0 &&
           strcmp(entry + n - 1, "{key}") == 0;
}

const struct node *graph_find(const struct graph *g, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->nodes[i].name, name) == 0)
            return &g->nodes[i];
    return NULL;
}

static bool is_unsure(const struct graph *g, const char *root)
{
    for (size_t i = 0; i < g->unsure_count; i++)
        if (strcmp(g->unsure[i], root) == 0 || stands_for(root, g->unsure[i]))
            return true;
    return false;
}

/* ---- scope ---- */

struct scope {
    const struct engine *engine;
    const struct graph *graph;
    const struct node *node; /* NULL while the graph is made */
    graph_resolve resolve;
    void *self;
};

/* A path into a value whose parents may be null or unknown. */
static const struct value *inside(struct arena *a, const struct value *v, const char *path)
{
    const struct value *found = path ? value_path(v, path) : v;
    if (value_is_unknown(found))
        return value_unknown(a, &type_dynamic);
    return value_is_null(found) ? NULL : found;
}

/* All nodes of a for_each: an object of the attribute by key. */
static const struct value *all_of(struct scope *s, struct arena *a, const char *root,
                                  const char *attr)
{
    struct value_member *m = arena_new_array(a, s->graph->count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < s->graph->count; i++) {
        const struct node *n = &s->graph->nodes[i];
        if (!n->key || !stands_for(root, n->entry->name))
            continue;
        m[count].key = slice_str(n->key);
        m[count].value = s->resolve(s->self, a, n->name, attr);
        count += m[count].value != NULL;
    }
    return m && count ? value_object(a, m, count) : NULL;
}

static int lookup(void *self, struct arena *a, const char *root, const char *path,
                  const struct value **ret)
{
    struct scope *s = self;
    const struct graph *g = s->graph;
    *ret = NULL;
    if (strcmp(root, "config") == 0) {
        *ret = inside(a, g->config, path);
    } else if (strcmp(root, "derived") == 0) {
        *ret = inside(a, g->derived, path);
    } else if (strcmp(root, "secrets") == 0) {
        *ret = inside(a, g->secrets, path);
    } else if (strcmp(root, "each") == 0) {
        bool key = path && strcmp(path, "key") == 0;
        *ret = !s->node ? NULL : key ? value_str(a, s->node->key) : inside(a, s->node->each, path);
    } else if (is_unsure(g, root)) {
        *ret = value_unknown(a, &type_dynamic);
    } else if (s->resolve && root[strlen(root) - 1] == '*') {
        *ret = all_of(s, a, root, path);
    } else if (s->resolve) {
        const char *name = name_with_key(a, root, s->node ? s->node->key : NULL);
        if (!name)
            return -1;
        *ret = graph_find(g, name) ? s->resolve(s->self, a, name, path) : NULL;
    }
    return 0;
}

/* ---- making the graph ---- */

enum presence { ABSENT, PRESENT, UNSURE };

static enum presence entry_presence(struct arena *a, struct scope *s,
                                    const struct resource_component *entry, int *rc)
{
    const struct value *v = NULL;
    if (!entry->when)
        return PRESENT;
    if (template_eval(a, entry->when, lookup, s, &v) < 0) {
        *rc = -1;
        return ABSENT;
    }
    if (value_is_unknown(v))
        return UNSURE;
    if (entry->when_equals)
        return slice_eq_str(value_slice(v), entry->when_equals) ? PRESENT : ABSENT;
    bool is_false = value_is_known(v) && v->type->kind == TYPE_BOOL && !v->boolean;
    return value_is_null(v) || is_false ? ABSENT : PRESENT;
}

static int add_node(struct arena *a, struct graph *g, const struct resource_component *entry,
                    const char *key, const struct value *each)
{
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : 32;
        g->nodes = g->room > NODES_MOST
                       ? NULL
                       : arena_grow(a, g->nodes, g->count, g->room, sizeof(*g->nodes));
        if (!g->nodes)
            return -1;
    }
    struct node *n = &g->nodes[g->count];
    *n = (struct node){
        name_with_key(a, entry->name, key), entry, entry->component, key, each, NULL, 0};
    g->count++;
    return n->name ? 0 : -1;
}

/* Whether the condition is about each member of for_each. */
static bool is_per_key(const struct resource_component *entry)
{
    return entry->when && entry->when->kind == TEMPLATE_REF &&
           strcmp(entry->when->root, "each") == 0;
}

/* One node for each member, where its own condition allows it. */
static int add_each(struct arena *a, struct graph *g, struct scope *s,
                    const struct resource_component *entry, const struct value *each)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < value_count(each); i++) {
        const struct node probe = {.key = each->members[i].key.ptr, .each = each->members[i].value};
        enum presence presence = PRESENT;
        s->node = &probe;
        if (is_per_key(entry))
            presence = entry_presence(a, s, entry, &rc);
        s->node = NULL;
        if (rc == 0 && presence == UNSURE)
            g->unsure[g->unsure_count++] = entry->name;
        if (rc < 0 || presence == UNSURE)
            break;
        if (presence == PRESENT)
            rc = add_node(a, g, entry, probe.key, probe.each);
    }
    return rc;
}

static int add_entry(struct arena *a, struct graph *g, struct scope *s,
                     const struct resource_component *entry)
{
    int rc = 0;
    const struct value *each = NULL;
    enum presence presence = is_per_key(entry) ? PRESENT : entry_presence(a, s, entry, &rc);
    if (rc == 0 && presence == PRESENT && entry->for_each)
        rc = template_eval(a, entry->for_each, lookup, s, &each);
    if (rc < 0 || presence == ABSENT)
        return rc;
    if (presence == UNSURE || value_is_unknown(each)) {
        g->unsure[g->unsure_count++] = entry->name;
        return 0;
    }
    if (!entry->for_each)
        return add_node(a, g, entry, NULL, NULL);
    return add_each(a, g, s, entry, each);
}

/* ---- dependencies ---- */

static int add_dep(struct arena *a, struct graph *g, struct node *n, size_t dep)
{
    for (size_t i = 0; i < n->dep_count; i++)
        if (n->deps[i] == dep)
            return 0;
    n->deps = arena_grow(a, n->deps, n->dep_count, n->dep_count + 1, sizeof(*n->deps));
    if (!n->deps)
        return -1;
    n->deps[n->dep_count++] = dep;
    (void)g;
    return 0;
}

static int add_root(struct arena *a, struct graph *g, struct node *n, const char *root)
{
    const char *name = name_with_key(a, root, n->key);
    if (!name)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        const struct node *other = &g->nodes[i];
        bool meant = strcmp(other->name, name) == 0 ||
                     (root[0] && stands_for(root, other->entry->name)) ||
                     strcmp(other->entry->name, name) == 0;
        if (meant && other != n && add_dep(a, g, n, i) < 0)
            return -1;
    }
    return 0;
}

static int add_template_deps(struct arena *a, struct graph *g, struct node *n,
                             const struct template *t)
{
    if (t->kind == TEMPLATE_REF)
        return add_root(a, g, n, t->root);
    for (size_t i = 0; i < t->member_count; i++)
        if (add_template_deps(a, g, n, t->members[i].value) < 0)
            return -1;
    return 0;
}

static int add_deps(struct arena *a, struct graph *g, struct node *n)
{
    if (n->entry->inputs && add_template_deps(a, g, n, n->entry->inputs) < 0)
        return -1;
    for (size_t i = 0; i < n->entry->after_count; i++)
        if (add_root(a, g, n, n->entry->after[i]) < 0)
            return -1;
    return 0;
}

int graph_expand(struct arena *a, const struct resource_cloud *table, const struct value *config,
                 const struct value *derived, const struct value *secrets, struct graph **ret,
                 bool *ret_partial, struct diags *diags)
{
    struct graph *g = arena_new_object(a, struct graph);
    int rc = g ? 0 : -1;
    if (g) {
        *g = (struct graph){
            .table = table, .config = config, .derived = derived, .secrets = secrets};
        g->unsure = arena_calloc(a, table->component_count, sizeof(*g->unsure));
        rc = g->unsure ? 0 : -1;
    }
    struct scope s = {.graph = g};
    for (size_t i = 0; rc == 0 && i < table->component_count; i++)
        rc = add_entry(a, g, &s, &table->components[i]);
    for (size_t i = 0; rc == 0 && i < g->count; i++)
        rc = add_deps(a, g, &g->nodes[i]);
    if (rc < 0)
        return diags_error(diags, NULL, "The components could not be laid out",
                           "Memory ran out, or there are more than %d of them.", NODES_MOST);
    *ret = g;
    *ret_partial = g->unsure_count > 0;
    return 0;
}

/* ---- attributes ---- */

/* One step further: `name` is an attribute of an object, or a key of a map. NULL: `v` has it not.
 */
static const struct path *path_into(struct arena *a, const struct path *at, struct slice name,
                                    const struct value **v)
{
    bool map = value_is_known(*v) && (*v)->type->kind == TYPE_MAP;
    const char *text = arena_strndup(a, name.ptr, name.len);
    *v = value_is_known(*v) && (map || (*v)->type->kind == TYPE_OBJECT) ? value_get_slice(*v, name)
                                                                        : NULL;
    if (!text || value_is_null(*v))
        return NULL;
    return map ? path_key(a, at, name) : path_attribute(a, at, text);
}

const struct path *graph_path(struct arena *a, const struct graph *g, const struct node *n)
{
    struct scope s = {.graph = g, .node = n};
    const struct value *names = NULL, *v = g->config;
    const struct path *path = NULL, *next = NULL;
    if (!n->entry->attribute || template_eval(a, n->entry->attribute, lookup, &s, &names) < 0 ||
        !value_is_known(names))
        return NULL;
    for (size_t i = 0; i < value_count(names); i++) {
        next = path_into(a, path, value_slice(value_at(names, i)), &v);
        if (!next)
            break;
        path = next;
    }
    return path;
}

/* ---- a graph of what is there ---- */

/* The key in a name that an entry has given, or NULL when it is not one of those. Owned by `a`. */
static const char *key_of(struct arena *a, const struct resource_component *entry, const char *name)
{
    const char *at = strstr(entry->name, "{key}");
    size_t before = at ? (size_t)(at - entry->name) : 0, after = at ? strlen(at + 5) : 0,
           len = strlen(name);
    if (!at || len <= before + after || strncmp(name, entry->name, before) != 0 ||
        strcmp(name + len - after, at + 5) != 0)
        return NULL;
    return arena_strndup(a, name + before, len - before - after);
}

/* Of several patterns that fit a name, the longest is meant: "addon.coredns" before "addon.{key}".
 */
static int add_record(struct arena *a, struct graph *g, const struct record *r)
{
    const struct resource_component *best = NULL;
    const char *best_key = NULL;
    for (size_t i = 0; i < g->table->component_count; i++) {
        const struct resource_component *entry = &g->table->components[i];
        const char *key = entry->for_each ? key_of(a, entry, r->name) : NULL;
        bool fits = entry->component == r->component &&
                    (key || (!entry->for_each && strcmp(entry->name, r->name) == 0));
        bool better = !best || (best_key && (!key || strlen(key) < strlen(best_key)));
        if (fits && better) {
            best = entry;
            best_key = key;
        }
    }
    if (!best || graph_find(g, r->name))
        return 0;
    return add_node(a, g, best, best_key, value_object(a, NULL, 0));
}

struct graph *graph_of_records(struct arena *a, const struct resource_cloud *table,
                               const struct value *config, const struct records *known,
                               const struct records *more)
{
    struct graph *g = arena_new_object(a, struct graph);
    int rc = g ? 0 : -1;
    if (g)
        *g = (struct graph){.table = table, .config = config};
    for (size_t i = 0; rc == 0 && known && i < known->count; i++)
        rc = add_record(a, g, &known->items[i]);
    for (size_t i = 0; rc == 0 && more && i < more->count; i++)
        rc = add_record(a, g, &more->items[i]);
    return rc == 0 ? g : NULL;
}

bool graph_same_each(const struct resource_component *e1, const struct resource_component *e2)
{
    const struct template *x = e1->for_each, *y = e2->for_each;
    return x && y && x->kind == TEMPLATE_REF && y->kind == TEMPLATE_REF &&
           strcmp(x->root, y->root) == 0 &&
           strcmp(x->path ? x->path : "", y->path ? y->path : "") == 0;
}

int graph_add_key(struct arena *a, struct graph *g, const struct resource_component *entry,
                  const char *key)
{
    size_t from = g->count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < g->table->component_count; i++) {
        const struct resource_component *e = &g->table->components[i];
        const char *name = name_with_key(a, e->name, key);
        if (!name)
            return -1;
        if (graph_same_each(e, entry) && !graph_find(g, name))
            rc = add_node(a, g, e, key, value_object(a, NULL, 0));
    }
    for (size_t i = from; rc == 0 && i < g->count; i++)
        rc = add_deps(a, g, &g->nodes[i]);
    return rc;
}

/* ---- inputs ---- */

struct merge {
    struct value_member *members;
    size_t count;
    bool unknown;
};

static void merge_map(struct merge *m, const struct value *v)
{
    m->unknown |= value_is_unknown(v);
    for (size_t i = 0; i < value_count(v); i++)
        if (!value_is_null(v->members[i].value))
            m->members[m->count++] = v->members[i];
}

/* The provider's default tags, the resource's, the owner tags, then what the table says. The
 * resource's are for its own cloud: another one's may have other rules. */
static const struct value *merged_tags(struct arena *a, const struct engine *e,
                                       const struct node *n, const struct value *own)
{
    const struct engine_cloud at = engine_cloud_of(e, n->component);
    const struct value *maps[4] = {at.client ? at.driver->default_tags(at.client, a) : NULL,
                                   at.driver == e->driver ? e->tags : NULL,
                                   at.driver->owner_tags(a, e->resource_type, e->name, n->name),
                                   own};
    size_t most = 2;
    for (size_t i = 0; i < 4; i++)
        most += value_count(maps[i]);
    struct merge m = {arena_new_array(a, most, struct value_member), 0, false};
    for (size_t i = 0; m.members && i < 4; i++)
        merge_map(&m, maps[i]);
    if (m.members && e->claim && e->claimed && at.driver->claim_tag &&
        strcmp(n->name, e->claimed) == 0)
        m.members[m.count++] =
            (struct value_member){slice_str(at.driver->claim_tag), value_str(a, e->claim)};
    if (m.unknown)
        return value_unknown(a, &type_map_of_string);
    return m.members ? value_map(a, &type_string, m.members, m.count) : NULL;
}

static const struct value *typed_inputs(struct arena *a, const struct engine *e,
                                        const struct node *n, const struct value *raw,
                                        struct diags *diags)
{
    const struct component *c = n->component;
    struct value_member *m = arena_new_array(a, c->attr_count, struct value_member);
    size_t count = 0, before = diags->errors;
    for (size_t i = 0; m && i < c->attr_count; i++) {
        const struct component_attr *attr = &c->attrs[i];
        const struct value *v = attr->input ? value_get(raw, attr->name) : NULL;
        if (attr->tags && attr->input)
            v = merged_tags(a, e, n, v);
        else if (attr->owner && attr->input)
            v = engine_cloud_of(e, c).driver->owner_tags(a, e->resource_type, e->name, n->name);
        if (!v || value_is_null(v))
            continue;
        m[count].key = slice_str(attr->name);
        m[count].value = value_convert(a, v, attr->type, NULL, diags);
        if (!m[count++].value)
            break;
    }
    const struct value *inputs = m && diags->errors == before ? value_object(a, m, count) : NULL;
    if (!inputs)
        diags_error(diags, NULL, "The inputs of a component do not fit",
                    "Component %s of kind %s: a value has another type than its table says.",
                    n->name, c->kind);
    return inputs;
}

const struct value *graph_inputs(struct arena *a, const struct engine *e, const struct graph *g,
                                 const struct node *n, graph_resolve resolve, void *self,
                                 struct diags *diags)
{
    struct scope s = {e, g, n, resolve, self};
    const struct value *raw = NULL;
    if (n->entry->inputs && template_eval(a, n->entry->inputs, lookup, &s, &raw) < 0) {
        diags_error(diags, NULL, "The inputs of a component could not be worked out",
                    "Component %s of kind %s.", n->name, n->component->kind);
        return NULL;
    }
    return typed_inputs(a, e, n, raw, diags);
}
