/* What an endpoint is to serve: its variants, their models, and how many instances there are. */
#include "resources/endpoint.h"

#include <string.h>
#include <strings.h>

#include "cloud/sigv4.h"

static const char *const stack_names[] = {NULL, "vllm", "tgi", "djl_lmi"};

const char *endpoint_stack_name(enum endpoint_stack stack)
{
    return stack_names[stack];
}

enum endpoint_stack endpoint_stack_of(const struct value *config, const char *model,
                                      const char *image)
{
    const char *stack = value_cstr(config_get(config, "container.stack"), NULL);
    for (int i = ENDPOINT_VLLM; stack && i <= ENDPOINT_DJL_LMI; i++)
        if (strcmp(stack_names[i], stack) == 0)
            return (enum endpoint_stack)i;
    return image || (model && strncmp(model, "oci://", 6) == 0) ? ENDPOINT_OWN : ENDPOINT_VLLM;
}

const char *endpoint_digest(struct arena *a, const struct buf *text)
{
    const char *all = text->failed ? NULL : sigv4_sha256_hex(a, buf_slice(text));
    return all ? arena_printf(a, "%.8s", all) : NULL;
}

/* ---- scaling ---- */

/* Of the variant's own part of `scaling`, else of `scaling` itself. */
static int64_t scale_number(const struct value *config, struct slice variant, const char *name,
                            int64_t otherwise, bool *known)
{
    const struct value *all = value_get(config, "scaling");
    const struct value *own = value_get(value_get_slice(value_get(all, "variants"), variant), name);
    const struct value *v = config_is_set(own) ? own : value_get(all, name);
    *known &= !value_is_unknown(v) && !value_is_unknown(all);
    return value_int_or(v, otherwise);
}

static struct endpoint_scale scale_of(const struct value *config, struct slice variant, bool *known)
{
    struct endpoint_scale s = {0};
    const struct value *zero = config_get(config, "scaling.scale_to_zero"),
                       *all = config_get(config, "scaling.variants");
    *known &= !value_is_unknown(zero) && !value_is_unknown(all) &&
              !value_is_unknown(value_get_slice(all, variant));
    s.min = scale_number(config, variant, "min", value_true(zero) ? 0 : 1, known);
    s.max = scale_number(config, variant, "max", s.min > 1 ? s.min : 1, known);
    s.target_invocations = scale_number(config, variant, "target_invocations", 0, known);
    s.target_gpu_percent = scale_number(config, variant, "target_gpu_percent", 0, known);
    s.in_cooldown_s = value_int_or(config_get(config, "scaling.scale_in_cooldown_s"), 300);
    s.out_cooldown_s = value_int_or(config_get(config, "scaling.scale_out_cooldown_s"), 60);
    s.scales = s.max > s.min && (s.target_invocations || s.target_gpu_percent);
    s.to_zero = value_true(zero);
    return s;
}

/* ---- variants ---- */

/* A text of the variant, else of the endpoint; NULL when there is none, or it is unknown. */
static const char *text_of(const struct value *own, const char *name, const struct value *config,
                           const char *otherwise, bool *known)
{
    const struct value *v = value_get(own, name);
    if (!config_is_set(v))
        v = otherwise ? config_get(config, otherwise) : NULL;
    *known &= !value_is_unknown(v);
    return value_cstr(v, NULL);
}

static struct endpoint_variant read_variant(struct arena *a, const struct value *config,
                                            struct slice name, const struct value *own)
{
    struct endpoint_variant v = {.name = name, .known = true, .weight = 100};
    bool other = config_is_set(value_get(own, "model"));
    if (own)
        v.at = path_key(a, path_attribute(a, NULL, "variants"), name);
    if (own)
        v.weight = value_int_or(value_get(own, "weight"), -1);
    v.known &= !own || !value_is_unknown(value_get(own, "weight"));
    v.model = text_of(own, "model", config, "model", &v.known);
    v.revision = text_of(own, "model_revision", config, other ? NULL : "model_revision", &v.known);
    v.quantization = text_of(own, "quantization", config, "quantization", &v.known);
    v.machine_type = text_of(own, "machine_type", config, "machine.type", &v.known);
    v.image = text_of(own, "image", config, "container.image", &v.known);
    v.environment = config_get(config, "environment");
    v.more_environment = config_get(own, "environment");
    v.scale = scale_of(config, name, &v.known);
    const struct value *instances = config_get(own, "instances");
    v.known &= !value_is_unknown(instances);
    v.instances = value_int_or(instances, v.scale.min > 1 ? v.scale.min : 1);
    return v;
}

void endpoint_variants(struct arena *a, const struct value *config, struct endpoint_variants *ret)
{
    const struct value *all = value_get(config, "variants");
    memset(ret, 0, sizeof(*ret));
    ret->known = !value_is_unknown(all);
    if (ret->known && !config_is_set(all))
        ret->items[ret->count++] = read_variant(a, config, SLICE_LIT(ENDPOINT_VARIANT), NULL);
    for (size_t i = 0; i < value_count(all) && i < ENDPOINT_VARIANTS_MOST; i++) {
        if (value_is_unknown(value_at(all, i)))
            ret->known = false;
        else
            ret->items[ret->count++] =
                read_variant(a, config, all->members[i].key, value_at(all, i));
    }
}

