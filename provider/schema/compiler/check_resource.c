/* Checks of the components of a resource: references between them and to the configuration,
 * required inputs, and the order in which they can be made. */
#include "schemac.h"

#include <string.h>

struct context {
    const struct schema_def *schema;
    struct cloud_def *cloud;
    struct resource_component_def *self;
    size_t position; /* of self */
};

static bool has_key(const char *name)
{
    return strstr(name, "{key}") != NULL;
}

/* "subnet.private-*" for "subnet.private-{key}". */
static const char *starred(struct compilation *c, const char *name)
{
    const char *key = strstr(name, "{key}");
    return key ? text(c, "%.*s*%s", (int)(key - name), name, key + 5) : NULL;
}

/* ---- references ---- */

/* The type below `rest` inside `t`; NULL when there is no such place. */
static const struct type_def *type_below(struct compilation *c, const struct type_def *t,
                                         const char *rest)
{
    while (t && rest) {
        const char *name = text(c, "%.*s", (int)strcspn(rest, "."), rest);
        const struct type_member *m = type_member_find(t, name);
        t = m ? m->type : strcmp(t->kind, "TYPE_MAP") == 0 ? t->elem : NULL;
        rest = strchr(rest, '.');
        rest = rest ? rest + 1 : NULL;
    }
    return t;
}

static const struct type_def *resolve_config(struct compilation *c, const struct context *x,
                                             struct tmpl *t)
{
    bool secrets = strcmp(t->root, "secrets") == 0;
    const char *rest = NULL;
    const struct attr_def *a =
        t->path ? attr_by_path(x->schema->attrs, x->schema->attr_count, t->path, &rest) : NULL;
    const struct type_def *type = a && a->type ? type_below(c, a->type, rest) : NULL;
    if (!type)
        refuse(c, t->at, "\"$%s\": there is no such attribute", t->ref);
    else if (a->write_only && !secrets)
        refuse(c, t->at, "\"$%s\" is write-only: always null there; use \"$secrets\"", t->ref);
    else if (secrets && !a->write_only)
        refuse(c, t->at, "\"$%s\" is not write-only; use \"$config\"", t->ref);
    else if (a->computed && !a->optional)
        refuse(c, t->at, "\"$%s\" is never configured", t->ref);
    return type;
}

static void resolve_derived(struct compilation *c, const struct context *x, const struct tmpl *t)
{
    const char *name = t->path ? text(c, "%.*s", (int)strcspn(t->path, "."), t->path) : "";
    if (!strings_have(&x->cloud->derived, name))
        refuse(c, t->at, "\"$%s\": \"derived\" has no \"%s\"", t->ref, name);
}

/* The component whose name, as written or starred, is the longest one that the reference starts
 * with. */
static struct resource_component_def *target(struct compilation *c, const struct context *x,
                                             const char *ref, const char **ret_name,
                                             size_t *ret_position)
{
    struct resource_component_def *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < x->cloud->component_count; i++) {
        struct resource_component_def *d = x->cloud->components[i];
        const char *names[] = {d->name, starred(c, d->name)};
        for (size_t k = 0; k < 2; k++) {
            size_t len = names[k] ? strlen(names[k]) : 0;
            if (len <= best_len || strncmp(ref, names[k], len) != 0 || ref[len] != '.')
                continue;
            best = d;
            best_len = len;
            *ret_name = names[k];
            *ret_position = i;
        }
    }
    return best;
}

