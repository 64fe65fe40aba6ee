/* llm_endpoint: the hooks of the composite, and the targets that they go to. */
#include "resources/endpoint.h"

#include <string.h>

#include "resources/settings.h"
#include "resources/tables.h"
#include "schema/tables.h"

/* ---- targets ---- */

static const struct endpoint_target *const targets[] = {&endpoint_aws, &endpoint_gcp,
                                                        &endpoint_cluster};

const struct endpoint_target *endpoint_target(const char *cloud, const char *target)
{
    for (size_t i = 0; cloud && target && i < sizeof(targets) / sizeof(*targets); i++)
        if (strcmp(targets[i]->target, target) == 0 &&
            (!targets[i]->cloud || strcmp(targets[i]->cloud, cloud) == 0))
            return targets[i];
    return NULL;
}

const struct endpoint_target *endpoint_target_of(const struct value *config)
{
    const struct value *target = value_get(config, "target");
    return endpoint_target(value_cstr(value_get(config, "cloud"), NULL),
                           value_is_unknown(target) ? NULL : value_cstr(target, "managed"));
}

/* ---- derive ---- */

void endpoint_put(struct endpoint_derivation *d, const char *name, const struct value *v)
{
    derived_put(&d->out, name, v);
}

const struct value *endpoint_unknown(struct endpoint_derivation *d)
{
    return derived_unknown(&d->out);
}

const struct value *endpoint_if_set(struct endpoint_derivation *d, const char *name, bool set)
{
    const struct value *v = value_get(d->config, name);
    return value_is_unknown(v) ? endpoint_unknown(d) : value_bool(d->a, config_is_set(v) == set);
}

/* What says which endpoint it is, and what the cloud itself says. */
static const char *const not_kept[] = {"name", "cloud", "target", "region", "timeouts", NULL};

const struct value *endpoint_configuration_of(const struct composite_context *c, struct slice text)
{
    return settings_of(c->arena, &schema_llm_endpoint, c->config, not_kept, text, c->diags);
}

static int derive(const struct composite_context *c, const struct value **ret)
{
    const struct endpoint_target *target = endpoint_target_of(c->config);
    size_t before = c->diags->errors;
    /* All that it is made of depends on the target. */
    if (!target) {
        *ret = value_unknown(c->arena, &type_dynamic);
        return *ret ? 0 : -1;
    }
    struct endpoint_derivation d = {.c = c,
                                    .target = target,
                                    .a = c->arena,
                                    .config = c->config,
                                    .name = value_cstr(value_get(c->config, "name"), NULL),
                                    .out = {.arena = c->arena}};
    endpoint_variants(d.a, d.config, &d.variants);
    endpoint_put(&d, "configuration", settings_text(d.a, &schema_llm_endpoint, d.config, not_kept));
    *ret = target->derive(&d) == 0 ? derived_object(&d.out) : NULL;
    if (!*ret && c->diags->errors == before)
        diags_error(c->diags, NULL, "Out of memory", "The endpoint was not worked out.");
    return *ret ? 0 : -1;
}

/* ---- hooks that go to the target ---- */

static const struct path *replaced_by(struct arena *a, const struct value *prior,
                                      const struct value *planned)
{
    const struct endpoint_target *t = endpoint_target_of(planned);
    for (size_t i = 0; t && t->fixed && t->fixed[i]; i++)
        if (!value_equal(value_get(prior, t->fixed[i]), value_get(planned, t->fixed[i])))
            return path_attribute(a, NULL, t->fixed[i]);
    return NULL;
}

static int check(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived)
{
    const struct endpoint_target *t = endpoint_target_of(c->config);
    return t ? t->check(c, changes, derived) : 0;
}

static int inner_cloud(const struct composite_context *c, struct engine_cloud *ret)
{
    const struct endpoint_target *t = endpoint_target_of(c->config);
    *ret = (struct engine_cloud){0};
    return t && t->inner_cloud ? t->inner_cloud(c, ret) : 0;
}

static int hooks_new(const struct composite_context *c, const struct value *derived,
                     struct engine_hooks *ret)
{
    const struct endpoint_target *t = endpoint_target_of(c->config);
    *ret = (struct engine_hooks){0};
    return t->hooks_new ? t->hooks_new(c, derived, ret) : 0;
}

