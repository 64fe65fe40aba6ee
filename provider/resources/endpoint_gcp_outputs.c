/* The computed attributes of an endpoint on Vertex AI. */
#include "resources/endpoint_gcp.h"

#include <string.h>

#include "resources/endpoint_url.h"

static const struct value *no_text(struct outputs *o)
{
    return value_null(o->a, &type_string);
}

/* Of type `t`, unknown in a plan, null in a state. */
static const struct value *not_known(struct outputs *o, const struct type *t)
{
    return o->changes ? value_unknown(o->a, t) : value_null(o->a, t);
}

static const struct value *text_of(struct outputs *o, const struct value *v)
{
    return value_is_known(v) ? v : not_known(o, &type_string);
}

static enum engine_action action_of(const struct outputs *o, const char *component)
{
    for (size_t i = 0; o->changes && i < o->changes->count; i++)
        if (strcmp(o->changes->items[i].name, component) == 0)
            return o->changes->items[i].action;
    return ENGINE_NONE;
}

/* ---- variants ---- */

/* A number that the cloud says of something deployed; after a change it is another one. */
static const struct value *number_of(struct outputs *o, const char *component, const char *attr,
                                     bool moves)
{
    const struct value *v = component ? outputs_attr(o, component, attr) : NULL;
    bool changed = moves && component && action_of(o, component) != ENGINE_NONE;
    if (!component)
        return not_known(o, &type_number);
    if (value_is_unknown(v) || changed)
        return value_unknown(o->a, &type_number);
    return value_is_known(v) && v->type->kind == TYPE_NUMBER ? v : value_null(o->a, &type_number);
}

/* "PREFIX.KEY" of the member of `all` that is of the variant; NULL: there is none (yet). */
static const char *component_of(struct outputs *o, const struct value *all, const char *prefix,
                                struct slice variant)
{
    for (size_t i = 0; i < value_count(all); i++)
        if (slice_eq(value_slice(value_get(value_at(all, i), "variant")), variant))
            return arena_printf(o->a, "%s.%.*s", prefix, (int)all->members[i].key.len,
                                all->members[i].key.ptr);
    return NULL;
}

/* Where the calls go, as the last refresh saw it: {id of what is deployed: percent}. NULL: there is
 * no split. */
static const struct value *split_now(const struct outputs *o)
{
    const struct record *r = records_find(o->records, "traffic_split");
    const struct value *drifted = r ? value_get(r->drifted, "split") : NULL;
    if (!r || r->missing)
        return NULL;
    return drifted ? drifted : value_get(r->attrs, "split");
}

/* Percent of the calls: in a plan what is wanted, in a state what is. */
static const struct value *weight_of(struct outputs *o, const struct endpoint_variant *v,
                                     const char *deployed)
{
    const struct value *split = o->changes || !deployed ? NULL : split_now(o);
    if (v->weight < 0)
        return not_known(o, &type_number);
    if (!split)
        return value_int(o->a, v->weight);
    const char *id = value_cstr(records_attr(o->records, deployed, "name"), "");
    const struct value *part = value_get(split, id);
    return value_is_known(part) ? part : value_int(o->a, 0);
}

static const struct value *status_of(struct outputs *o, const struct value *derived,
                                     const struct endpoint_variant *v, const struct type *t)
{
    const struct value *choice = value_get_slice(value_get(derived, "choices"), v->name);
    const char *deployed =
        component_of(o, value_get(derived, "deployed_models"), "deployed_model", v->name);
    const struct value_member m[] = {
        {SLICE_LIT("weight"), weight_of(o, v, deployed)},
        {SLICE_LIT("instances"), number_of(o, deployed, "available_replicas", true)},
        {SLICE_LIT("desired_instances"), number_of(o, deployed, "min_replicas", false)},
        {SLICE_LIT("machine_type"), text_of(o, value_get(choice, "machine_type"))},
        {SLICE_LIT("image"), text_of(o, value_get(choice, "image"))}};
    return value_object_of(o->a, t, m, 5);
}

static void set_variants(struct outputs *o, const struct value *derived)
{
    const struct type_attr *attr = type_attr(o->v ? o->v->type : NULL, SLICE_LIT("variant_status"));
    struct endpoint_variants *all = arena_new_object(o->a, struct endpoint_variants);
    struct value_member status[ENDPOINT_VARIANTS_MOST], models[ENDPOINT_VARIANTS_MOST];
    if (!attr || !all) {
        o->v = NULL;
        return;
    }
    endpoint_variants(o->a, o->v, all);
    for (size_t i = 0; i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        const char *model = component_of(o, value_get(derived, "models"), "model", v->name);
        status[i] = (struct value_member){v->name, status_of(o, derived, v, attr->type->elem)};
        models[i] = (struct value_member){v->name, model ? outputs_text(o, model, "full_name")
                                                         : not_known(o, &type_string)};
    }
    outputs_set(o, "variant_status",
                all->known ? value_map(o->a, attr->type->elem, status, all->count)
                           : not_known(o, attr->type));
    outputs_set(o, "model_ids",
                all->known ? value_map(o->a, &type_string, models, all->count)
                           : not_known(o, &type_map_of_string));
}