bool endpoint_settled(const struct value *config)
{
    static const char *const names[] = {"container",
                                        "environment",
                                        "adapters",
                                        "machine",
                                        "model_size",
                                        "context_tokens",
                                        "network",
                                        "kms_key",
                                        "role",
                                        "scaling",
                                        "startup_timeout_s",
                                        "huggingface_token_secret",
                                        "huggingface_token_wo_version"};
    return config_wholly_known(config, names, sizeof(names) / sizeof(*names));
}

bool endpoint_variant_settled(const struct endpoint_variant *v)
{
    return v->known && (!v->more_environment || value_is_wholly_known(v->more_environment));
}

const struct path *endpoint_variant_path(struct arena *a, const struct endpoint_variant *v,
                                         const char *name, const char *otherwise)
{
    return v->at ? path_attribute(a, v->at, name) : path_parse(a, otherwise);
}

const struct path *endpoint_image_path(struct arena *a, const struct endpoint_variant *v)
{
    return v->model && strncmp(v->model, "oci://", 6) == 0
               ? endpoint_variant_path(a, v, "model", "model")
               : endpoint_variant_path(a, v, "image", "container.image");
}

/* ---- models ---- */

/* "ORG/NAME" as Hugging Face has it. */
static bool is_hub_id(const char *s)
{
    const char *slash = strchr(s, '/');
    if (!slash || slash == s || !slash[1] || strchr(slash + 1, '/'))
        return false;
    for (const char *p = s; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') &&
            !strchr("/._-", *p))
            return false;
    return *s != '.' && *s != '-';
}

static const struct catalog_model *of_hub_id(const char *id)
{
    for (size_t i = 0; i < catalog_model_count; i++)
        if (catalog_models[i].huggingface && strcasecmp(catalog_models[i].huggingface, id) == 0)
            return &catalog_models[i];
    return NULL;
}

static int no_such_form(struct arena *a, const char *model, const struct path *at,
                        struct diags *diags)
{
    const char *near = catalog_nearest(a, slice_str(model));
    return diags_error(diags, at, "Not a model",
                       "\"%s\" is neither a model of Hugging Face (ORG/NAME), nor in the "
                       "catalogue, nor a URI (s3://BUCKET/…, gs://BUCKET/…, "
                       "oci://REGISTRY/REPOSITORY:TAG).%s%s%s",
                       model, near ? " Did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Whether all of it may stand in a URI, and in a policy. */
static bool is_plain(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("\"\\*?${}", *s))
            return false;
    return true;
}

/* Source, id and entry of the catalogue. 0, or -1 when it is of no form. */
static int take_form(struct endpoint_model *m, const char *model)
{
    static const struct {
        const char *prefix;
        enum endpoint_source source;
    } schemes[] = {{"s3://", ENDPOINT_S3}, {"gs://", ENDPOINT_GCS}, {"oci://", ENDPOINT_IMAGE}};
    struct catalog_choice choice;
    m->id = model;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t n = strlen(schemes[i].prefix);
        if (strncmp(model, schemes[i].prefix, n) != 0)
            continue;
        m->source = schemes[i].source;
        m->id = m->source == ENDPOINT_IMAGE ? model + n : model;
        return model[n] && model[n] != '/' && is_plain(model) ? 0 : -1;
    }
    m->source = ENDPOINT_HUB;
    if (is_hub_id(model)) {
        m->known = of_hub_id(model);
        return 0;
    }
    if (!catalog_find(slice_str(model), &choice) || !choice.model->huggingface)
        return -1;
    m->known = choice.model;
    m->id = choice.model->huggingface;
    return 0;
}

int64_t endpoint_context(const struct value *config, const struct endpoint_model *m)
{
    int64_t wanted = value_int_or(config_get(config, "context_tokens"), ENDPOINT_CONTEXT);
    bool shorter = m->known && m->known->context_max && m->known->context_max < wanted;
    return shorter ? m->known->context_max : wanted;
}

static uint64_t gib(const struct value *v)
{
    return value_is_known(v) ? (uint64_t)(number_to_double(v->number, NULL) * (double)CATALOG_GIB)
                             : 0;
}

/* What it needs: as its user says, or by the catalogue's figures. */
static void size_model(struct endpoint_model *m, const struct value *config,
                       const struct endpoint_variant *v)
{
    const struct value *size = config_get(config, "model_size");
    const struct value *disk = value_get(size, "disk_gib"), *memory = value_get(size, "memory_gib");
    if (value_is_known(size)) {
        m->fit = fit_model_custom(v->model, gib(memory), gib(config_is_set(disk) ? disk : memory));
        m->sized = value_is_known(memory) && !value_is_unknown(disk);
        return;
    }
    if (!m->known || size || value_is_unknown(config_get(config, "context_tokens")))
        return;
    const struct catalog_choice choice = {m->known, m->known->variants};
    m->fit = fit_model_of(&choice, FIT_VLLM, endpoint_context(config, m));
    /* A byte a parameter; embeddings and norms, which stay as they are, are a tenth at most. */
    if (v->quantization && strcmp(v->quantization, "fp8") == 0) {
        uint64_t bytes = m->known->parameters / 10 * 11;
        m->fit.weights = bytes < m->fit.weights ? bytes : m->fit.weights;
    }
    m->sized = true;
}

int endpoint_model(struct arena *a, const struct value *config, const struct endpoint_variant *v,
                   const struct path *at, struct endpoint_model *ret, struct diags *diags)
{
    memset(ret, 0, sizeof(*ret));
    ret->revision = v->revision;
    if (!v->model)
        return 0;
    if (take_form(ret, v->model) < 0)
        return diags ? no_such_form(a, v->model, at, diags) : -1;
    size_model(ret, config, v);
    return 0;
}
