/* What an endpoint's components on Vertex AI need and its configuration does not say as such. */
#include "resources/endpoint_gcp.h"

#include <string.h>

enum {
    DESCRIPTION_MOST = 8000,
    OBJECTS_MOST = 64, /* folders in GCS that are read */
    FILTER_MOST = 2048
};

/* ---- names ---- */

struct endpoint_gcp_names endpoint_gcp_names(struct arena *a, const char *name, const char *region)
{
    const char *base = arena_printf(a, "llm-endpoint-%s-%s", name, region);
    return (struct endpoint_gcp_names){
        .account_id = base ? gcp_account_id(a, name, base) : NULL,
        .secret = arena_printf(a, "llm-endpoint-%s-%s-huggingface", name, region),
        .title = arena_printf(a, "LLM endpoint %s (%s)", name, region),
    };
}

static void derive_names(struct endpoint_gcp *e)
{
    struct arena *a = e->d->a;
    bool known = e->d->name && e->region;
    if (known)
        e->names = endpoint_gcp_names(a, e->d->name, e->region);
    const struct value_member m[] = {{SLICE_LIT("account_id"), value_str(a, e->names.account_id)},
                                     {SLICE_LIT("secret"), value_str(a, e->names.secret)},
                                     {SLICE_LIT("title"), value_str(a, e->names.title)}};
    endpoint_put(e->d, "names", known ? value_object(a, m, 3) : endpoint_unknown(e->d));
    endpoint_put(e->d, "region", e->region ? value_str(a, e->region) : endpoint_unknown(e->d));
}

const char *endpoint_gcp_accelerator(struct arena *a, const char *accelerator)
{
    char *text = arena_strdup(a, accelerator);
    for (char *p = text; p && *p; p++)
        *p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    return text;
}

void endpoint_gcp_replicas(const struct endpoint_variant *v, int64_t *ret_min, int64_t *ret_max)
{
    *ret_min = v->scale.scales ? v->scale.min : v->instances;
    *ret_max = v->scale.scales ? v->scale.max : v->instances;
}

/* ---- machines ---- */

/* A variant whose machine is picked. */
struct choice {
    const struct endpoint_gcp *e;
    const struct endpoint_gcp_variant *x;
};

static const struct catalog_machine *offered(void *self, const struct catalog_machine *const *list,
                                             size_t count)
{
    const struct choice *c = self;
    return endpoint_gcp_offered(c->e, c->x, list, count);
}

static void choose_machine(struct endpoint_gcp *e, struct endpoint_gcp_variant *x)
{
    struct fit_result r = {0};
    int gpus = (int)value_int_or(config_get(e->d->config, "machine.gpus"), 0);
    struct choice c = {e, x};
    x->machine_type = x->v->machine_type
                          ? x->v->machine_type
                          : endpoint_pick_machine(e->d, x->v, &x->model, gpus, offered, &c);
    if (!x->machine_type ||
        !platform_gcp_machine(e->d->a, slice_str(x->machine_type), &x->machine)) {
        x->machine_type = NULL;
        return;
    }
    const struct catalog_machine *m = catalog_machine("gcp", slice_str(x->machine_type));
    x->memory_gib = m ? m->memory_gib : 0;
    x->tensor_parallel = (int)x->machine.count;
    if (m && endpoint_fits(&x->model, m, gpus, &r) && r.tensor_parallel)
        x->tensor_parallel = r.tensor_parallel;
    if (gpus && x->tensor_parallel > gpus)
        x->tensor_parallel = gpus;
}

/* ---- variants ---- */

static void put_choices(struct endpoint_gcp *e)
{
    struct value_member all[ENDPOINT_VARIANTS_MOST];
    for (size_t i = 0; i < e->count; i++) {
        const struct endpoint_gcp_variant *x = &e->items[i];
        all[i] = endpoint_choice(e->d, x->v, x->image, x->machine_type);
    }
    endpoint_put(e->d, "choices",
                 e->known ? value_object(e->d->a, all, e->count) : endpoint_unknown(e->d));
}