static const struct type_def *resolve_component(struct compilation *c, const struct context *x,
                                                struct tmpl *t)
{
    size_t position = 0;
    const struct resource_component_def *d = target(c, x, t->ref, &t->root, &position);
    if (!d) {
        refuse(c, t->at, "\"$%s\" names no component", t->ref);
        return NULL;
    }
    t->path = t->ref + strlen(t->root) + 1;
    if (d == x->self) {
        refuse(c, t->at, "\"$%s\": a component that refers to itself", t->ref);
        return NULL;
    }
    x->self->needs[position] = true;
    const struct component_attr_def *a =
        d->component ? component_attr_find(d->component, t->path) : NULL;
    if (d->component && !a)
        refuse(c, t->at, "\"$%s\": %s has no attribute \"%s\"", t->ref, d->kind, t->path);
    bool sibling = has_key(t->root);
    if (sibling && (!x->self->for_each || !d->for_each ||
                    strcmp(x->self->for_each->ref, d->for_each->ref) != 0))
        refuse(c, t->at, "\"$%s\": only a component with the same for_each has that key", t->ref);
    if (!a || (!sibling && has_key(d->name)))
        return NULL; /* an object of all */
    return type_below(c, a->type, strchr(t->path, '.') ? strchr(t->path, '.') + 1 : NULL);
}

static bool starts(const char *ref, const char *root)
{
    size_t len = strlen(root);
    return strncmp(ref, root, len) == 0 && (ref[len] == '.' || !ref[len]);
}

/* Fills in root and path; the type of what is referred to, or NULL when it is not known. */
static const struct type_def *resolve_ref(struct compilation *c, const struct context *x,
                                          struct tmpl *t)
{
    static const char *const roots[] = {"config", "secrets", "derived", "each"};
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
        if (!starts(t->ref, roots[i]))
            continue;
        t->root = roots[i];
        t->path = strchr(t->ref, '.') ? strchr(t->ref, '.') + 1 : NULL;
        if (i < 2)
            return resolve_config(c, x, t);
        if (i == 2)
            resolve_derived(c, x, t);
        else if (!x->self->for_each)
            refuse(c, t->at, "\"$%s\" in a component without for_each", t->ref);
        else if (!t->path)
            refuse(c, t->at, "\"$each\" has members: \"$each.key\"");
        return NULL;
    }
    return resolve_component(c, x, t);
}

static bool same_kind(const struct type_def *a, const struct type_def *b)
{
    if (strcmp(a->kind, "TYPE_DYNAMIC") == 0 || strcmp(b->kind, "TYPE_DYNAMIC") == 0)
        return true;
    bool sequences = (strcmp(a->kind, "TYPE_LIST") == 0 || strcmp(a->kind, "TYPE_SET") == 0) &&
                     (strcmp(b->kind, "TYPE_LIST") == 0 || strcmp(b->kind, "TYPE_SET") == 0);
    if (sequences || (strcmp(a->kind, b->kind) == 0 && a->elem))
        return same_kind(a->elem, b->elem);
    return strcmp(a->json, b->json) == 0;
}

/* `type`: what the place wants; NULL when anything goes. */
static void resolve(struct compilation *c, const struct context *x, struct tmpl *t,
                    const struct type_def *type)
{
    if (t->kind == TMPL_REF) {
        const struct type_def *got = resolve_ref(c, x, t);
        if (got && type && !t->transform && !same_kind(got, type))
            refuse(c, t->at, "\"$%s\" is a %s, but a %s is wanted", t->ref, type_text(c, got),
                   type_text(c, type));
        return;
    }
    if (t->kind == TMPL_LITERAL && type && !t->transform)
        type_check_json(c, t->at, type, t->literal);
    for (size_t i = 0; i < t->member_count; i++) {
        const struct type_def *inner = t->kind == TMPL_FIRST && !t->transform ? type : NULL;
        resolve(c, x, t->members[i].value, inner);
    }
}

/* ---- one component ---- */

static void check_name(struct compilation *c, const struct context *x)
{
    const struct resource_component_def *d = x->self;
    const char *allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
    const char *key = strstr(d->name, "{key}");
    const char *rest = key ? key + 5 : "";
    size_t len = key ? (size_t)(key - d->name) : strlen(d->name);
    if (strspn(d->name, allowed) != len || strspn(rest, allowed) != strlen(rest) || len == 0)
        refuse(c, d->at, "\"%s\" is no component name", d->name);
    if (starts(d->name, "config") || starts(d->name, "secrets") || starts(d->name, "derived") ||
        starts(d->name, "each"))
        refuse(c, d->at, "\"%s\" has another meaning in references", d->name);
    if ((key != NULL) != (d->for_each != NULL))
        refuse(c, d->at, "for_each and a name with {key} go together");
    for (size_t i = 0; i < x->position; i++) {
        if (strcmp(x->cloud->components[i]->name, d->name) == 0)
            refuse(c, d->at, "a second component \"%s\"", d->name);
    }
}

