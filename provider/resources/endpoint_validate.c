/* Checks of an endpoint's configuration across attributes that hold for every target. */
#include "resources/endpoint.h"

#include <string.h>

/* Letters, digits and hyphens, as all that is named after a variant allows. */
static bool is_name(struct slice s, size_t most)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= 'a' && s.ptr[i] <= 'z') && !(s.ptr[i] >= '0' && s.ptr[i] <= '9') &&
            (s.ptr[i] != '-' || !i || i + 1 == s.len))
            return false;
    return s.len && s.len <= most && s.ptr[0] >= 'a';
}

/* ---- variants ---- */

static int check_names(struct arena *a, const struct endpoint_variants *all, struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; i < all->count; i++)
        if (!is_name(all->items[i].name, ENDPOINT_VARIANT_NAME_MOST))
            rc = diags_error(diags, all->items[i].at, "Invalid name of a variant",
                             "\"%.*s\" is no name here: at most %d lower-case letters, digits and "
                             "hyphens, starting with a letter and not ending with a hyphen.",
                             (int)all->items[i].name.len, all->items[i].name.ptr,
                             ENDPOINT_VARIANT_NAME_MOST);
    (void)a;
    return rc;
}

/* Whether the weight is known, and a whole number; *known is set to false when it is not known. */
static int check_weight(struct arena *a, const struct value *own, const struct path *at,
                        bool *known, struct diags *diags)
{
    const struct value *weight = value_get(own, "weight");
    int64_t whole = 0;
    *known &= value_is_known(weight);
    if (!value_is_known(weight) || value_to_int(weight, &whole))
        return 0;
    return diags_error(diags, path_attribute(a, at, "weight"), "Not a whole number",
                       "Weights are percents of the calls, without a fraction.");
}

static int check_weights(struct arena *a, const struct value *config,
                         const struct endpoint_variants *all, struct diags *diags)
{
    const struct value *written = config_get(config, "variants");
    bool known = all->known;
    int64_t sum = 0;
    int rc = 0;
    for (size_t i = 0; written && i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        if (check_weight(a, value_get_slice(written, v->name), v->at, &known, diags) < 0)
            rc = -1;
        sum += v->weight;
    }
    if (rc < 0 || !known || !written || sum == 100)
        return rc;
    return diags_error(diags, path_attribute(a, NULL, "variants"), "The weights do not make 100",
                       "The weights of all variants are percents of the calls; together they are "
                       "%lld.",
                       (long long)sum);
}

static bool has_variant(const struct endpoint_variants *all, struct slice name)
{
    for (size_t i = 0; i < all->count; i++)
        if (slice_eq(all->items[i].name, name))
            return true;
    return false;
}

/* ---- scaling ---- */

static int check_scaled_names(struct arena *a, const struct value *config,
                              const struct endpoint_variants *all, struct diags *diags)
{
    const struct value *of = config_get(config, "scaling.variants");
    int rc = 0;
    for (size_t i = 0; all->known && i < value_count(of); i++) {
        struct slice key = of->members[i].key;
        _cleanup_buf_ struct buf names = BUF_INIT(1024);
        for (size_t k = 0; k < all->count; k++)
            buf_printf(&names, "%s%.*s", k ? ", " : "", (int)all->items[k].name.len,
                       all->items[k].name.ptr);
        if (!has_variant(all, key))
            rc = diags_error(diags, path_key(a, path_parse(a, "scaling.variants"), key),
                             "Unknown variant", "There is no variant \"%.*s\"; there are: %s.",
                             (int)key.len, key.ptr, buf_cstr(&names));
    }
    return rc;
}

static int check_scale(struct arena *a, const struct endpoint_variant *v, struct diags *diags)
{
    const struct endpoint_scale *s = &v->scale;
    const struct path *at = path_attribute(a, NULL, "scaling");
    int len = (int)v->name.len;
    if (!v->known)
        return 0;
    if (s->min > s->max)
        return diags_error(diags, at, "More at least than at most",
                           "Variant \"%.*s\" would have at least %lld instances, and at most %lld.",
                           len, v->name.ptr, (long long)s->min, (long long)s->max);
    if (s->min == 0 && !s->to_zero)
        return diags_error(diags, at, "Nothing would run",
                           "Variant \"%.*s\" would have no instance. If that is what you want "
                           "while nobody calls, set `scale_to_zero`.",
                           len, v->name.ptr);
    if (s->to_zero && s->min > 0)
        return diags_error(diags, at, "Conflicting settings",
                           "With `scale_to_zero`, `min` is 0; variant \"%.*s\" has %lld.", len,
                           v->name.ptr, (long long)s->min);
    if (s->max > s->min && !s->scales)
        return diags_error(diags, at, "Nothing says when to scale",
                           "Variant \"%.*s\" may have %lld to %lld instances. Say by what they are "
                           "scaled: `target_invocations`, `target_gpu_percent`, or both.",
                           len, v->name.ptr, (long long)s->min, (long long)s->max);
    if (s->scales && v->at && (v->instances < s->min || v->instances > s->max))
        return diags_error(
            diags, path_attribute(a, v->at, "instances"), "Outside of what it scales between",
            "Variant \"%.*s\" begins with %lld instances, and has %lld to %lld.", len, v->name.ptr,
            (long long)v->instances, (long long)s->min, (long long)s->max);
    return 0;
}