static int read_variant(struct endpoint_gcp *e, struct endpoint_gcp_variant *x)
{
    struct arena *a = e->d->a;
    const struct path *at = endpoint_variant_path(a, x->v, "model", "model");
    if (endpoint_model(a, e->d->config, x->v, at, &x->model, e->d->c->diags) < 0)
        return -1;
    x->stack = endpoint_stack_of(e->d->config, x->v->model, x->v->image);
    x->image = endpoint_image(e->d, x->v, &x->model, x->stack, e->region);
    x->googles = endpoint_gcp_is_googles(x->image);
    choose_machine(e, x);
    e->known &= x->image && x->machine_type;
    return 0;
}

static int read_variants(struct endpoint_gcp *e)
{
    struct endpoint_derivation *d = e->d;
    e->known =
        d->variants.known && endpoint_settled(d->config) && d->name && e->region && e->project;
    for (size_t i = 0; i < d->variants.count; i++) {
        struct endpoint_gcp_variant *x = &e->items[e->count++];
        x->v = &d->variants.items[i];
        e->known &= endpoint_variant_settled(x->v);
    }
    for (size_t i = 0; e->known && i < e->count; i++)
        if (read_variant(e, &e->items[i]) < 0)
            return -1;
    return 0;
}

/* ---- identity ---- */

static void add_folder(struct endpoint_gcp *e, const char *uri, struct value_member *m,
                       size_t *count)
{
    struct arena *a = e->d->a;
    struct slice bucket, prefix;
    if (strncmp(uri, "gs://", 5) != 0 || *count == OBJECTS_MOST)
        return;
    _cleanup_buf_ struct buf b = BUF_INIT(2048);
    gcp_split_uri(slice_str(uri), &bucket, &prefix);
    buf_printf(&b, "%.*s/%.*s", (int)bucket.len, bucket.ptr, (int)prefix.len, prefix.ptr);
    const char *key = endpoint_digest(a, &b);
    for (size_t i = 0; key && i < *count; i++)
        if (slice_eq_str(m[i].key, key))
            return;
    const struct value_member one = {SLICE_LIT("condition"),
                                     gcp_objects_condition(a, "model files", slice_str(uri))};
    m[(*count)++] =
        (struct value_member){slice_str(key ? key : ""), key ? value_object(a, &one, 1) : NULL};
}

/* The folders that hold models and adapters, each with its condition. */
static const struct value *object_roles(struct endpoint_gcp *e)
{
    const struct value *adapters = config_get(e->d->config, "adapters");
    struct value_member m[OBJECTS_MOST];
    size_t count = 0;
    for (size_t i = 0; i < e->count; i++)
        if (e->items[i].model.source == ENDPOINT_GCS)
            add_folder(e, e->items[i].model.id, m, &count);
    for (size_t i = 0; i < value_count(adapters); i++)
        add_folder(e, value_cstr(value_at(adapters, i), ""), m, &count);
    return value_object(e->d->a, m, count);
}

const char *endpoint_gcp_secret(const struct endpoint_gcp *e)
{
    const char *given = value_cstr(config_get(e->d->config, "huggingface_token_secret"), NULL);
    bool made = config_get(e->d->config, "huggingface_token_wo_version");
    const char *parent = arena_printf(e->d->a, "projects/%s/secrets", e->project);
    if (!given && !made)
        return NULL;
    return gcp_full_name(e->d->a, slice_str(made ? e->names.secret : given), parent);
}

/* {NAME: {secret}}: of the token that the server reads. */
static const struct value *token_secret(struct endpoint_gcp *e)
{
    const char *secret = endpoint_gcp_secret(e), *slash = secret ? strrchr(secret, '/') : NULL;
    const struct value_member one = {SLICE_LIT("secret"), value_str(e->d->a, secret)};
    const struct value_member m = {slice_str(slash ? slash + 1 : ""),
                                   value_object(e->d->a, &one, 1)};
    return value_object(e->d->a, &m, slash ? 1 : 0);
}

