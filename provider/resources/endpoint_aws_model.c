/* The models of an endpoint on SageMaker, and its configuration. Neither can be changed: their
 * names end with a digest of their contents, so that a change makes another one beside the old one.
 */
#include "resources/endpoint_aws.h"

#include <string.h>

#include "value/codec.h"

enum {
    TEXT_MOST = 64 << 10,
    ENVIRONMENT_MOST = 256,
    LORAS = 4,       /* of one batch of requests */
    LORAS_KEPT = 64, /* in the machine's memory: as many as an endpoint may have, and more */
    LORA_RANK = 64
};

#define MODEL_FOLDER "/opt/ml/model" /* where SageMaker puts what it has fetched from S3 */

/* ---- the server's environment ---- */

struct environment {
    struct arena *a;
    struct value_member m[ENVIRONMENT_MOST];
    size_t count;
};

static void set_value(struct environment *env, const char *name, const struct value *v)
{
    if (env->count < ENVIRONMENT_MOST)
        env->m[env->count++] = (struct value_member){slice_str(name), v};
}

static void set(struct environment *env, const char *name, const char *text)
{
    if (text)
        set_value(env, name, value_str(env->a, text));
}

static void set_number(struct environment *env, const char *name, int64_t n)
{
    set_value(env, name, value_printf(env->a, "%lld", (long long)n));
}

/* The names by which a stack knows its settings; NULL: it has none. */
struct stack_names {
    const char *model, *revision, *gpus, *context, *quantization;
};

/* https://github.com/aws/deep-learning-containers, docs/src/vllm/configuration;
 * https://docs.djl.ai, LMI, "vLLM Engine User Guide"; text-generation-inference,
 * sagemaker-entrypoint.sh. */
static const struct stack_names names[] = {
    [ENDPOINT_OWN] = {NULL, NULL, NULL, NULL, NULL},
    [ENDPOINT_VLLM] = {"SM_VLLM_MODEL", "SM_VLLM_REVISION", "SM_VLLM_TENSOR_PARALLEL_SIZE",
                       "SM_VLLM_MAX_MODEL_LEN", "SM_VLLM_QUANTIZATION"},
    [ENDPOINT_TGI] = {"HF_MODEL_ID", "HF_MODEL_REVISION", "SM_NUM_GPUS", "MAX_TOTAL_TOKENS",
                      "HF_MODEL_QUANTIZE"},
    [ENDPOINT_DJL_LMI] = {"HF_MODEL_ID", "HF_REVISION", "TENSOR_PARALLEL_DEGREE",
                          "OPTION_MAX_MODEL_LEN", "OPTION_QUANTIZE"},
};

/* vLLM reads from the weights how they were quantized, and is faster when it is not told; only what
 * it quantizes itself it has to be told. */
static const char *quantization_of(const struct endpoint_aws_variant *x)
{
    const char *q = x->v->quantization;
    bool told = q && (strcmp(q, "fp8") == 0 || x->stack == ENDPOINT_TGI);
    return told && strcmp(q, "none") != 0 ? q : NULL;
}

static void set_context(struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                        struct environment *env)
{
    bool known = config_get(e->d->config, "context_tokens") || x->model.known;
    int64_t tokens = endpoint_context(e->d->config, &x->model);
    if (!known)
        return;
    set_number(env, names[x->stack].context, tokens);
    if (x->stack == ENDPOINT_TGI)
        set_number(env, "MAX_INPUT_TOKENS", tokens - 1);
}

/* https://github.com/aws/model-hosting-container-standards, "LoRA Adapter Management"; and
 * https://docs.djl.ai, "Adapters". How many adapters there are is not told: one more would be
 * another model, and new copies of it. */
