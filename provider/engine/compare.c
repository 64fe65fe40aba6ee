/* What is wanted against what is there, attribute by attribute. */
#include <string.h>

#include "cloud/plain.h"
#include "engine/internal.h"

const struct component_attr *component_attr_find(const struct component *c, const char *name)
{
    for (size_t i = 0; i < c->attr_count; i++)
        if (strcmp(c->attrs[i].name, name) == 0)
            return &c->attrs[i];
    return NULL;
}

const struct value *record_actual(struct arena *a, const struct record *r)
{
    const struct value *v = r->attrs;
    for (size_t i = 0; v && i < value_count(r->drifted); i++)
        v = value_with(a, v, r->drifted->members[i].key.ptr, r->drifted->members[i].value);
    return v;
}

/* The tags that are ours to compare. */
static const struct value *own_tags(struct arena *a, const struct engine_cloud *at,
                                    const struct value *v)
{
    struct value_member *m = arena_new_array(a, value_count(v), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(v); i++)
        if (!at->client || !at->driver->ignores_tag(at->client, v->members[i].key))
            m[count++] = v->members[i];
    return m ? value_map(a, &type_string, m, count) : NULL;
}

static const struct value *to_compare(struct arena *a, const struct component_attr *attr,
                                      const struct value *v)
{
    const struct value *shaped =
        attr->compare_as ? template_transform(a, attr->compare_as, v) : NULL;
    return shaped ? shaped : v;
}

bool attr_differs(struct arena *a, const struct engine_cloud *at, const struct component_attr *attr,
                  const struct value *desired, const struct value *actual)
{
    if (!value_is_wholly_known(desired))
        return true;
    if (attr->tags)
        return !value_equal(own_tags(a, at, desired), own_tags(a, at, actual));
    return !value_equal(to_compare(a, attr, desired), to_compare(a, attr, actual));
}

bool attr_includes(struct arena *a, const struct component_attr *attr, const struct value *seen,
                   const struct value *set)
{
    return attr->defaults && value_is_wholly_known(set) &&
           plain_includes(to_compare(a, attr, seen), to_compare(a, attr, set));
}

int compare_attrs(struct arena *a, const struct engine *e, const struct component *c,
                  const struct value *desired, const struct value *actual, const char *const **ret,
                  size_t *ret_count)
{
    const char **names = arena_calloc(a, c->attr_count, sizeof(*names));
    const struct engine_cloud at = engine_cloud_of(e, c);
    size_t count = 0;
    if (!names)
        return -1;
    for (size_t i = 0; i < c->attr_count; i++) {
        const struct component_attr *attr = &c->attrs[i];
        const struct value *want = value_get(desired, attr->name);
        /* What the resource does not set is the cloud's to choose; secrets show in their version.
         */
        if (!attr->input || attr->change == COMPONENT_KEEP || attr->sensitive ||
            value_is_null(want))
            continue;
        if (attr_differs(a, &at, attr, want, value_get(actual, attr->name)))
            names[count++] = attr->name;
    }
    *ret = names;
    *ret_count = count;
    return 0;
}
