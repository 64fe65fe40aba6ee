/* See oracle.h. Values are walked along the schema; a place is printed as the path that led there.
 */
#include "oracle.h"

#include <stdio.h>

struct oracle {
    struct buf *report;
    size_t violations;
    char place[512];
};

static void violation(struct oracle *o, const char *what)
{
    o->violations++;
    buf_printf(o->report, "%s: %s\n", o->place, what);
}

/* Appends to the place; returns its old length, to which leave() cuts it. */
static size_t enter(struct oracle *o, const char *name, size_t index)
{
    size_t len = strlen(o->place), room = sizeof(o->place) - len;
    if (name)
        snprintf(o->place + len, room, ".%s", name);
    else
        snprintf(o->place + len, room, "[%zu]", index);
    return len;
}

static void leave(struct oracle *o, size_t len)
{
    o->place[len] = '\0';
}

/* ---- a valid plan ---- */

static void plan_attrs(struct oracle *o, const struct schema_attr *attrs, size_t count,
                       const struct value *prior, const struct value *config,
                       const struct value *planned);

/* The element of `v` that corresponds to the i-th one of `like`. */
static const struct value *element_like(const struct value *like, size_t i, const struct value *v)
{
    if (like->type->kind == TYPE_MAP || like->type->kind == TYPE_OBJECT)
        return value_get_slice(v, like->members[i].key);
    return value_at(v, i);
}

static void plan_elements(struct oracle *o, const struct schema_attr *a, const struct value *prior,
                          const struct value *config, const struct value *planned)
{
    if (value_count(planned) != value_count(config)) {
        violation(o, "another number of elements than the configuration has");
        return;
    }
    for (size_t i = 0; i < value_count(planned) && a->nesting != SCHEMA_NESTING_SET; i++) {
        const struct value *c = element_like(planned, i, config);
        size_t len = enter(o, NULL, i);
        if (!c)
            violation(o, "the configuration has no such key");
        else if (value_is_known(c) && value_is_known(value_at(planned, i)))
            plan_attrs(o, a->attrs, a->attr_count, element_like(planned, i, prior), c,
                       value_at(planned, i));
        else if (!value_equal(c, value_at(planned, i)))
            violation(o, "a null or unknown element is planned otherwise");
        leave(o, len);
    }
}

static void plan_nested(struct oracle *o, const struct schema_attr *a, const struct value *prior,
                        const struct value *config, const struct value *planned)
{
    if (value_is_null(planned) != value_is_null(config))
        violation(o, "present in only one of plan and configuration");
    else if (value_is_unknown(planned))
        violation(o, "unknown, although it is configured");
    else if (value_is_null(planned))
        return;
    else if (value_is_unknown(config))
        violation(o, "known, although the configuration is unknown");
    else if (a->nesting == SCHEMA_NESTING_SINGLE)
        plan_attrs(o, a->attrs, a->attr_count, prior, config, planned);
    else
        plan_elements(o, a, prior, config, planned);
}

static void plan_attr(struct oracle *o, const struct schema_attr *a, const struct value *prior,
                      const struct value *config, const struct value *planned)
{
    bool computed = (a->flags & SCHEMA_COMPUTED) != 0, optional = (a->flags & SCHEMA_OPTIONAL) != 0;
    if ((a->flags & SCHEMA_WRITE_ONLY) && !value_is_null(planned))
        violation(o, "a write-only value in the plan");
    if (value_equal(planned, config))
        return;
    if (!value_is_null(prior) && !value_is_null(config) && value_equal(planned, prior))
        return;
    if (computed && (!optional || value_is_null(config)))
        return;
    if (value_is_null(config))
        violation(o, "a value for an attribute that is neither configured nor computed");
    else if (value_is_null(planned) && (a->flags & SCHEMA_WRITE_ONLY))
        return;
    else if (a->nesting != SCHEMA_NESTING_NONE)
        plan_nested(o, a, prior, config, planned);
    else
        violation(o, "neither the configured nor the prior value");
}