static void set_adapters(struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                         struct environment *env)
{
    bool vllm = x->stack == ENDPOINT_VLLM;
    if (!value_count(config_get(e->d->config, "adapters")))
        return;
    set(env, vllm ? "SM_VLLM_ENABLE_LORA" : "OPTION_ENABLE_LORA", "true");
    set_number(env, vllm ? "SM_VLLM_MAX_LORAS" : "OPTION_MAX_LORAS", LORAS);
    set_number(env, vllm ? "SM_VLLM_MAX_CPU_LORAS" : "OPTION_MAX_CPU_LORAS", LORAS_KEPT);
    set_number(env, vllm ? "SM_VLLM_MAX_LORA_RANK" : "OPTION_MAX_LORA_RANK", LORA_RANK);
    if (vllm)
        set(env, "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "True");
}

/* Where an image of the user's finds the token: SageMaker itself hands over no secrets. */
static void set_token(struct endpoint_aws *e, struct environment *env)
{
    const struct value *secret = config_get(e->d->config, "huggingface_token_secret");
    if (value_is_known(secret))
        set_value(env, "HF_TOKEN_SECRET_ID", secret);
    if (config_get(e->d->config, "huggingface_token_wo_version"))
        set(env, "HF_TOKEN_SECRET_ID", e->names.secret);
}

static void set_stack(struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                      struct environment *env)
{
    const struct stack_names *n = &names[x->stack];
    bool fetched = x->model.source == ENDPOINT_S3;
    if (!n->model)
        return;
    set(env, n->model, fetched ? MODEL_FOLDER : x->model.id);
    if (!fetched && x->model.revision)
        set(env, n->revision, x->model.revision);
    if (x->gpus)
        set_number(env, n->gpus, x->gpus);
    if (quantization_of(x))
        set(env, n->quantization, quantization_of(x));
    if (x->stack == ENDPOINT_VLLM)
        set(env, "SM_VLLM_SERVED_MODEL_NAME", e->d->name);
    set_context(e, x, env);
    set_adapters(e, x, env);
}

static const struct value *environment(struct endpoint_aws *e, const struct endpoint_aws_variant *x)
{
    struct environment *env = arena_new_object(e->d->a, struct environment);
    const struct value *own[] = {x->v->environment, x->v->more_environment};
    if (!env)
        return NULL;
    env->a = e->d->a;
    set_stack(e, x, env);
    set_token(e, env);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < value_count(own[k]); i++)
            if (env->count < ENVIRONMENT_MOST)
                env->m[env->count++] = own[k]->members[i];
    return value_map(e->d->a, &type_string, env->m, env->count);
}

/* ---- digests ---- */

/* Of a value that is wholly known. */
static const char *digest_of(struct arena *a, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    if (!v || value_json_write(&b, v, true) < 0)
        return NULL;
    return endpoint_digest(a, &b);
}

/* Name or ARN of the role: what is made is known by its name before it has an ARN. */
static const struct value *role_of(struct endpoint_aws *e)
{
    const struct value *own = config_get(e->d->config, "role");
    return own ? own : value_str(e->d->a, e->names.role);
}

static const struct value *or_none(struct arena *a, const struct value *v)
{
    return v ? v : value_null(a, &type_dynamic);
}

/* ---- models ---- */

/* "s3://b/prefix" as a prefix ends with a slash. */
static const struct value *data_uri(struct arena *a, const char *uri, bool archive)
{
    size_t len = strlen(uri);
    return value_printf(a, "%s%s", uri, archive || uri[len - 1] == '/' ? "" : "/");
}

static bool is_archive(const char *uri)
{
    size_t len = strlen(uri);
    return len > 7 && strcmp(uri + len - 7, ".tar.gz") == 0;
}

static const struct value *model_object(struct endpoint_aws *e, struct endpoint_aws_variant *x)
{
    struct arena *a = e->d->a;
    const struct value *none = value_null(a, &type_dynamic);
    bool s3 = x->model.source == ENDPOINT_S3, archive = s3 && is_archive(x->model.id);
    bool own = !e->components;
    const struct value_member content[] = {
        {SLICE_LIT("image"), value_str(a, x->image)},
        {SLICE_LIT("image_access_mode"),
         endpoint_aws_is_ecr(x->image) ? none : value_str(a, "Vpc")},
        {SLICE_LIT("environment"), environment(e, x)},
        {SLICE_LIT("model_data_uri"), s3 ? data_uri(a, x->model.id, archive) : none},
        {SLICE_LIT("model_data_type"), s3 ? value_str(a, archive ? "S3Object" : "S3Prefix") : none},
        {SLICE_LIT("model_data_compression"), s3 ? value_str(a, archive ? "Gzip" : "None") : none}};
    const size_t count = sizeof(content) / sizeof(*content);
    const struct value *object = value_object(a, content, count);
    const struct value_member all[] = {
        {SLICE_LIT("content"), object},
        {SLICE_LIT("role"), role_of(e)},
        {SLICE_LIT("network"), own ? or_none(a, config_get(e->d->config, "network")) : none}};
    const char *digest = object ? digest_of(a, value_object(a, all, 3)) : NULL;
    x->model_name = digest ? arena_printf(a, "%s-%.*s-%s", e->d->name, (int)x->v->name.len,
                                          x->v->name.ptr, digest)
                           : NULL;
    return x->model_name ? value_with(a, object, "name", value_str(a, x->model_name)) : NULL;
}