static void check_inputs(struct compilation *c, const struct context *x)
{
    const struct component_def *k = x->self->component;
    const struct tmpl *inputs = x->self->inputs;
    for (size_t i = 0; i < inputs->member_count; i++) {
        const struct tmpl_member *m = &inputs->members[i];
        const struct component_attr_def *a = component_attr_find(k, m->name);
        if (!a || !a->input || strchr(m->name, '.'))
            refuse(c, m->value->at, "%s has no input \"%s\"", k->kind, m->name);
        resolve(c, x, m->value, a ? a->type : NULL);
    }
    for (size_t i = 0; i < k->attr_count; i++) {
        bool given = !k->attrs[i].required;
        for (size_t n = 0; n < inputs->member_count && !given; n++)
            given = strcmp(inputs->members[n].name, k->attrs[i].name) == 0;
        if (!given)
            refuse(c, x->self->at, "missing input \"%s\" of %s", k->attrs[i].name, k->kind);
    }
}

static void check_after(struct compilation *c, const struct context *x)
{
    for (size_t i = 0; i < x->self->after.count; i++) {
        bool found = false;
        for (size_t k = 0; k < x->cloud->component_count; k++) {
            const char *name = x->cloud->components[k]->name;
            const char *star = starred(c, name);
            const char *after = x->self->after.items[i];
            if (strcmp(name, after) != 0 && (!star || strcmp(star, after) != 0))
                continue;
            found = true;
            x->self->needs[k] = true;
        }
        if (!found)
            refuse(c, x->self->at, "\"after\" names no component: \"%s\"", x->self->after.items[i]);
    }
}

/* The type of what a name stands for in a value of type `t`: an attribute, or a key. NULL: there is
 * no such thing. */
static const struct type_def *step_into(struct compilation *c, const struct context *x,
                                        const struct type_def *t, struct tmpl *name, bool first)
{
    const char *text = name->kind == TMPL_LITERAL ? json_string_value(name->literal) : NULL, *rest;
    if (name->kind == TMPL_REF) {
        resolve(c, x, name, NULL);
        return t && strcmp(t->kind, "TYPE_MAP") == 0 ? t->elem : NULL;
    }
    if (first) {
        const struct attr_def *a =
            text ? attr_by_path(x->schema->attrs, x->schema->attr_count, text, &rest) : NULL;
        return a && !strchr(text, '.') ? a->type : NULL;
    }
    const struct type_member *m = t && text ? type_member_find(t, text) : NULL;
    return m ? m->type : NULL;
}

static void check_attribute(struct compilation *c, const struct context *x)
{
    struct tmpl *list = x->self->attribute;
    const struct type_def *t = NULL;
    if (list->kind == TMPL_REF)
        resolve(c, x, list, NULL);
    for (size_t i = 0; i < list->member_count; i++) {
        t = step_into(c, x, t, list->members[i].value, i == 0);
        if (!t) {
            refuse(c, list->members[i].value->at, "there is no such attribute");
            return;
        }
    }
}

static void check_entry(struct compilation *c, const struct context *x)
{
    struct resource_component_def *d = x->self;
    check_name(c, x);
    if (d->for_each) {
        /* for_each itself is outside of any key */
        struct tmpl *for_each = d->for_each;
        d->for_each = NULL;
        resolve(c, x, for_each, NULL);
        d->for_each = for_each;
    }
    if (d->when)
        resolve(c, x, d->when, NULL);
    if (d->attribute)
        check_attribute(c, x);
    if (d->component)
        check_inputs(c, x);
    check_after(c, x);
}

/* ---- order ---- */

static bool is_ready(const struct cloud_def *cloud, const bool *done, size_t i)
{
    for (size_t k = 0; k < cloud->component_count; k++) {
        if (cloud->components[i]->needs[k] && !done[k])
            return false;
    }
    return true;
}