static void derive_identity(struct endpoint_gcp *e)
{
    endpoint_put(e->d, "make_account", endpoint_if_set(e->d, "role", false));
    endpoint_put(e->d, "make_secret", endpoint_if_set(e->d, "huggingface_token_wo_version", true));
    endpoint_put(e->d, "object_roles", e->known ? object_roles(e) : endpoint_unknown(e->d));
    endpoint_put(e->d, "token_secret", e->known ? token_secret(e) : endpoint_unknown(e->d));
}

/* ---- the endpoint ---- */

/* Vertex AI takes a fraction of the requests. */
static const struct value *logging_rate(struct endpoint_gcp *e)
{
    struct arena *a = e->d->a;
    const struct value *capture = config_get(e->d->config, "data_capture"),
                       *share = config_get(capture, "percent");
    if (value_is_unknown(capture) || value_is_unknown(share))
        return endpoint_unknown(e->d);
    if (!capture)
        return value_null(a, &type_number);
    int64_t percent = value_int_or(share, 100);
    const char *text =
        arena_printf(a, "%lld.%02lld", (long long)(percent / 100), (long long)(percent % 100));
    const struct number *rate = text ? number_parse(a, slice_str(text)) : NULL;
    return rate ? value_number(a, rate) : NULL;
}

/* The configuration, from which an import takes it. */
static const struct value *description(struct endpoint_gcp *e)
{
    const struct value *text = derived_get(&e->d->out, "configuration");
    if (value_is_unknown(text) || value_slice(text).len <= DESCRIPTION_MOST)
        return text;
    if (e->d->c->planning)
        diags_warning(e->d->c->diags, NULL, "The endpoint could not be imported",
                      "What is configured is too long for the endpoint's description, from which "
                      "an import takes it.");
    return value_str(e->d->a, e->names.title ? e->names.title : "");
}

static const struct value *allowed_projects(struct endpoint_gcp *e, bool connects)
{
    const struct value *given = config_get(e->d->config, "network.allowed_projects");
    const struct value *own = e->project ? value_str(e->d->a, e->project) : NULL;
    if (given)
        return given;
    if (!connects)
        return value_set(e->d->a, &type_string, NULL, 0);
    return own ? value_set(e->d->a, &type_string, &own, 1) : endpoint_unknown(e->d);
}

static void derive_endpoint(struct endpoint_gcp *e)
{
    struct arena *a = e->d->a;
    const struct value *config = e->d->config, *dedicated = config_get(config, "network.dedicated"),
                       *connects = config_get(config, "network.private_service_connect"),
                       *capture = value_get(config, "data_capture"),
                       *unknown = endpoint_unknown(e->d);
    bool unsure =
        value_get(config, "network") && !value_is_wholly_known(value_get(config, "network"));
    bool private = e->peered || value_true(connects);
    bool own_host = dedicated ? value_true(dedicated) : !private;
    const struct value_member m[] = {
        {SLICE_LIT("name"), e->d->name ? value_str(a, e->d->name) : unknown},
        {SLICE_LIT("description"), description(e)},
        {SLICE_LIT("dedicated"), unsure ? unknown : value_bool(a, own_host)},
        {SLICE_LIT("private_service_connect"), unsure                 ? unknown
                                               : value_true(connects) ? value_bool(a, true)
                                                                      : value_null(a, &type_bool)},
        {SLICE_LIT("allowed_projects"),
         unsure ? unknown : allowed_projects(e, value_true(connects))},
        {SLICE_LIT("logging_enabled"),
         value_is_unknown(capture) ? unknown : value_bool(a, config_is_set(capture))},
        {SLICE_LIT("logging_rate"), logging_rate(e)}};
    endpoint_put(e->d, "endpoint", value_object(a, m, sizeof(m) / sizeof(*m)));
}

/* ---- alarms ---- */