int endpoint_aws_models(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    struct value_member m[ENDPOINT_VARIANTS_MOST];
    if (!e->known) {
        endpoint_put(e->d, "models", endpoint_unknown(e->d));
        return 0;
    }
    for (size_t i = 0; i < e->count; i++) {
        struct endpoint_aws_variant *x = &e->items[i];
        const struct value *object = model_object(e, x);
        if (!object)
            return -1;
        /* "VARIANT-DIGEST": what follows the endpoint's name. */
        m[i] = (struct value_member){slice_str(x->model_name + strlen(e->d->name) + 1), object};
    }
    endpoint_put(e->d, "models", value_object(a, m, e->count));
    return 0;
}

/* ---- the configuration ---- */

/* The AMI whose driver runs the CUDA of an image, as its tag names it: without it, machines of
 * older families have a driver that is too old. */
static const char *ami_of(const struct endpoint_aws *e, const char *image)
{
    const char *own = value_cstr(config_get(e->d->config, "machine.inference_ami"), NULL);
    const char *cuda = strstr(image, "-cu");
    if (own)
        return own;
    if (!cuda || strlen(cuda) < 6)
        return NULL;
    if (strncmp(cuda + 3, "13", 2) == 0)
        return "al2023-ami-sagemaker-inference-gpu-4-1";
    return strncmp(cuda + 3, "12", 2) == 0 ? "al2-ami-sagemaker-inference-gpu-3-1" : NULL;
}

int64_t endpoint_aws_copies_per_instance(const struct endpoint_aws_variant *x)
{
    int gpus = x->machine ? x->machine->gpu_count : 1;
    return x->gpus && gpus / x->gpus > 1 ? gpus / x->gpus : 1;
}

/* Instances that so many copies need. */
static int64_t instances_for(const struct endpoint_aws_variant *x, int64_t copies)
{
    int64_t each = endpoint_aws_copies_per_instance(x);
    return (copies + each - 1) / each;
}

/* Instances of a variant whose model is an inference component: SageMaker adds them as copies need
 * them. */
static const struct value *managed_scaling(struct endpoint_aws *e,
                                           const struct endpoint_aws_variant *x)
{
    struct arena *a = e->d->a;
    const struct endpoint_scale *s = &x->v->scale;
    int64_t most = s->scales || s->to_zero ? s->max : x->v->instances;
    int64_t least = s->to_zero ? 0 : s->scales ? s->min : x->v->instances;
    const struct value_member m[] = {
        {SLICE_LIT("Status"), value_str(a, "ENABLED")},
        {SLICE_LIT("MinInstanceCount"), value_int(a, instances_for(x, least))},
        {SLICE_LIT("MaxInstanceCount"), value_int(a, instances_for(x, most))}};
    return value_object(a, m, 3);
}

/* `fixed`: without what changes without a new configuration, for the digest. */
static const struct value *variant_object(struct endpoint_aws *e,
                                          const struct endpoint_aws_variant *x, bool fixed)
{
    struct arena *a = e->d->a;
    const struct value *startup = value_get(e->d->config, "startup_timeout_s"),
                       *disk = config_get(e->d->config, "machine.disk_gib");
    const struct value_member routing = {SLICE_LIT("RoutingStrategy"),
                                         value_str(a, "LEAST_OUTSTANDING_REQUESTS")};
    int64_t count = e->components ? instances_for(x, x->v->instances) : x->v->instances;
    const char *ami = ami_of(e, x->image);
    struct value_member m[12] = {
        {SLICE_LIT("VariantName"), value_string(a, x->v->name)},
        {SLICE_LIT("InstanceType"), value_str(a, x->machine_type)},
        {SLICE_LIT("RoutingConfig"), value_object(a, &routing, 1)},
        {SLICE_LIT("ContainerStartupHealthCheckTimeoutInSeconds"), startup},
        {SLICE_LIT("ModelDataDownloadTimeoutInSeconds"), startup}};
    size_t n = 5;
    if (e->components)
        m[n++] = (struct value_member){SLICE_LIT("ManagedInstanceScaling"), managed_scaling(e, x)};
    else
        m[n++] = (struct value_member){SLICE_LIT("ModelName"), value_str(a, x->model_name)};
    if (disk)
        m[n++] = (struct value_member){SLICE_LIT("VolumeSizeInGB"), disk};
    if (ami)
        m[n++] = (struct value_member){SLICE_LIT("InferenceAmiVersion"), value_str(a, ami)};
    if (!fixed) {
        m[n++] = (struct value_member){SLICE_LIT("InitialInstanceCount"), value_int(a, count)};
        m[n++] =
            (struct value_member){SLICE_LIT("InitialVariantWeight"), value_int(a, x->v->weight)};
    }
    return value_object(a, m, n);
}

