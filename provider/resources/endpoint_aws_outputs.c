/* The computed attributes of an endpoint on SageMaker. */
#include "resources/endpoint_aws.h"

#include <string.h>

#include "resources/endpoint_url.h"

static const struct value *text(struct outputs *o, const struct value *v)
{
    if (value_is_known(v) && v->type->kind == TYPE_STRING)
        return v;
    return o->changes ? value_unknown(o->a, &type_string) : value_null(o->a, &type_string);
}

static const struct value *invoke_url(const struct composite_context *c, const struct outputs *o)
{
    const char *name = value_cstr(value_get(o->v, "name"), NULL);
    if (!name || !c->region)
        return value_unknown(o->a, &type_string);
    return endpoint_url_sagemaker(o->a, c->region, name);
}

/* ---- variants ---- */

static const struct value *number_of(struct outputs *o, const struct value *v)
{
    return value_is_known(v) ? value_convert(o->a, v, &type_number, NULL, NULL)
                             : value_null(o->a, &type_number);
}

static const struct value *variant_status(struct outputs *o, const struct value *derived)
{
    const struct type *t = type_attr(o->v->type, SLICE_LIT("variant_status"))->type;
    const struct value *list = outputs_attr(o, "endpoint", "variants"),
                       *choices = value_get(derived, "choices");
    struct value_member *all = arena_new_array(o->a, value_count(list) + 1, struct value_member);
    if (value_is_unknown(list) || (o->changes && !list))
        return value_unknown(o->a, t);
    for (size_t i = 0; all && i < value_count(list); i++) {
        const struct value *v = value_at(list, i);
        struct slice name = value_slice(value_get(v, "VariantName"));
        const struct value *choice = value_get_slice(choices, name);
        const struct value_member m[] = {
            {SLICE_LIT("weight"), number_of(o, value_get(v, "CurrentWeight"))},
            {SLICE_LIT("instances"), number_of(o, value_get(v, "CurrentInstanceCount"))},
            {SLICE_LIT("desired_instances"), number_of(o, value_get(v, "DesiredInstanceCount"))},
            {SLICE_LIT("machine_type"), text(o, value_get(choice, "machine_type"))},
            {SLICE_LIT("image"), text(o, value_get(choice, "image"))}};
        all[i] = (struct value_member){name, value_object_of(o->a, t->elem, m, 5)};
        if (!all[i].value)
            return NULL;
    }
    return all ? value_map(o->a, t->elem, all, value_count(list)) : NULL;
}

/* ARNs of the models that there will be, by variant. */
static const struct value *model_ids(struct outputs *o, const struct value *derived)
{
    const struct value *models = value_get(derived, "models"),
                       *choices = value_get(derived, "choices");
    const struct type *t = type_map(o->a, &type_string);
    size_t count = value_count(choices);
    struct value_member *m = arena_new_array(o->a, count + 1, struct value_member);
    if (value_is_unknown(models) || value_is_unknown(choices))
        return t ? value_unknown(o->a, t) : NULL;
    for (size_t i = 0; m && i < count; i++) {
        struct slice name = choices->members[i].key;
        const struct value *arn = NULL;
        for (size_t k = 0; k < value_count(models); k++) {
            struct slice key = models->members[k].key;
            /* "VARIANT-DIGEST" */
            if (key.len == name.len + 9 && memcmp(key.ptr, name.ptr, name.len) == 0) {
                const char *component = arena_printf(o->a, "model.%.*s", (int)key.len, key.ptr);
                arn = component ? outputs_text(o, component, "arn") : NULL;
            }
        }
        m[i] = (struct value_member){name, arn ? arn : value_null(o->a, &type_string)};
    }
    return m ? value_map(o->a, &type_string, m, count) : NULL;
}

static const struct value *adapter_ids(struct outputs *o, const struct value *derived)
{
    const struct value *all = value_get(derived, "adapters");
    const struct type *t = type_map(o->a, &type_string);
    size_t count = value_count(all);
    struct value_member *m = arena_new_array(o->a, count + 1, struct value_member);
    if (value_is_unknown(all))
        return t ? value_unknown(o->a, t) : NULL;
    for (size_t i = 0; m && i < count; i++)
        m[i] = (struct value_member){all->members[i].key, value_get(value_at(all, i), "name")};
    return m ? value_map(o->a, &type_string, m, count) : NULL;
}

void endpoint_aws_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o)
{
    const struct value *role = config_get(o->v, "role"),
                       *secret = config_get(o->v, "huggingface_token_secret"),
                       *made = value_get(derived, "secret");
    bool no_secret = value_is_known(made) && !value_true(made);
    outputs_set(o, "endpoint_name", text(o, value_get(o->v, "name")));
    outputs_set(o, "endpoint_arn", outputs_text(o, "endpoint", "arn"));
    outputs_set(o, "invoke_url", invoke_url(c, o));
    outputs_set(o, "status", outputs_text(o, "endpoint", "status"));
    outputs_set(o, "variant_status", variant_status(o, derived));
    outputs_set(o, "model_ids", model_ids(o, derived));
    outputs_set(o, "adapter_ids", adapter_ids(o, derived));
    outputs_set(o, "role_id", role ? role : outputs_text(o, "role", "arn"));
    outputs_set(o, "secret_id",
                secret      ? secret
                : no_secret ? value_null(o->a, &type_string)
                            : outputs_text(o, "secret", "arn"));
    outputs_set(o, "log_group", outputs_text(o, "log_group.endpoint", "name"));
}