/* One series for each deployed model, and so for each variant. */
static const struct value *aggregations(struct arena *a, const char *aligner, const char *reducer)
{
    const struct value *field = value_str(a, "metric.label.deployed_model_id");
    const struct value_member m[] = {
        {SLICE_LIT("alignmentPeriod"), value_str(a, "300s")},
        {SLICE_LIT("perSeriesAligner"), value_str(a, aligner)},
        {SLICE_LIT("crossSeriesReducer"), value_str(a, reducer)},
        {SLICE_LIT("groupByFields"), value_list(a, &type_string, &field, 1)}};
    const struct value *one = m[3].value ? value_object(a, m, 4) : NULL;
    return one ? value_tuple(a, &one, 1) : NULL;
}

/* "Google Cloud metrics", aiplatform. */
static const struct value *alarm(struct endpoint_gcp *e, const char *what, const char *of,
                                 int64_t threshold, const struct value *how, const char *text)
{
    struct arena *a = e->d->a;
    _cleanup_buf_ struct buf b = BUF_INIT(FILTER_MOST);
    buf_printf(&b,
               "resource.type=\"aiplatform.googleapis.com/Endpoint\" AND "
               "resource.labels.endpoint_id=\"%s\" AND resource.labels.location=\"%s\" AND %s",
               e->d->name, e->region, of);
    const struct value_member m[] = {
        {SLICE_LIT("title"), value_printf(a, "%s: %s", e->names.title, what)},
        {SLICE_LIT("filter"), value_buf(a, &b)},
        {SLICE_LIT("threshold"), value_int(a, threshold)},
        {SLICE_LIT("aggregations"), how},
        {SLICE_LIT("text"), value_str(a, text)}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

static const struct value *alarms(struct endpoint_gcp *e, const struct value *errors,
                                  const struct value *latency)
{
    struct arena *a = e->d->a;
    struct value_member m[2];
    size_t count = 0;
    if (errors)
        m[count++] = (struct value_member){
            SLICE_LIT("errors"),
            alarm(e, "errors",
                  "metric.type=\"aiplatform.googleapis.com/prediction/online/response_count\" AND "
                  "metric.labels.response_code=monitoring.regex.full_match(\"5..\")",
                  value_int_or(errors, 1) - 1, aggregations(a, "ALIGN_DELTA", "REDUCE_SUM"),
                  "Calls of the endpoint fail in the server.")};
    if (latency)
        m[count++] = (struct value_member){
            SLICE_LIT("latency"),
            alarm(e, "latency",
                  "metric.type=\"aiplatform.googleapis.com/prediction/online/"
                  "prediction_latencies\" AND metric.labels.latency_type=\"model\"",
                  value_int_or(latency, 1), aggregations(a, "ALIGN_PERCENTILE_95", "REDUCE_MAX"),
                  "The server of the endpoint answers slowly.")};
    return value_object(a, m, count);
}

static void derive_alarms(struct endpoint_gcp *e)
{
    const struct value *all = config_get(e->d->config, "alarms"),
                       *errors = config_get(all, "errors_5xx"),
                       *latency = config_get(all, "latency_ms"),
                       *actions = config_get(all, "actions");
    bool unsure = value_is_unknown(all) || value_is_unknown(errors) || value_is_unknown(latency) ||
                  !e->d->name || !e->region;
    endpoint_put(e->d, "alarms",
                 !all     ? value_object(e->d->a, NULL, 0)
                 : unsure ? endpoint_unknown(e->d)
                          : alarms(e, errors, latency));
    endpoint_put(e->d, "alarm_channels", actions ? actions : value_tuple(e->d->a, NULL, 0));
}

/* ---- the hook ---- */

int endpoint_gcp_derive(struct endpoint_derivation *d)
{
    const struct composite_context *c = d->c;
    struct endpoint_gcp *e = arena_new_object(d->a, struct endpoint_gcp);
    if (!e)
        return -1;
    e->d = d;
    e->region = c->region;
    e->project = c->account && *c->account ? c->account : NULL;
    e->peered = value_is_known(config_get(d->config, "network.vpc_network"));
    derive_names(e);
    if (read_variants(e) < 0)
        return -1;
    put_choices(e);
    derive_identity(e);
    if (endpoint_gcp_models(e) < 0)
        return -1;
    derive_endpoint(e);
    derive_alarms(e);
    return 0;
}
