/* Reading "clouds" of a resource file: the components that the resource is made of. */
#include "load.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* "$derived.x", or {"ref": "$config.egress", "equals": "nat"} */
static void field_when(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"ref", true, field_template, offsetof(struct resource_component_def, when)},
        {"equals", true, field_string, offsetof(struct resource_component_def, when_equals)},
    };
    struct resource_component_def *d = out;
    if (json_is_object(v) && json_object_get(v, "ref"))
        fields_read(c, at, v, fields, COUNT(fields), d);
    else
        field_template(c, at, v, &d->when);
    if (d->when && d->when->kind != TMPL_REF && d->when->kind != TMPL_FIRST)
        refuse(c, at, "a condition is a reference");
}

static void field_for_each(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct tmpl **t = out;
    field_template(c, at, v, t);
    if ((*t)->kind != TMPL_REF)
        refuse(c, at, "for_each is a reference to a map");
}

static void field_inputs(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct tmpl **t = out;
    field_template(c, at, v, t);
    if ((*t)->kind != TMPL_OBJECT)
        refuse(c, at, "inputs are an object");
}

/* ["node_pools", "$each.pool"], or a reference to such a list */
static void field_attribute(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct tmpl **t = out;
    field_template(c, at, v, t);
    if ((*t)->kind != TMPL_TUPLE && (*t)->kind != TMPL_REF)
        refuse(c, at, "an attribute is a list of names, or a reference to one");
}

static struct resource_component_def *parse_entry(struct compilation *c, const struct place *at,
                                                  json_t *v)
{
    static const struct field fields[] = {
        {"name", true, field_string, offsetof(struct resource_component_def, name)},
        {"kind", true, field_string, offsetof(struct resource_component_def, kind)},
        {"for_each", false, field_for_each, offsetof(struct resource_component_def, for_each)},
        {"when", false, field_when, 0},
        {"inputs", true, field_inputs, offsetof(struct resource_component_def, inputs)},
        {"after", false, field_strings, offsetof(struct resource_component_def, after)},
        {"attribute", false, field_attribute, offsetof(struct resource_component_def, attribute)},
        {"hook", false, field_string, offsetof(struct resource_component_def, hook)},
        {"made", false, field_string, offsetof(struct resource_component_def, made)},
    };
    struct resource_component_def *d = take(c, 1, sizeof(*d));
    d->at = at;
    if (!fields_read(c, at, v, fields, COUNT(fields), d) || !d->name || !d->kind || !d->inputs)
        return NULL;
    return d;
}

static void field_entries(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct cloud_def *cloud = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of components");
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct resource_component_def *d =
            parse_entry(c, place_index(c, at, i), json_array_get(v, i));
        if (d)
            cloud->components = with_item(c, (void *)cloud->components, &cloud->component_count, d);
    }
}

static void field_limits(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct cloud_def *cloud = out;
    const char *key;
    json_t *member;
    if (!json_is_object(v)) {
        refuse(c, at, "expected an object of permissions");
        return;
    }
    cloud->limits = take(c, json_object_size(v) + 1, sizeof(*cloud->limits));
    json_object_foreach(v, key, member)
    {
        struct limit_def *d = &cloud->limits[cloud->limit_count++];
        d->at = place_key(c, at, key);
        d->permission = d->at->key;
        field_strings(c, d->at, member, &d->resources);
    }
}

static void parse_cloud(struct compilation *c, const struct place *at, json_t *v,
                        struct cloud_def *d)
{
    static const struct field fields[] = {
        {"derived", false, field_strings, offsetof(struct cloud_def, derived)},
        {"permissions", false, field_permissions, offsetof(struct cloud_def, permissions)},
        {"cluster_permissions", false, field_permissions,
         offsetof(struct cloud_def, cluster_permissions)},
        {"passed_to", false, field_strings, offsetof(struct cloud_def, passed_to)},
        {"limits", false, field_limits, 0},
        {"components", true, field_entries, 0},
    };
    fields_read(c, at, v, fields, COUNT(fields), d);
}

static void add_strings(struct compilation *c, struct strings *to, const struct strings *from)
{
    for (size_t i = 0; i < from->count; i++)
        strings_add(c, to, from->items[i]);
}

static void add_part(struct compilation *c, struct cloud_def *to, const struct cloud_def *part)
{
    add_strings(c, &to->derived, &part->derived);
    add_strings(c, &to->permissions, &part->permissions);
    add_strings(c, &to->cluster_permissions, &part->cluster_permissions);
    add_strings(c, &to->passed_to, &part->passed_to);
    struct limit_def *limits = take(c, to->limit_count + part->limit_count + 1, sizeof(*limits));
    for (size_t i = 0; i < to->limit_count; i++)
        limits[i] = to->limits[i];
    for (size_t i = 0; i < part->limit_count; i++)
        limits[to->limit_count++] = part->limits[i];
    to->limits = limits;
    for (size_t i = 0; i < part->component_count; i++)
        to->components =
            with_item(c, (void *)to->components, &to->component_count, part->components[i]);
}

/* A cloud in files of its own, which clouds may share. */
static void field_parts(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct strings names = {0};
    field_strings(c, at, v, &names);
    for (size_t i = 0; i < names.count; i++) {
        const struct place *top = NULL;
        struct cloud_def part = {0};
        json_t *file = load_file(c, text(c, "resources/%s", names.items[i]), &top);
        if (file)
            parse_cloud(c, top, file, &part);
        add_part(c, out, &part);
    }
}

/* What a data source or an ephemeral resource asks a cloud for. */
static void parse_asked(struct compilation *c, const struct place *at, json_t *v,
                        struct cloud_def *d)
{
    static const struct field fields[] = {
        {"permissions", true, field_permissions, offsetof(struct cloud_def, permissions)},
        {"cluster_permissions", false, field_permissions,
         offsetof(struct cloud_def, cluster_permissions)},
    };
    fields_read(c, at, v, fields, COUNT(fields), d);
}

void field_clouds(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field parts[] = {{"parts", true, field_parts, 0}};
    struct schema_def *s = out;
    if (!json_is_object(v)) {
        refuse(c, at, "expected an object of clouds");
        return;
    }
    s->clouds = take(c, json_object_size(v) + 1, sizeof(*s->clouds));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        struct cloud_def *d = &s->clouds[s->cloud_count++];
        d->at = place_key(c, at, key);
        d->cloud = d->at->key;
        if (s->kind != FILE_RESOURCE)
            parse_asked(c, d->at, member, d);
        else if (json_object_get(member, "parts"))
            fields_read(c, d->at, member, parts, COUNT(parts), d);
        else
            parse_cloud(c, d->at, member, d);
    }
}