/* ---- the endpoint ---- */

/* Whether calls are answered: the cloud has no word for it. */
static const struct value *status(struct outputs *o)
{
    bool serves = value_count(split_now(o)) > 0;
    for (size_t i = 0; o->changes && i < o->changes->count; i++)
        if (o->changes->items[i].action != ENGINE_NONE)
            return value_unknown(o->a, &type_string);
    for (size_t i = 0; i < o->records->count; i++) {
        const struct record *r = &o->records->items[i];
        /* In a peered network there is no split. */
        serves |= strncmp(r->name, "deployed_model.", 15) == 0 && !r->missing &&
                  !records_find(o->records, "traffic_split");
    }
    return value_str(o->a, serves ? "Serving" : "NoTraffic");
}

static bool may_be_private(const struct value *network)
{
    return value_is_unknown(config_get(network, "vpc_network")) ||
           value_is_unknown(config_get(network, "private_service_connect"));
}

static const struct value *invoke_url(const struct composite_context *c, struct outputs *o)
{
    const char *name = value_cstr(value_get(o->v, "name"), NULL);
    const struct value *dedicated = outputs_attr(o, "endpoint", "dedicated"),
                       *dns = outputs_attr(o, "endpoint", "dns"),
                       *network = config_get(o->v, "network");
    bool private = value_is_known(config_get(network, "vpc_network")) ||
                   value_true(config_get(network, "private_service_connect"));
    bool known = name && c->region && c->account && *c->account;
    if (private)
        return no_text(o);
    if (!known || value_is_unknown(dedicated) || may_be_private(network))
        return not_known(o, &type_string);
    const char *host = value_cstr(dns, NULL);
    bool own = value_true(dedicated);
    if (own && (!host || !*host))
        return not_known(o, &type_string);
    return endpoint_url_vertex(o->a, c->account, c->region, name, own ? host : NULL);
}

/* The user's own, or that of what is made. */
static const struct value *given_or_made(struct outputs *o, const char *given,
                                         const struct value *made, const char *component,
                                         const char *attr)
{
    const struct value *own = value_get(o->v, given);
    if (config_is_set(own))
        return text_of(o, own);
    if (value_is_unknown(made))
        return not_known(o, &type_string);
    return value_true(made) ? outputs_text(o, component, attr) : no_text(o);
}

/* Google's build of vLLM knows adapters by their folders. */
static const struct value *adapters(struct outputs *o)
{
    const struct value *all = value_get(o->v, "adapters");
    if (value_is_unknown(all))
        return not_known(o, &type_map_of_string);
    return value_is_known(all) ? all : value_map(o->a, &type_string, NULL, 0);
}

/* It comes with the first deployment, so that an endpoint may have none yet. */
static const struct value *service_attachment(struct outputs *o)
{
    const struct value *network = value_get(o->v, "network"),
                       *connects = config_get(network, "private_service_connect"),
                       *v = outputs_attr(o, "endpoint", "service_attachment");
    bool made =
        outputs_made_new(o, "endpoint") || (o->changes && !records_find(o->records, "endpoint"));
    if (value_is_unknown(network) || value_is_unknown(connects))
        return not_known(o, &type_string);
    if (!value_true(connects))
        return no_text(o);
    return value_is_known(v) ? v : made ? not_known(o, &type_string) : no_text(o);
}

void endpoint_gcp_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o)
{
    outputs_set(o, "endpoint_name", text_of(o, value_get(o->v, "name")));
    outputs_set(o, "endpoint_arn", outputs_text(o, "endpoint", "full_name"));
    outputs_set(o, "invoke_url", invoke_url(c, o));
    outputs_set(o, "status", status(o));
    set_variants(o, derived);
    outputs_set(o, "adapter_ids", adapters(o));
    outputs_set(
        o, "role_id",
        given_or_made(o, "role", value_get(derived, "make_account"), "service_account", "email"));
    outputs_set(o, "secret_id",
                given_or_made(o, "huggingface_token_secret", value_get(derived, "make_secret"),
                              "secret", "name"));
    outputs_set(o, "service_attachment", service_attachment(o));
    outputs_set(o, "log_group", no_text(o));
}
