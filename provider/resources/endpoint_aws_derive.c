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
    return endpoint_check_length(a, ret->role, ENDPOINT_AWS_ROLE_MOST, "IAM role", diags);
}

static void derive_names(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    struct endpoint_aws_names n = {0};
    const struct value *unknown = endpoint_unknown(e->d);
    bool known = e->d->name && e->region;
    if (known)
        endpoint_aws_names(a, e->d->name, e->region, &n, e->d->c->diags);
    const struct value_member m[] = {
        {SLICE_LIT("role"), known ? value_str(a, n.role) : unknown},
        {SLICE_LIT("secret"), known ? value_str(a, n.secret) : unknown},
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

/* Whether an image is one of the catalogue's for this stack, in any version. */
static bool is_of_stack(struct arena *a, const char *image, const char *stack, const char *region)
{
    for (size_t i = 0; i < catalog_serving_image_count; i++) {
        const struct catalog_serving_image *s = &catalog_serving_image_table[i];
        const char *uri = strcmp(s->target, "sagemaker") == 0 && strcmp(s->stack, stack) == 0
                              ? catalog_serving_uri(a, s, region)
                              : NULL;
        size_t len = uri ? (size_t)(strrchr(uri, ':') - uri) + 1 : 0;
        if (uri && strncmp(uri, image, len) == 0)
            return true;
    }
    return false;
}

static int no_registry(struct endpoint_aws *e)
{
    return diags_error(e->d->c->diags, path_attribute(e->d->a, NULL, "region"),
                       "No image in this region",
                       "It is not known where the images of AWS are in %s. Name one of your own in "
                       "`container.image`.",
                       e->region);
}

/* The user's image, the one that was decided before, or the catalogue's newest. */
static int choose_image(struct endpoint_aws *e, struct endpoint_aws_variant *x)
{
    struct arena *a = e->d->a;
    const char *version = value_cstr(config_get(e->d->config, "container.version"), NULL),
               *was = endpoint_decided(e->d->c, x->v->name, "image");
    if (x->v->image || x->model.source == ENDPOINT_IMAGE) {
        x->image = x->v->image ? x->v->image : x->model.id;
        return 0;
    }
    if (!e->region)
        return 0;
    const char *stack = endpoint_stack_name(x->stack);
    if (!version && was && is_of_stack(a, was, stack, e->region)) {
        x->image = was;
        return 0;
    }
    const struct catalog_serving_image *image =
        catalog_serving_image("sagemaker", slice_str(stack), version);
    x->image = image ? catalog_serving_uri(a, image, e->region) : NULL;
    return x->image ? 0 : no_registry(e);
}

/* ---- machines ---- */

/* Whether the quota allows the instances; what cannot be asked is allowed. */
static bool has_quota(const struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                      const char *type)
{
    double quota = endpoint_aws_quota(e->d->c, type);
    return quota < -1 || quota >= (double)x->v->instances;
}

/* The one that was decided before while it still holds the model; else the cheapest that does, and
 * that there is a quota for. */
static const char *pick_machine(struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                                int gpus)
{
    struct fit_result r;
    size_t count = 0;
    const char *was = endpoint_decided(e->d->c, x->v->name, "machine_type");
    const struct catalog_machine *old = was ? catalog_endpoint_machine(slice_str(was)) : NULL;
    if (old && endpoint_fits(&x->model, old, gpus, &r))
        return was;
    const struct catalog_machine **list =
        x->model.sized ? endpoint_machines(e->d->a, e->d->target, &x->model, gpus, &count) : NULL;
    for (size_t i = 0; list && i < count; i++)
        if (has_quota(e, x, catalog_endpoint_type(list[i])))
            return catalog_endpoint_type(list[i]);
    return list && count ? catalog_endpoint_type(list[0]) : was;
}

static void choose_machine(struct endpoint_aws *e, struct endpoint_aws_variant *x)
{
    struct fit_result r = {0};
    int gpus = (int)value_int_or(config_get(e->d->config, "machine.gpus"), 0);
    x->machine_type = x->v->machine_type ? x->v->machine_type : pick_machine(e, x, gpus);
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

/* What decides about all variants. */
static bool is_settled(const struct value *config)
{
    static const char *const names[] = {"huggingface_token_secret",
                                        "huggingface_token_wo_version",
                                        "container",
                                        "environment",
                                        "adapters",
                                        "machine",
                                        "model_size",
                                        "context_tokens",
                                        "network",
                                        "data_capture",
                                        "kms_key",
                                        "role",
                                        "scaling",
                                        "startup_timeout_s"};
    return config_wholly_known(config, names, sizeof(names) / sizeof(*names));
}

static int read_variants(struct endpoint_aws *e)
{
    struct endpoint_derivation *d = e->d;
    e->known = d->variants.known && is_settled(d->config) && d->name && e->region;
    e->components = endpoint_aws_has_components(d->config);
    for (size_t i = 0; i < d->variants.count; i++) {
        struct endpoint_aws_variant *x = &e->items[e->count++];
        x->v = &d->variants.items[i];
        bool known = x->v->known &&
                     (!x->v->more_environment || value_is_wholly_known(x->v->more_environment));
        if (!known)
            e->known = false;
        if (!known || !e->known)
            continue;
        if (endpoint_model(d->a, d->config, x->v,
                           endpoint_variant_path(d->a, x->v, "model", "model"), &x->model,
                           d->c->diags) < 0)
            return -1;
        x->stack = endpoint_stack_of(d->config, x->v->model, x->v->image);
        if (choose_image(e, x) < 0)
            return -1;
        choose_machine(e, x);
        e->known &= x->image && x->machine_type;
    }
    return 0;
}

/* ---- identity, secret, logs ---- */

static void derive_role(struct endpoint_aws *e)
{
    struct endpoint_derivation *d = e->d;
    const struct value *own = value_get(d->config, "role");
    endpoint_put(d, "make_role",
                 value_is_unknown(own) ? endpoint_unknown(d)
                                       : value_bool(d->a, !config_is_set(own)));
    endpoint_put(d, "trust", aws_trust_policy(d->a, "sagemaker.amazonaws.com"));
    endpoint_put(d, "role_policy", endpoint_aws_policy(e));
}

static void derive_secret(struct endpoint_aws *e)
{
    const struct value *version = value_get(e->d->config, "huggingface_token_wo_version");
    endpoint_put(e->d, "secret",
                 value_is_unknown(version) ? endpoint_unknown(e->d)
                                           : value_bool(e->d->a, config_is_set(version)));
}

static void derive_logs(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    struct endpoint_aws_names n;
    if (!e->d->name || !e->region) {
        endpoint_put(e->d, "log_groups", endpoint_unknown(e->d));
        return;
    }
    endpoint_aws_names(a, e->d->name, e->region, &n, e->d->c->diags);
    const struct value_member of_endpoint = {SLICE_LIT("name"), value_str(a, n.log_group)};
    const struct value_member of_component = {
        SLICE_LIT("name"), value_printf(a, "/aws/sagemaker/InferenceComponents/%s", n.base)};
    const struct value_member m[] = {{SLICE_LIT("endpoint"), value_object(a, &of_endpoint, 1)},
                                     {SLICE_LIT("component"), value_object(a, &of_component, 1)}};
    endpoint_put(e->d, "log_groups", value_object(a, m, e->components ? 2 : 1));
}

/* ---- inference components ---- */

static const struct value *base_object(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct endpoint_aws_variant *x = &e->items[0];
    struct endpoint_aws_names n;
    const struct endpoint_scale *s = &x->v->scale;
    endpoint_aws_names(a, e->d->name, e->region, &n, e->d->c->diags);
    int64_t memory = 4096, copies = x->v->instances > 0 ? x->v->instances : 1;
    int gpus = x->gpus ? x->gpus : 1;
    /* A quarter of the machine's memory is the system's. */
    if (x->machine)
        memory = (int64_t)x->machine->memory_gib * 1024 / 4 * 3 * gpus / x->machine->gpu_count;
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_str(a, n.base)},
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
    if (read_variants(&e) < 0 || check_components(&e) < 0)
        return -1;
    put_choices(&e);
    derive_names(&e);
    derive_settings(&e);
    if (endpoint_aws_models(&e) < 0)
        return -1;
    derive_role(&e);
    derive_secret(&e);
    derive_logs(&e);
    endpoint_aws_configs(&e);
    endpoint_aws_rollout(&e);
    derive_components(&e);
    endpoint_aws_scaling(&e);
    derive_tags(&e);
    return 0;
}