/* ---- models and stacks ---- */

bool endpoint_container_known(const struct value *config)
{
    return !value_is_unknown(value_path(config, "container.stack")) &&
           !value_is_unknown(value_path(config, "container.image"));
}

static const char *const no_own_stack =
    "It is not known what the image understands. Say in `container.stack` what is in it, or leave "
    "this out and set the server's own variables in `environment`.";

static int check_quantization(struct arena *a, const struct endpoint_variant *v,
                              const struct endpoint_model *m, enum endpoint_stack stack,
                              struct diags *diags)
{
    const char *q = v->quantization;
    const struct path *at = endpoint_variant_path(a, v, "quantization", "quantization");
    if (!q || strcmp(q, "none") == 0)
        return 0;
    if (stack == ENDPOINT_OWN)
        return diags_error(diags, at, "Not with this container", "%s", no_own_stack);
    if (m->known && strcmp(q, "fp8") != 0)
        return diags_error(diags, at, "The weights are not quantized so",
                           "\"%s\" stands for %s, whose weights are not quantized. Name a model "
                           "with %s weights (ORG/NAME-%s …), or use `fp8`, which quantizes while "
                           "it loads.",
                           v->model, m->known->huggingface, q,
                           strcmp(q, "awq") == 0 ? "AWQ" : "GPTQ");
    return 0;
}

/* S3 belongs to AWS, GCS to Google Cloud: the model's identity there may read it. */
static int check_source(struct arena *a, const char *cloud, const char *uri, const struct path *at,
                        struct diags *diags)
{
    bool s3 = strncmp(uri, "s3://", 5) == 0, gcs = strncmp(uri, "gs://", 5) == 0;
    (void)a;
    if (!cloud || !((s3 && strcmp(cloud, "gcp") == 0) || (gcs && strcmp(cloud, "aws") == 0)))
        return 0;
    return diags_error(diags, at, "Files in the other cloud",
                       "%s is not in reach of what runs on %s. Copy the files to a bucket %s://….",
                       uri, s3 ? "Google Cloud" : "AWS", s3 ? "gs" : "s3");
}

static int check_image(struct arena *a, const struct endpoint_variant *v,
                       const struct endpoint_model *m, struct diags *diags)
{
    if (m->source != ENDPOINT_IMAGE || !v->image || !v->model)
        return 0;
    return diags_error(
        diags, endpoint_variant_path(a, v, "image", "container.image"), "Conflicting settings",
        "\"%s\" is an image that holds model and server: it takes no other image.", v->model);
}

/* Whether the server gets its models from elsewhere than Hugging Face, or that is not known. */
static bool has_other_hub(const struct value *env)
{
    static const char *const names[] = {"HF_ENDPOINT", "HF_HUB_OFFLINE"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (value_get(env, names[i]))
            return true;
    return value_is_unknown(env);
}

/* Meta, Google and others let only those fetch a model who have accepted its terms. */
static void warn_of_gate(struct arena *a, const struct value *config,
                         const struct endpoint_variant *v, const struct endpoint_model *m,
                         struct diags *diags)
{
    static const char *const tokens[] = {"huggingface_token_wo", "huggingface_token_wo_version",
                                         "huggingface_token_secret"};
    bool sagemaker = config_is(config, "cloud", "aws") && !config_is(config, "target", "cluster");
    bool gated = m->source == ENDPOINT_HUB && m->known && m->known->gated && !v->image;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++)
        gated &= !config_get(config, tokens[i]);
    if (!gated || has_other_hub(v->environment) || has_other_hub(v->more_environment))
        return;
    diags_warning(diags, endpoint_variant_path(a, v, "model", "model"),
                  "The model is gated, and there is no token",
                  "Hugging Face lets only those fetch %s who have accepted its terms: the server "
                  "would not start. %s",
                  m->id,
                  sagemaker ? "SageMaker's own images take no token. Copy the weights to S3 "
                              "(`model = \"s3://…\"`), or take a model that is not gated."
                            : "Set `huggingface_token_wo` or `huggingface_token_secret`, or take a "
                              "model that is not gated.");
}

