/* The computed attributes of an endpoint in a cluster. */
#include "resources/endpoint_cluster.h"

#include <string.h>

/* Whether a plan changes this component, so that what its cluster says of it is not known yet. */
static bool is_changed(const struct outputs *o, const char *component)
{
    for (size_t i = 0; o->changes && i < o->changes->count; i++)
        if (strcmp(o->changes->items[i].name, component) == 0)
            return o->changes->items[i].action != ENGINE_NONE;
    return o->changes != NULL;
}

static const struct value *number(struct outputs *o, const char *component, const char *attr)
{
    const struct value *v = is_changed(o, component) ? NULL : outputs_attr(o, component, attr);
    if (value_is_known(v) && v->type->kind == TYPE_NUMBER)
        return v;
    return o->changes ? value_unknown(o->a, &type_number) : value_null(o->a, &type_number);
}

static const struct type *type_of(struct outputs *o, const char *name)
{
    return value_get(o->v, name) ? value_get(o->v, name)->type : NULL;
}

/* ---- variants ---- */

static const struct value *status_of(struct outputs *o, const struct endpoint_variant *v,
                                     const struct value *choice)
{
    const char *component =
        arena_printf(o->a, ENDPOINT_CLUSTER_DEPLOYMENT "%.*s", (int)v->name.len, v->name.ptr);
    const struct value *type = value_get(choice, "machine_type");
    const struct value_member m[] = {
        {SLICE_LIT("weight"), value_int(o->a, v->weight)},
        {SLICE_LIT("instances"), number(o, component, "ready_replicas")},
        {SLICE_LIT("desired_instances"), number(o, component, "desired_replicas")},
        {SLICE_LIT("machine_type"), type ? type : value_null(o->a, &type_string)},
        {SLICE_LIT("image"), value_get(choice, "image")}};
    const struct type *t = type_of(o, "variant_status");
    return component && t ? value_object_of(o->a, t->elem, m, 5) : NULL;
}

static void set_variants(struct outputs *o, const struct endpoint_variants *all,
                         const struct value *choices)
{
    struct value_member status[ENDPOINT_VARIANTS_MOST], models[ENDPOINT_VARIANTS_MOST];
    const struct value *name = value_get(o->v, "name");
    bool works = true, unsure = false;
    for (size_t i = 0; i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        const struct value *s = status_of(o, v, value_get_slice(choices, v->name));
        unsure |= value_is_unknown(value_get(s, "instances"));
        works &= value_int_or(value_get(s, "instances"), 0) > 0;
        status[i] = (struct value_member){v->name, s};
        models[i] = (struct value_member){v->name, name};
    }
    const struct type *t = type_of(o, "variant_status");
    outputs_set(o, "variant_status", t ? value_map(o->a, t->elem, status, all->count) : NULL);
    outputs_set(o, "model_ids", value_map(o->a, &type_string, models, all->count));
    outputs_set(o, "status",
                unsure ? value_unknown(o->a, &type_string)
                       : value_str(o->a, works ? "Available" : "Unavailable"));
}

static void set_unknown(struct outputs *o)
{
    static const char *const names[] = {"variant_status", "model_ids", "status"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const struct type *t = type_of(o, names[i]);
        outputs_set(o, names[i], t ? value_unknown(o->a, t) : NULL);
    }
}

/* ---- how it is called ---- */

/* Inside of the cluster by the Service's name; else the load balancer's address. */
static const struct value *url(struct outputs *o, const char *namespace, const char *name)
{
    const struct value *expose = config_get(o->v, "network.expose");
    if (!expose || config_is(o->v, "network.expose", "cluster"))
        return value_printf(o->a, "http://%s.%s.svc.cluster.local", name, namespace);
    const struct value *host = NULL;
    if (!is_changed(o, ENDPOINT_CLUSTER_SERVICE)) {
        const struct value *h = outputs_attr(o, ENDPOINT_CLUSTER_SERVICE, "hostname");
        host = value_is_known(h) ? h : outputs_attr(o, ENDPOINT_CLUSTER_SERVICE, "ip");
    }
    if (value_is_known(host))
        return value_printf(o->a, "http://%s", value_cstr(host, ""));
    return o->changes ? value_unknown(o->a, &type_string) : value_null(o->a, &type_string);
}

static void set_names(struct outputs *o)
{
    const char *name = value_cstr(value_get(o->v, "name"), NULL);
    const struct value *namespace = config_get(o->v, "cluster.namespace");
    bool known = name && !value_is_unknown(namespace);
    const char *in = value_cstr(namespace, "default");
    const struct value *unknown = value_unknown(o->a, &type_string);
    outputs_set(o, "endpoint_name", known ? value_printf(o->a, "%s/%s", in, name) : unknown);
    outputs_set(o, "invoke_url", known ? url(o, in, name) : unknown);
}

static void set_identity(struct outputs *o)
{
    const struct value *name = value_get(o->v, "name"), *role = config_get(o->v, "role"),
                       *secret = config_get(o->v, "huggingface_token_secret"),
                       *version = config_get(o->v, "huggingface_token_wo_version");
    outputs_set(o, "role_id", role ? role : name);
    if (!secret && version)
        secret = value_is_known(name) && value_is_known(version)
                     ? value_printf(o->a, "%s-token", value_cstr(name, ""))
                     : value_unknown(o->a, &type_string);
    outputs_set(o, "secret_id", secret ? secret : value_null(o->a, &type_string));
}

/* A call names an adapter as the configuration does. */
static void set_adapters(struct outputs *o)
{
    const struct value *adapters = config_get(o->v, "adapters");
    const struct type *t = type_of(o, "adapter_ids");
    size_t count = value_count(adapters);
    struct value_member *m = arena_new_array(o->a, count + 1, struct value_member);
    for (size_t i = 0; m && i < count; i++) {
        struct slice key = adapters->members[i].key;
        m[i] = (struct value_member){key, value_string(o->a, key)};
    }
    if (value_is_unknown(adapters))
        outputs_set(o, "adapter_ids", t ? value_unknown(o->a, t) : NULL);
    else
        outputs_set(o, "adapter_ids", m ? value_map(o->a, &type_string, m, count) : NULL);
}

void endpoint_cluster_outputs(const struct composite_context *c, const struct value *derived,
                              struct outputs *o)
{
    const struct value *choices = value_get(derived, "choices");
    struct endpoint_variants all;
    (void)c;
    endpoint_variants(o->a, o->v, &all);
    if (value_is_unknown(choices) || !all.known)
        set_unknown(o);
    else
        set_variants(o, &all, choices);
    set_names(o);
    set_identity(o);
    set_adapters(o);
    outputs_set(o, "endpoint_arn", value_null(o->a, &type_string));
    outputs_set(o, "log_group", value_null(o->a, &type_string));
}
