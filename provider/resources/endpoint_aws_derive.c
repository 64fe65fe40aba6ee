/* What an endpoint's components on SageMaker need and its configuration does not say as such. */
#include "resources/endpoint_aws.h"

#include <string.h>

/* ---- names ---- */

int endpoint_aws_names(struct arena *a, const char *name, const char *region,
                       struct endpoint_aws_names *ret, struct diags *diags)
{
    /* IAM names are unique in the account, the others in the region. */
    *ret = (struct endpoint_aws_names){
        .role = arena_printf(a, "llm-ep-%s-%s", name, region),
        .secret = arena_printf(a, "llm/endpoint/%s/huggingface", name),
        .log_group = arena_printf(a, "/aws/sagemaker/Endpoints/%s", name),
        .base = arena_printf(a, "%s-base", name),
    };
    return config_check_name_length(a, ret->role, ENDPOINT_AWS_ROLE_MOST, "IAM role", diags);
}

static void derive_names(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *unknown = endpoint_unknown(e->d);
    bool known = e->d->name && e->region;
    const struct value_member m[] = {
        {SLICE_LIT("role"), known ? value_str(a, e->names.role) : unknown},
        {SLICE_LIT("secret"), known ? value_str(a, e->names.secret) : unknown},
        {SLICE_LIT("description"),
         known ? value_printf(a, "LLM endpoint %s", e->d->name) : unknown}};
    endpoint_put(e->d, "names", value_object(a, m, sizeof(m) / sizeof(*m)));
}

/* ---- what kind of endpoint it is ---- */

bool endpoint_aws_has_components(const struct value *config)
{
    return value_count(config_get(config, "adapters")) ||
           value_true(config_get(config, "scaling.scale_to_zero"));
}

bool endpoint_aws_has_disks(struct slice type)
{
    static const char *const families[] = {"ml.g4dn.", "ml.g5.",  "ml.g5n.",  "ml.g6.",
                                           "ml.g6e.",  "ml.gr6.", "ml.p4d.",  "ml.p4de.",
                                           "ml.p5.",   "ml.p5e.", "ml.p5en.", "ml.trn1."};
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        if (slice_has_prefix(type, families[i]))
            return true;
    return false;
}

/* ---- images ---- */

bool endpoint_aws_is_ecr(const char *image)
{
    const char *ecr = strstr(image, ".dkr.ecr."), *domain = strstr(image, ".amazonaws.com");
    return ecr && domain && domain > ecr && strchr(image, '/') && domain < strchr(image, '/');
}

static int no_registry(struct endpoint_aws *e)
{
    return diags_error(e->d->c->diags, path_attribute(e->d->a, NULL, "region"),
                       "No image in this region",
                       "It is not known where the images of AWS are in %s. Name one of your own in "
                       "`container.image`.",
                       e->region);
}

/* ---- machines ---- */

/* A variant whose machine is picked. */
struct choice {
    const struct endpoint_aws *e;
    const struct endpoint_aws_variant *x;
};

/* Whether the quota allows the instances; what cannot be asked is allowed. */
static bool has_quota(const struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                      const char *type)
{
    double quota = endpoint_aws_quota(e->d->c, type);
    return quota < -1 || quota >= (double)x->v->instances;
}

/* The cheapest that there is a quota for. */
static const struct catalog_machine *
with_quota(void *self, const struct catalog_machine *const *list, size_t count)
{
    const struct choice *c = self;
    for (size_t i = 0; i < count; i++)
        if (has_quota(c->e, c->x, catalog_endpoint_type(list[i])))
            return list[i];
    return NULL;
}

static void choose_machine(struct endpoint_aws *e, struct endpoint_aws_variant *x)
{
    struct fit_result r = {0};
    int gpus = (int)value_int_or(config_get(e->d->config, "machine.gpus"), 0);
    struct choice c = {e, x};
    x->machine_type = x->v->machine_type
                          ? x->v->machine_type
                          : endpoint_pick_machine(e->d, x->v, &x->model, gpus, with_quota, &c);
    x->machine = x->machine_type ? catalog_endpoint_machine(slice_str(x->machine_type)) : NULL;
    if (x->machine && endpoint_fits(&x->model, x->machine, gpus, &r))
        x->gpus = r.gpus_used;
    else
        x->gpus = gpus;
    if (gpus && x->gpus > gpus)
        x->gpus = gpus;
}

/* ---- variants ---- */

static void put_choices(struct endpoint_aws *e)
{
    struct value_member all[ENDPOINT_VARIANTS_MOST];
    for (size_t i = 0; i < e->count; i++) {
        const struct endpoint_aws_variant *x = &e->items[i];
        all[i] = endpoint_choice(e->d, x->v, x->image, x->machine_type);
    }
    endpoint_put(e->d, "choices",
                 e->known ? value_object(e->d->a, all, e->count) : endpoint_unknown(e->d));
}