static int check_variant(struct arena *a, const struct value *config,
                         const struct endpoint_target *t, const struct endpoint_variant *v,
                         struct diags *diags)
{
    struct endpoint_model m;
    const struct path *at = endpoint_variant_path(a, v, "model", "model");
    const char *cloud = value_cstr(config_get(config, "cloud"), NULL);
    if (!v->known || !v->model || !endpoint_container_known(config))
        return 0;
    if (endpoint_model(a, config, v, at, &m, diags) < 0)
        return -1;
    enum endpoint_stack stack = endpoint_stack_of(config, v->model, v->image);
    int rc = check_quantization(a, v, &m, stack, diags);
    rc |= check_source(a, cloud, v->model, at, diags);
    rc |= check_image(a, v, &m, diags);
    warn_of_gate(a, config, v, &m, diags);
    if (t)
        rc |= endpoint_check_machine(a, t, config, v, &m, diags);
    return rc;
}

/* ---- adapters ---- */

static bool is_adapter_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= 'a' && s.ptr[i] <= 'z') && !(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') &&
            !(s.ptr[i] >= '0' && s.ptr[i] <= '9') && (!s.ptr[i] || !strchr("._-", s.ptr[i]) || !i))
            return false;
    return s.len && s.len <= ENDPOINT_ADAPTER_NAME_MOST;
}

static int check_adapters(struct arena *a, const struct value *config,
                          const struct endpoint_variants *all, struct diags *diags)
{
    const struct value *adapters = config_get(config, "adapters");
    const struct path *at = path_attribute(a, NULL, "adapters");
    const char *cloud = value_cstr(config_get(config, "cloud"), NULL);
    int rc = 0;
    for (size_t i = 0; i < value_count(adapters); i++) {
        struct slice key = adapters->members[i].key;
        const char *uri = value_cstr(value_at(adapters, i), NULL);
        if (!is_adapter_name(key))
            rc = diags_error(diags, path_key(a, at, key), "Invalid name of an adapter",
                             "\"%.*s\" is no name here: at most %d letters, digits, '.', '_' and "
                             "'-', starting with a letter or digit.",
                             (int)key.len, key.ptr, ENDPOINT_ADAPTER_NAME_MOST);
        if (uri && check_source(a, cloud, uri, path_key(a, at, key), diags) < 0)
            rc = -1;
    }
    for (size_t i = 0; value_count(adapters) && i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        enum endpoint_stack stack = endpoint_stack_of(config, v->model, v->image);
        if (v->known && v->model && endpoint_container_known(config) && stack != ENDPOINT_VLLM &&
            stack != ENDPOINT_DJL_LMI)
            return diags_error(diags, at, "Adapters need a stack that can load them",
                               "`vllm` and `djl_lmi` load LoRA adapters; %s.",
                               stack == ENDPOINT_TGI
                                   ? "`tgi` takes none from here"
                                   : "of this image it is not known (`container.stack`)");
    }
    return rc;
}

/* ---- the rest ---- */

/* Variables that would hold a token where everybody may read it. */
static int check_environment(struct arena *a, const struct value *env, const struct path *at,
                             struct diags *diags)
{
    static const char *const tokens[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
                                         "HUGGINGFACE_HUB_TOKEN"};
    int rc = 0;
    for (size_t i = 0; i < value_count(env); i++) {
        struct slice key = env->members[i].key;
        bool ok = key.len && !(key.ptr[0] >= '0' && key.ptr[0] <= '9');
        for (size_t k = 0; ok && k < key.len; k++)
            ok = key.ptr[k] == '_' || (key.ptr[k] >= 'a' && key.ptr[k] <= 'z') ||
                 (key.ptr[k] >= 'A' && key.ptr[k] <= 'Z') ||
                 (key.ptr[k] >= '0' && key.ptr[k] <= '9');
        if (!ok)
            rc = diags_error(diags, path_key(a, at, key), "Invalid variable",
                             "Letters, digits and _ make a variable's name, which does not start "
                             "with a digit.");
        for (size_t k = 0; k < sizeof(tokens) / sizeof(*tokens); k++)
            if (slice_eq_str(key, tokens[k]))
                rc = diags_error(diags, path_key(a, at, key), "No place for a token",
                                 "The environment can be read in the cloud, and stands in the "
                                 "state. Use `huggingface_token_wo` or "
                                 "`huggingface_token_secret`.");
    }
    return rc;
}

