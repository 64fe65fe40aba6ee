/* The computed attributes of a platform. */
#include "resources/platform_cluster.h"

const struct value *platform_map(struct outputs *o, const struct value *derived, const char *name,
                                 const char *prefix, const char *attr)
{
    const struct value *keys = value_get(derived, name);
    const struct type *t = type_map(o->a, &type_string);
    if (!t)
        return NULL;
    return value_is_unknown(keys) ? value_unknown(o->a, t) : outputs_map(o, prefix, attr);
}

/* The namespaces, of the configuration: they are made as it says. */
static const struct value *namespaces(struct outputs *o)
{
    const struct value *all = value_get(o->v, "namespaces");
    const struct type *t = type_set(o->a, &type_string);
    size_t n = value_count(all);
    const struct value **items = arena_new_array(o->a, n + 1, const struct value *);
    if (!t || !items)
        return NULL;
    if (value_is_unknown(all))
        return value_unknown(o->a, t);
    for (size_t i = 0; i < n; i++)
        items[i] = value_string(o->a, all->members[i].key);
    return value_set(o->a, &type_string, items, n);
}

/* URL and authority, of the component "cluster". */
static void set_address(struct outputs *o, const struct platform_cloud *cloud)
{
    const char *endpoint = NULL, *ca = NULL;
    const struct record *r = records_find(o->records, "cluster");
    bool known = r && !r->missing && !outputs_made_new(o, "cluster") &&
                 cloud->address(o->a, r->attrs, &endpoint, &ca);
    const struct value *otherwise =
        o->changes ? value_unknown(o->a, &type_string) : value_null(o->a, &type_string);
    outputs_set(o, "cluster_endpoint", known ? value_str(o->a, endpoint) : otherwise);
    outputs_set(o, "cluster_ca_certificate", known ? value_str(o->a, ca) : otherwise);
}

int platform_outputs(const struct composite_context *c, const struct value *derived,
                     const struct value *planned, const struct records *records,
                     const struct engine_changes *changes, const struct value **ret)
{
    const struct platform_cloud *cloud = platform_cloud(c->cloud);
    struct outputs o = {c->arena, records, changes, planned};
    if (!cloud)
        return diags_error(c->diags, NULL, "Unknown cloud", "The outputs could not be set.");
    set_address(&o, cloud);
    outputs_set(&o, "namespace_names", namespaces(&o));
    cloud->outputs(c, derived, &o);
    if (!o.v)
        return diags_error(c->diags, NULL, "Out of memory", "The outputs could not be set.");
    *ret = o.v;
    return 0;
}