static int read_variants(struct endpoint_aws *e)
{
    struct endpoint_derivation *d = e->d;
    e->known = d->variants.known && endpoint_settled(d->config) &&
               value_is_wholly_known(config_get(d->config, "data_capture")) && d->name && e->region;
    e->components = endpoint_aws_has_components(d->config);
    for (size_t i = 0; i < d->variants.count; i++) {
        struct endpoint_aws_variant *x = &e->items[e->count++];
        x->v = &d->variants.items[i];
        e->known &= endpoint_variant_settled(x->v);
        if (!e->known)
            continue;
        if (endpoint_model(d->a, d->config, x->v,
                           endpoint_variant_path(d->a, x->v, "model", "model"), &x->model,
                           d->c->diags) < 0)
            return -1;
        x->stack = endpoint_stack_of(d->config, x->v->model, x->v->image);
        x->image = endpoint_image(d, x->v, &x->model, x->stack, e->region);
        if (!x->image)
            return no_registry(e);
        choose_machine(e, x);
        e->known &= x->image && x->machine_type;
    }
    return 0;
}

/* ---- identity, logs ---- */

static void derive_role(struct endpoint_aws *e)
{
    struct endpoint_derivation *d = e->d;
    endpoint_put(d, "make_role", endpoint_if_set(d, "role", false));
    endpoint_put(d, "trust", aws_trust_policy(d->a, "sagemaker.amazonaws.com"));
    endpoint_put(d, "role_policy", endpoint_aws_policy(e));
}

static void derive_logs(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    if (!e->d->name || !e->region) {
        endpoint_put(e->d, "log_groups", endpoint_unknown(e->d));
        return;
    }
    const struct value_member of_endpoint = {SLICE_LIT("name"), value_str(a, e->names.log_group)};
    const struct value_member of_component = {
        SLICE_LIT("name"), value_printf(a, "/aws/sagemaker/InferenceComponents/%s", e->names.base)};
    const struct value_member m[] = {{SLICE_LIT("endpoint"), value_object(a, &of_endpoint, 1)},
                                     {SLICE_LIT("component"), value_object(a, &of_component, 1)}};
    endpoint_put(e->d, "log_groups", value_object(a, m, e->components ? 2 : 1));
}

/* ---- inference components ---- */

static const struct value *base_object(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct endpoint_aws_variant *x = &e->items[0];
    const struct endpoint_scale *s = &x->v->scale;
    int64_t memory = 4096, copies = x->v->instances > 0 ? x->v->instances : 1;
    int gpus = x->gpus ? x->gpus : 1;
    /* A quarter of the machine's memory is the system's. */
    if (x->machine)
        memory = (int64_t)x->machine->memory_gib * 1024 / 4 * 3 * gpus / x->machine->gpu_count;
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_str(a, e->names.base)},
        {SLICE_LIT("variant_name"), value_string(a, x->v->name)},
        {SLICE_LIT("model_name"), value_str(a, x->model_name)},
        {SLICE_LIT("accelerators"), value_int(a, gpus)},
        {SLICE_LIT("min_memory_mib"), value_int(a, memory)},
        {SLICE_LIT("deployment"), endpoint_aws_component_rollout(e)},
        {s->scales || s->to_zero ? SLICE_LIT("initial_copies") : SLICE_LIT("copies"),
         value_int(a, copies)}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

/* "Sql.v2" is "sql-v2": inference components have letters, digits and hyphens. */
static const char *component_name(struct arena *a, const char *name, struct slice adapter)
{
    char *text = arena_printf(a, "%s-%.*s", name, (int)adapter.len, adapter.ptr);
    for (char *p = text; p && *p; p++)
        if (*p == '.' || *p == '_')
            *p = '-';
    return text;
}

static void derive_components(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *adapters = config_get(e->d->config, "adapters");
    size_t count = value_count(adapters);
    struct value_member *all = arena_new_array(a, count + 1, struct value_member);
    if (!e->known) {
        endpoint_put(e->d, "base", endpoint_unknown(e->d));
        endpoint_put(e->d, "adapters", endpoint_unknown(e->d));
        return;
    }
    for (size_t i = 0; all && i < count; i++) {
        const struct value_member m[] = {
            {SLICE_LIT("name"),
             value_str(a, component_name(a, e->d->name, adapters->members[i].key))},
            {SLICE_LIT("uri"), value_at(adapters, i)}};
        all[i] = (struct value_member){adapters->members[i].key, value_object(a, m, 2)};
    }
    endpoint_put(e->d, "base", e->components ? base_object(e) : value_bool(a, false));
    endpoint_put(e->d, "adapters", all ? value_object(a, all, count) : NULL);
}