static int check_cluster(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *cluster = config_get(config, "cluster");
    bool inside = config_is(config, "target", "cluster");
    if (value_is_unknown(config_get(config, "target")))
        return 0;
    if (!inside && value_is_known(cluster))
        return diags_error(diags, path_attribute(a, NULL, "cluster"), "Conflicting settings",
                           "`cluster` is for `target = \"cluster\"`.");
    if (!inside || value_is_unknown(cluster) || config_get(config, "cluster.name") ||
        config_get(config, "cluster.kubernetes"))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "cluster"), "Which cluster?",
                       "With `target = \"cluster\"`, name one of the cloud's in `cluster.name`, or "
                       "any other in `cluster.kubernetes`.");
}

static int check_rollout(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *step = config_get(config, "rollout.step_percent");
    const struct value *strategy = config_get(config, "rollout.strategy");
    bool at_once = config_get(config, "rollout") && !value_is_unknown(strategy) &&
                   (!strategy || config_is(config, "rollout.strategy", "all_at_once"));
    if (!value_is_known(step) || !at_once)
        return 0;
    return diags_error(diags, path_parse(a, "rollout.step_percent"), "Conflicting settings",
                       "`all_at_once` has no steps. Use `canary` or `linear`.");
}

static int check_version(struct arena *a, const struct value *config,
                         const struct endpoint_target *t, struct diags *diags)
{
    const char *version = value_cstr(config_get(config, "container.version"), NULL);
    const struct value *stack = config_get(config, "container.stack"),
                       *image = config_get(config, "container.image");
    const struct path *at = path_parse(a, version ? "container.version" : "container.stack");
    struct slice name = stack ? value_slice(stack) : SLICE_LIT("vllm");
    if (version && image)
        return diags_error(diags, at, "Conflicting settings",
                           "The version is that of `container.image`.");
    if (!t || !t->image_target || image || value_is_unknown(stack) || (!version && !stack) ||
        catalog_serving_image(t->image_target, name, version))
        return 0;
    _cleanup_buf_ struct buf list = BUF_INIT(1024);
    for (size_t i = 0; i < catalog_serving_image_count; i++) {
        const struct catalog_serving_image *s = &catalog_serving_image_table[i];
        if (strcmp(s->target, t->image_target) == 0)
            buf_printf(&list, "%s%s %s", list.len ? ", " : "", s->stack, s->version);
    }
    return diags_error(diags, at, "The catalogue has no such image",
                       "There is no image of %.*s%s%s for %s. There are: %s. Or name one of your "
                       "own in `container.image`.",
                       (int)name.len, name.ptr, version ? " " : "", version ? version : "",
                       t->title, buf_cstr(&list));
}

/* That there is such a target at all, once both of its names are known. */
static int check_target(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *cloud = value_cstr(config_get(config, "cloud"), NULL);
    const struct value *target = value_get(config, "target");
    if (!cloud || value_is_unknown(target) || endpoint_target_of(config))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "target"), "There is no such target",
                       "On \"%s\" an endpoint cannot be \"%s\".", cloud,
                       value_cstr(target, "managed"));
}

static int check_all(struct arena *a, const struct value *config, const struct endpoint_target *t,
                     const struct endpoint_variants *all, struct diags *diags)
{
    int rc = check_target(a, config, diags);
    rc |= check_cluster(a, config, diags);
    rc |= check_names(a, all, diags);
    rc |= check_weights(a, config, all, diags);
    rc |= check_scaled_names(a, config, all, diags);
    rc |= check_adapters(a, config, all, diags);
    rc |= check_rollout(a, config, diags);
    rc |= check_version(a, config, t, diags);
    rc |= check_environment(a, config_get(config, "environment"),
                            path_attribute(a, NULL, "environment"), diags);
    for (size_t i = 0; i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        rc |= check_scale(a, v, diags);
        rc |= check_variant(a, config, t, v, diags);
        rc |= check_environment(a, v->more_environment, path_attribute(a, v->at, "environment"),
                                diags);
    }
    return rc;
}

int endpoint_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct endpoint_target *t = endpoint_target_of(config);
    struct endpoint_variants all;
    size_t before = diags->errors;
    endpoint_variants(a, config, &all);
    int rc = check_all(a, config, t, &all, diags);
    if (t && t->validate(a, config, &all, diags) < 0)
        rc = -1;
    if (rc < 0 && diags->errors == before)
        diags_error(diags, NULL, "Out of memory", "The configuration was not checked.");
    return rc < 0 ? -1 : 0;
}