static const struct value *variants(struct endpoint_aws *e, bool fixed)
{
    const struct value *items[ENDPOINT_VARIANTS_MOST];
    for (size_t i = 0; i < e->count; i++)
        items[i] = variant_object(e, &e->items[i], fixed);
    return value_tuple(e->d->a, items, e->count);
}

static const struct value *data_capture(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *of = config_get(e->d->config, "data_capture");
    const struct value *content = config_get(of, "content"), *key = config_get(of, "kms_key");
    bool input = !content || value_has_text(content, "input"),
         output = !content || value_has_text(content, "output");
    if (!of)
        return value_null(a, &type_dynamic);
    const struct value_member option = {SLICE_LIT("CaptureMode"),
                                        value_str(a, input && output ? "InputAndOutput"
                                                     : input         ? "Input"
                                                                     : "Output")};
    const struct value *options = value_object(a, &option, 1),
                       *json = value_str(a, "application/json");
    const struct value_member types = {SLICE_LIT("JsonContentTypes"), value_tuple(a, &json, 1)};
    const struct value_member m[] = {
        {SLICE_LIT("EnableCapture"), value_bool(a, true)},
        {SLICE_LIT("InitialSamplingPercentage"), value_get(of, "percent")},
        {SLICE_LIT("DestinationS3Uri"), value_get(of, "uri")},
        {SLICE_LIT("CaptureOptions"), value_tuple(a, &options, 1)},
        {SLICE_LIT("CaptureContentTypeHeader"), value_object(a, &types, 1)},
        {SLICE_LIT("KmsKeyId"), key ? key : value_null(a, &type_string)}};
    return value_object(a, m, key ? 6 : 5);
}

/* Where variants have no model, the configuration has what models have else. */
static const struct value *role_arn(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *own = config_get(e->d->config, "role");
    if (!e->components)
        return value_null(a, &type_string);
    if (own)
        return own;
    return e->account ? value_printf(a, "arn:%s:iam::%s:role/%s", e->partition, e->account,
                                     value_cstr(role_of(e), ""))
                      : value_unknown(a, &type_string);
}

static const struct value *config_object(struct endpoint_aws *e, const char *name)
{
    struct arena *a = e->d->a;
    const struct value *none = value_null(a, &type_dynamic);
    const struct value *subnets = config_get(e->d->config, "network.subnet_ids"),
                       *groups = config_get(e->d->config, "network.security_group_ids"),
                       *isolated = config_get(e->d->config, "network.isolated");
    bool own = e->components;
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_str(a, name)},
        {SLICE_LIT("variants"), variants(e, false)},
        {SLICE_LIT("data_capture"), data_capture(e)},
        {SLICE_LIT("kms_key_id"), or_none(a, config_get(e->d->config, "kms_key"))},
        {SLICE_LIT("role_arn"), role_arn(e)},
        {SLICE_LIT("subnet_ids"), own && subnets ? subnets : none},
        {SLICE_LIT("security_group_ids"), own && groups ? groups : none},
        {SLICE_LIT("isolated"), own && isolated ? isolated : value_bool(a, false)}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

static const char *config_digest(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *none = value_null(a, &type_dynamic);
    const struct value_member m[] = {
        {SLICE_LIT("variants"), variants(e, true)},
        {SLICE_LIT("data_capture"), data_capture(e)},
        {SLICE_LIT("kms_key"), or_none(a, config_get(e->d->config, "kms_key"))},
        {SLICE_LIT("role"), e->components ? role_of(e) : none},
        {SLICE_LIT("network"),
         e->components ? or_none(a, config_get(e->d->config, "network")) : none}};
    return digest_of(a, value_object(a, m, sizeof(m) / sizeof(*m)));
}

void endpoint_aws_configs(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *name = e->d->name ? value_str(a, e->d->name) : endpoint_unknown(e->d);
    if (!e->known) {
        const struct value_member m[] = {{SLICE_LIT("name"), name},
                                         {SLICE_LIT("config_name"), endpoint_unknown(e->d)}};
        endpoint_put(e->d, "configs", endpoint_unknown(e->d));
        endpoint_put(e->d, "endpoint", value_object(a, m, 2));
        return;
    }
    const char *digest = config_digest(e);
    const char *config = digest ? arena_printf(a, "%s-%s", e->d->name, digest) : NULL;
    const struct value_member one = {slice_str(digest ? digest : ""),
                                     config ? config_object(e, config) : NULL};
    const struct value_member m[] = {{SLICE_LIT("name"), name},
                                     {SLICE_LIT("config_name"), value_str(a, config)}};
    endpoint_put(e->d, "configs", one.value ? value_object(a, &one, 1) : NULL);
    endpoint_put(e->d, "endpoint", value_object(a, m, 2));
}