/* ---- settings ---- */

/* Of the models; an endpoint with inference components has them in its configuration. */
static void derive_settings(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *subnets = config_get(e->d->config, "network.subnet_ids"),
                       *groups = config_get(e->d->config, "network.security_group_ids"),
                       *isolated = config_get(e->d->config, "network.isolated");
    const struct value *none = value_null(a, &type_dynamic);
    bool own = !e->components;
    const struct value_member m[] = {
        {SLICE_LIT("model_subnet_ids"), own && subnets ? subnets : none},
        {SLICE_LIT("model_security_group_ids"), own && groups ? groups : none},
        {SLICE_LIT("model_isolated"), own && isolated ? isolated : value_bool(a, false)}};
    endpoint_put(e->d, "settings", value_object(a, m, sizeof(m) / sizeof(*m)));
}

/* The configuration in tags of the endpoint: base64 in pieces, as their values have 256 characters.
 * One that is too long is not kept, and cannot be imported. */
static void derive_tags(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *text = derived_get(&e->d->out, "configuration");
    struct value_member m[ENDPOINT_AWS_TAG_PIECES];
    size_t count = 0;
    if (value_is_unknown(text)) {
        endpoint_put(e->d, "endpoint_tags", value_unknown(a, &type_map_of_string));
        return;
    }
    const struct value *encoded = template_transform(a, TRANSFORM_BASE64, text);
    struct slice rest = value_slice(encoded);
    bool fits = rest.len <= (size_t)ENDPOINT_AWS_TAG_PIECES * AWS_TAG_VALUE_MOST;
    while (fits && rest.len) {
        size_t len = rest.len < AWS_TAG_VALUE_MOST ? rest.len : AWS_TAG_VALUE_MOST;
        const char *key =
            count ? arena_printf(a, ENDPOINT_AWS_TAG "-%zu", count + 1) : ENDPOINT_AWS_TAG;
        m[count++] = (struct value_member){slice_str(key ? key : ""),
                                           value_string(a, slice_from(rest.ptr, len))};
        rest = slice_from(rest.ptr + len, rest.len - len);
    }
    if (!fits && e->d->c->planning)
        diags_warning(e->d->c->diags, NULL, "The endpoint could not be imported",
                      "What is configured is too long for the endpoint's tags, from which an "
                      "import takes it.");
    endpoint_put(e->d, "endpoint_tags", encoded ? value_map(a, &type_string, m, count) : NULL);
}

/* ---- what cannot change in place ---- */

/* Between a variant's own model and inference components there is no way without an interruption:
 * calls of the one do not name a component, those of the other do. */
static int check_components(const struct endpoint_aws *e)
{
    const struct composite_context *c = e->d->c;
    const struct record *endpoint = records_find(c->records, "endpoint");
    bool adapters = value_count(config_get(e->d->config, "adapters")) ||
                    value_count(config_get(c->prior, "adapters"));
    if (!e->known || !c->prior || !endpoint || endpoint->missing ||
        endpoint_aws_has_components(c->prior) == e->components)
        return 0;
    return diags_error(
        c->diags,
        adapters ? path_attribute(c->arena, NULL, "adapters")
                 : path_parse(c->arena, "scaling.scale_to_zero"),
        "The endpoint would have to be another one",
        "With adapters, or when it scales to zero, its model is an inference component, which "
        "calls have to name; without, it is not. There is no way from the one to the other that "
        "callers would not notice. Make an endpoint of another name, or destroy this one first.");
}

/* ---- the hook ---- */

int endpoint_aws_derive(struct endpoint_derivation *d)
{
    const struct composite_context *c = d->c;
    struct endpoint_aws e = {
        .d = d,
        .region = c->region,
        .partition = c->region && c->driver ? c->driver->partition(c->region) : NULL,
        .account = *c->account ? c->account : NULL,
    };
    if (d->name && e.region && endpoint_aws_names(d->a, d->name, e.region, &e.names, c->diags) < 0)
        return -1;
    if (read_variants(&e) < 0 || check_components(&e) < 0)
        return -1;
    put_choices(&e);
    derive_names(&e);
    derive_settings(&e);
    if (endpoint_aws_models(&e) < 0)
        return -1;
    derive_role(&e);
    endpoint_put(d, "secret", endpoint_if_set(d, "huggingface_token_wo_version", true));
    derive_logs(&e);
    endpoint_aws_configs(&e);
    endpoint_aws_rollout(&e);
    derive_components(&e);
    endpoint_aws_scaling(&e);
    derive_tags(&e);
    return 0;
}