static void plan_attrs(struct oracle *o, const struct schema_attr *attrs, size_t count,
                       const struct value *prior, const struct value *config,
                       const struct value *planned)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = attrs[i].name;
        const struct value *p = value_get(planned, name);
        size_t len = enter(o, name, 0);
        if (!p || (attrs[i].type->kind != TYPE_DYNAMIC && !type_equal(p->type, attrs[i].type)))
            violation(o, "no value of the schema's type");
        else
            plan_attr(o, &attrs[i], value_get(prior, name), value_get(config, name), p);
        leave(o, len);
    }
}

size_t oracle_plan_valid(const struct schema *s, const struct value *prior,
                         const struct value *config, const struct value *planned,
                         struct buf *report)
{
    struct oracle o = {.report = report};
    if (value_is_null(planned) || value_is_null(config)) {
        if (value_is_null(planned) != value_is_null(config))
            violation(&o, "absent in only one of plan and configuration");
        return o.violations;
    }
    plan_attrs(&o, s->attrs, s->attr_count, prior, config, planned);
    if (s->has_timeouts &&
        !value_equal(value_get(planned, "timeouts"), value_get(config, "timeouts")))
        violation(&o, "the timeouts block is not as configured");
    return o.violations;
}

/* ---- a completion of a plan ---- */

static void complete(struct oracle *o, const struct value *planned, const struct value *actual);

static bool completes(const struct value *planned, const struct value *actual)
{
    struct buf nowhere = BUF_INIT(0);
    struct oracle o = {.report = &nowhere};
    complete(&o, planned, actual);
    buf_clean_up(&nowhere);
    return o.violations == 0;
}

/* Every element has a counterpart on the other side; the set does not grow. */
static void complete_set(struct oracle *o, const struct value *planned, const struct value *actual)
{
    for (int side = 0; side < 2; side++) {
        const struct value *mine = side ? actual : planned, *other = side ? planned : actual;
        for (size_t i = 0; i < value_count(mine); i++) {
            bool found = false;
            for (size_t k = 0; k < value_count(other) && !found; k++)
                found = side ? completes(value_at(other, k), value_at(mine, i))
                             : completes(value_at(mine, i), value_at(other, k));
            if (!found)
                violation(o,
                          side ? "an element that was not planned" : "a planned element is gone");
        }
    }
    if (value_count(planned) < value_count(actual))
        violation(o, "the set grew");
}

static void complete_members(struct oracle *o, const struct value *planned,
                             const struct value *actual)
{
    if (value_count(planned) != value_count(actual)) {
        violation(o, "another number of elements than planned");
        return;
    }
    for (size_t i = 0; i < value_count(planned); i++) {
        const struct value *a = element_like(planned, i, actual);
        struct slice key = planned->members[i].key;
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)key.len, key.len ? key.ptr : "");
        size_t len = enter(o, key.len ? name : NULL, i);
        if (a)
            complete(o, value_at(planned, i), a);
        else
            violation(o, "a planned key is gone");
        leave(o, len);
    }
}

static void complete(struct oracle *o, const struct value *planned, const struct value *actual)
{
    if (planned->type->kind == TYPE_DYNAMIC)
        return;
    if (!type_equal(planned->type, actual->type)) {
        violation(o, "another type than planned");
        return;
    }
    if (value_is_unknown(planned)) {
        if (planned->refinement && planned->refinement->not_null && value_is_null(actual))
            violation(o, "null, although the plan promised a value");
        return;
    }
    if (value_is_null(planned) || value_is_null(actual)) {
        if (value_is_null(planned) != value_is_null(actual))
            violation(o, "null in only one of plan and result");
        return;
    }
    if (value_is_unknown(actual))
        violation(o, "unknown, although the plan knew it");
    else if (planned->type->kind == TYPE_SET)
        complete_set(o, planned, actual);
    else if (planned->type->kind >= TYPE_LIST)
        complete_members(o, planned, actual);
    else if (!value_equal(planned, actual))
        violation(o, "another value than planned");
}

size_t oracle_compatible(const struct schema *s, const struct value *planned,
                         const struct value *actual, struct buf *report)
{
    struct oracle o = {.report = report};
    (void)s; /* the checks of blocks and attributes come to the same for what our schemas have */
    complete(&o, planned, actual);
    return o.violations;
}