/* Follows what is not done from one to the next until one comes again. */
static const char *cycle_text(struct compilation *c, const struct cloud_def *cloud,
                              const bool *done)
{
    size_t n = cloud->component_count, at = 0;
    while (done[at])
        at++;
    for (size_t steps = 0; steps < n; steps++) {
        size_t next = 0;
        while (!cloud->components[at]->needs[next] || done[next])
            next++;
        at = next;
    }
    size_t start = at;
    const char *chain = cloud->components[start]->name;
    do {
        size_t next = 0;
        while (!cloud->components[at]->needs[next] || done[next])
            next++;
        at = next;
        chain = text(c, "%s -> %s", chain, cloud->components[at]->name);
    } while (at != start);
    return chain;
}

/* What each needs, by position in the sorted list; `from[i]` is the position before. */
static void move_needs(struct compilation *c, struct resource_component_def **sorted, size_t n,
                       const size_t *from)
{
    for (size_t i = 0; i < n; i++) {
        bool *needs = take(c, n, sizeof(*needs));
        for (size_t k = 0; k < n; k++)
            needs[k] = sorted[i]->needs[from[k]];
        sorted[i]->needs = needs;
    }
}

/* Puts components after those they need, otherwise in the file's order. */
static void order(struct compilation *c, struct cloud_def *cloud)
{
    size_t n = cloud->component_count;
    bool *done = take(c, n + 1, sizeof(*done));
    size_t *from = take(c, n + 1, sizeof(*from));
    struct resource_component_def **sorted =
        take(c, n + 1, sizeof(struct resource_component_def *));
    for (size_t placed = 0; placed < n; placed++) {
        size_t i = 0;
        while (i < n && (done[i] || !is_ready(cloud, done, i)))
            i++;
        if (i == n) {
            refuse(c, cloud->at, "components need each other: %s", cycle_text(c, cloud, done));
            return;
        }
        done[i] = true;
        from[placed] = i;
        sorted[placed] = cloud->components[i];
    }
    move_needs(c, sorted, n, from);
    cloud->components = sorted;
}

bool limit_covers(const struct limit_def *l, const char *permission)
{
    size_t len = strlen(l->permission);
    return strncmp(permission, l->permission, len) == 0 &&
           (permission[len] == ':' || !permission[len]);
}

static void check_limits(struct compilation *c, const struct cloud_def *cloud)
{
    struct strings all = permissions_of(c, cloud);
    for (size_t i = 0; i < cloud->limit_count; i++) {
        bool used = false;
        for (size_t k = 0; k < all.count && !used; k++)
            used = limit_covers(&cloud->limits[i], all.items[k]);
        if (!used)
            refuse(c, cloud->limits[i].at, "no permission is limited by it");
    }
    if (strings_have(&all, "iam:PassRole") != (cloud->passed_to.count > 0))
        refuse(c, cloud->at, "\"passed_to\" goes with the permission iam:PassRole");
}

/* The objects in a cluster are the same on every cloud that has one. */
bool is_in_cluster(const struct component_def *d)
{
    return strcmp(d->cloud, "kubernetes") == 0;
}

void check_resource(struct compilation *c, struct schema_def *s)
{
    for (size_t i = 0; i < s->cloud_count; i++) {
        struct cloud_def *cloud = &s->clouds[i];
        for (size_t k = 0; k < cloud->component_count; k++) {
            struct resource_component_def *d = cloud->components[k];
            d->needs = take(c, cloud->component_count, sizeof(*d->needs));
            d->component = component_find(c, d->kind);
            if (!d->component ||
                (strcmp(d->component->cloud, cloud->cloud) != 0 && !is_in_cluster(d->component)))
                refuse(c, d->at, "components/%s has no kind \"%s\"", cloud->cloud, d->kind);
        }
        for (size_t k = 0; k < cloud->component_count; k++) {
            struct context x = {s, cloud, cloud->components[k], k};
            check_entry(c, &x);
        }
        order(c, cloud);
        if (!c->errors)
            check_limits(c, cloud);
    }
}