static int describe(const struct composite_context *c, const struct records *found,
                    const struct value **ret)
{
    const struct endpoint_target *t = endpoint_target_of(c->config);
    return t->describe(c, found, ret);
}

static int outputs(const struct composite_context *c, const struct value *derived,
                   const struct value *planned, const struct records *records,
                   const struct engine_changes *changes, const struct value **ret)
{
    const struct endpoint_target *t = endpoint_target_of(c->config);
    struct outputs o = {c->arena, records, changes, planned};
    outputs_set(&o, "service_attachment", value_null(c->arena, &type_string));
    if (t)
        t->outputs(c, derived, &o);
    else
        o.v = schema_unknown_computed(c->arena, &schema_llm_endpoint, planned, c->secrets);
    if (!o.v)
        return diags_error(c->diags, NULL, "Out of memory", "The outputs could not be set.");
    *ret = o.v;
    return 0;
}

/* ---- names in import ids ---- */

/* "NAME", or "CLUSTER/NAMESPACE/NAME" of one in a cluster; a cluster that has no name is named by
 * its URL without "https://". */
static const struct value *identity_name(struct arena *a, const struct value *state)
{
    const struct value *name = value_get(state, "name"),
                       *cluster = config_get(state, "cluster.name"),
                       *url = config_get(state, "cluster.kubernetes.endpoint"),
                       *namespace = config_get(state, "cluster.namespace");
    if (config_is(state, "target", "managed"))
        return name;
    const char *of = value_cstr(cluster ? cluster : url, NULL);
    if (!of || !value_is_known(name) || value_is_unknown(namespace))
        return NULL;
    return value_printf(a, "%s/%s/%s", strncmp(of, "https://", 8) == 0 ? of + 8 : of,
                        value_cstr(namespace, "default"), value_cstr(name, ""));
}

static const struct value *set(struct arena *a, const struct value *config, const char *path,
                               struct slice text)
{
    return config ? value_with_path(a, config, path, value_string(a, text)) : NULL;
}

/* With a `cluster` whose attributes can be set. */
static const struct value *with_cluster(struct arena *a, const struct value *config)
{
    const struct value *none = value_get(config, "cluster");
    const struct value *empty = none ? value_object_of(a, none->type, NULL, 0) : NULL;
    return empty ? value_with(a, config, "cluster", empty) : NULL;
}

static const struct value *import_name(struct arena *a, const struct value *config,
                                       struct slice name, struct diags *diags)
{
    const char *last = memrchr(name.ptr, '/', name.len);
    const char *first = memchr(name.ptr, '/', name.len);
    const char *target = last ? "cluster" : "managed";
    const char *end = name.ptr + name.len;
    config = set(a, config, "target", slice_str(target));
    if (!last)
        return set(a, config, "name", name);
    if (first == last || first == name.ptr || last == first + 1 || last + 1 == end ||
        memchr(first + 1, '/', (size_t)(last - first - 1))) {
        diags_error(diags, NULL, "Invalid import id",
                    "An endpoint in a cluster is imported as "
                    "\"cloud/region/cluster/namespace/name\", for example "
                    "\"aws/us-west-2/llmplatform-dev/quant/chat\"; the cluster is one of the "
                    "cloud's, by its name.");
        return NULL;
    }
    config = with_cluster(a, config);
    config = set(a, config, "cluster.name", slice_from(name.ptr, (size_t)(first - name.ptr)));
    config = set(a, config, "cluster.namespace", slice_from(first + 1, (size_t)(last - first - 1)));
    return set(a, config, "name", slice_from(last + 1, (size_t)(end - last - 1)));
}

/* ---- the composite ---- */

static const char *claimed_of(const struct value *config)
{
    const struct endpoint_target *t = endpoint_target_of(config);
    return t ? t->claimed : NULL;
}

/* Image and machine of each variant follow from the catalogue and the cloud's quotas. */
static const char *const decisions[] = {"choices", NULL};

const struct composite composite_endpoint = {
    .table = &table_llm_endpoint,
    .example = "chat",
    .validate = endpoint_validate,
    .derive = derive,
    .decisions = decisions,
    .claimed_of = claimed_of,
    .replaced_by = replaced_by,
    .check = check,
    .inner_cloud = inner_cloud,
    .outputs = outputs,
    .hooks_new = hooks_new,
    .identity_name = identity_name,
    .import_name = import_name,
    .describe = describe,
};
