/* The models of an endpoint on Vertex AI, and what is deployed of them. Neither can be changed:
 * their names end with a digest of their contents, so that a change makes another one beside the
 * old one. */
#include "resources/endpoint_gcp.h"

#include <stdlib.h>
#include <string.h>

#include "value/codec.h"

enum {
    PORT = 8080,
    ENVIRONMENT_MOST = 192,
    ARGUMENTS_MOST = 96,
    TEXT_MOST = 2 << 20,
    DEPLOYMENT_MOST_S = 7200, /* ModelContainerSpec.deploymentTimeout */
    MACHINE_S = 1800,         /* until a machine with GPUs is there */
    SHARED_MEMORY_MIB = 16384,
    LORAS = 4,
    LORAS_KEPT = 16,
    LORA_RANK = 64,
    CONTAINER_MEMBERS = 10,
    FIXED_MEMBERS = 5
};

/* Vertex AI has no secrets for containers, and shows their environment to everybody who may read
 * the model. So the container fetches the token itself when it starts, with its service account,
 * and then becomes the server: the arguments are the secret's version, and the server's command. */
#define FETCH_TOKEN                                                                                \
    "import base64,json,os,sys,time,urllib.request as u\n"                                         \
    "def get(url,h):\n"                                                                            \
    "  return json.load(u.urlopen(u.Request(url,headers=h),timeout=30))\n"                         \
    "def token():\n"                                                                               \
    "  t=get('http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/"       \
    "default/token',{'Metadata-Flavor':'Google'})['access_token']\n"                               \
    "  s=get('https://secretmanager.googleapis.com/v1/'+sys.argv[1]+':access',"                    \
    "{'Authorization':'Bearer '+t})\n"                                                             \
    "  return base64.b64decode(s['payload']['data']).decode().strip()\n"                           \
    "for n in range(20):\n"                                                                        \
    "  try:\n"                                                                                     \
    "    os.environ['HF_TOKEN']=token()\n"                                                         \
    "    break\n"                                                                                  \
    "  except OSError as e:\n"                                                                     \
    "    print('the token of Hugging Face:',e,file=sys.stderr,flush=True)\n"                       \
    "    time.sleep(15)\n"                                                                         \
    "os.execvp(sys.argv[2],sys.argv[2:])\n"

/* What is put together of a container. */
struct container {
    struct arena *a;
    struct value_member env[ENVIRONMENT_MOST];
    const struct value *command[ARGUMENTS_MOST], *args[ARGUMENTS_MOST];
    size_t env_count, command_count, args_count;
    const char *predict_route, *health_route, *artifact_uri;
    int64_t shared_memory_mib; /* 0: none is asked for */
    bool failed;
};

/* ---- lists ---- */

static void set_value(struct container *k, struct slice name, const struct value *v)
{
    size_t at = 0;
    while (at < k->env_count && !slice_eq(k->env[at].key, name))
        at++;
    k->failed |= at == ENVIRONMENT_MOST || !v;
    if (k->failed)
        return;
    k->env[at] = (struct value_member){name, v};
    k->env_count += at == k->env_count;
}

static void set(struct container *k, const char *name, const char *text)
{
    set_value(k, slice_str(name), value_str(k->a, text));
}

static void set_number(struct container *k, const char *name, int64_t n)
{
    set_value(k, slice_str(name), value_printf(k->a, "%lld", (long long)n));
}

static void add(struct container *k, const struct value **list, size_t *count,
                const struct value *text)
{
    k->failed |= *count == ARGUMENTS_MOST || !text;
    if (!k->failed)
        list[(*count)++] = text;
}

static void arg(struct container *k, const char *text)
{
    add(k, k->args, &k->args_count, value_str(k->a, text));
}

static void arg_of(struct container *k, const char *name, const char *text)
{
    if (text)
        add(k, k->args, &k->args_count, value_printf(k->a, "--%s=%s", name, text));
}

static void arg_number(struct container *k, const char *name, int64_t n)
{
    add(k, k->args, &k->args_count, value_printf(k->a, "--%s=%lld", name, (long long)n));
}

static void command(struct container *k, const char *text)
{
    add(k, k->command, &k->command_count, value_str(k->a, text));
}

/* ---- stacks ---- */

bool endpoint_gcp_is_googles(const char *image)
{
    const char *slash = image ? strrchr(image, '/') : NULL;
    const char *name = slash ? slash + 1 : "";
    size_t len = strcspn(name, ":@");
    return len == strlen("pytorch-vllm-serve") && strncmp(name, "pytorch-vllm-serve", len) == 0;
}

static const char *secret_version(const struct endpoint_gcp *e)
{
    const char *secret = endpoint_gcp_secret(e);
    return secret ? arena_printf(e->d->a, "%s/versions/latest", secret) : NULL;
}

static int64_t port_of(const struct endpoint_gcp *e)
{
    return value_int_or(config_get(e->d->config, "container.port"), PORT);
}

static bool is_quantized(const struct endpoint_gcp_variant *x, const char *how)
{
    return x->v->quantization && strcmp(x->v->quantization, how) == 0;
}

/* vLLM reads from the weights how they were quantized, and is faster when it is not told; only what
 * it quantizes itself it has to be told. */
static void vllm_args(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                      struct container *k)
{
    bool tokens = config_get(e->d->config, "context_tokens") || x->model.known;
    arg(k, "--host=0.0.0.0");
    arg_number(k, "port", port_of(e));
    if (x->model.source != ENDPOINT_IMAGE)
        arg_of(k, "model", x->model.id);
    if (x->model.source == ENDPOINT_HUB)
        arg_of(k, "revision", x->model.revision);
    if (x->tensor_parallel)
        arg_number(k, "tensor-parallel-size", x->tensor_parallel);
    if (tokens)
        arg_number(k, "max-model-len", endpoint_context(e->d->config, &x->model));
    if (is_quantized(x, "fp8"))
        arg(k, "--quantization=fp8");
}

/* Google's build loads the adapter that a request names by its folder in GCS, so that other
 * adapters are no other container. */
static void adapter_args(const struct endpoint_gcp *e, struct container *k)
{
    if (!value_count(config_get(e->d->config, "adapters")))
        return;
    arg(k, "--enable-lora");
    arg_number(k, "max-loras", LORAS);
    arg_number(k, "max-cpu-loras", LORAS_KEPT);
    arg_number(k, "max-lora-rank", LORA_RANK);
}

/* vertex-ai-samples, notebooks/community/model_garden: the image's entry point runs its arguments,
 * and copies a model from GCS before. */
static void googles_vllm(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                         struct container *k)
{
    const char *version = x->model.source == ENDPOINT_HUB ? secret_version(e) : NULL;
    k->predict_route = "/generate";
    k->health_route = "/ping";
    if (version) {
        arg(k, "python");
        arg(k, "-c");
        arg(k, FETCH_TOKEN);
        arg(k, version);
    }
    arg(k, "python");
    arg(k, "-m");
    arg(k, "vllm.entrypoints.api_server");
    vllm_args(e, x, k);
    adapter_args(e, k);
    arg(k, "--disable-log-stats");
    set(k, "MODEL_ID", x->model.id);
}

/* The project's own image: its entry point is the server. */
static void own_vllm(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                     struct container *k)
{
    const char *version = x->model.source == ENDPOINT_HUB ? secret_version(e) : NULL;
    k->predict_route = "/v1/chat/completions";
    k->health_route = "/health";
    if (version) {
        command(k, "python3");
        command(k, "-c");
        command(k, FETCH_TOKEN);
        command(k, version);
        command(k, "python3");
        command(k, "-m");
        command(k, "vllm.entrypoints.openai.api_server");
    }
    vllm_args(e, x, k);
    if (x->model.source == ENDPOINT_GCS)
        arg(k, "--load-format=runai_streamer");
}

/* text-generation-inference, "launcher"; on Vertex AI it serves the routes that it is told. */
static void tgi(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                struct container *k)
{
    int64_t tokens = endpoint_context(e->d->config, &x->model);
    bool known = config_get(e->d->config, "context_tokens") || x->model.known;
    const char *q = x->v->quantization;
    if (x->model.source == ENDPOINT_HUB)
        set(k, "MODEL_ID", x->model.id);
    if (x->model.source == ENDPOINT_HUB && x->model.revision)
        set(k, "REVISION", x->model.revision);
    if (x->tensor_parallel)
        set_number(k, "NUM_SHARD", x->tensor_parallel);
    if (known) {
        set_number(k, "MAX_INPUT_TOKENS", tokens - 1);
        set_number(k, "MAX_TOTAL_TOKENS", tokens);
    }
    if (q && strcmp(q, "none") != 0)
        set(k, "QUANTIZE", q);
    set_number(k, "PORT", port_of(e));
}

/* An image that fetches model and token itself is told where they are: Vertex AI says the one in
 * AIP_STORAGE_URI. */
static void left_to_the_image(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                              struct container *k)
{
    const char *version = secret_version(e);
    k->predict_route = "/predict";
    k->health_route = "/health";
    if (x->model.source == ENDPOINT_GCS)
        k->artifact_uri = x->model.id;
    if (version)
        set(k, "HF_TOKEN_SECRET_ID", version);
}

/* A part of the machine's memory: where it has little, not more than half of it. */
static int64_t shared_memory(const struct endpoint_gcp_variant *x)
{
    int64_t half = (int64_t)x->memory_gib * 1024 / 2;
    return half && half < SHARED_MEMORY_MIB ? half : SHARED_MEMORY_MIB;
}

static void fill_stack(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                       struct container *k)
{
    if (x->stack != ENDPOINT_OWN)
        k->shared_memory_mib = shared_memory(x);
    if (x->stack == ENDPOINT_VLLM && x->googles)
        googles_vllm(e, x, k);
    else if (x->stack == ENDPOINT_VLLM)
        own_vllm(e, x, k);
    else
        left_to_the_image(e, x, k);
    if (x->stack == ENDPOINT_TGI)
        tgi(e, x, k);
}

static void fill_own(const struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                     struct container *k)
{
    const struct value *config = e->d->config, *args = config_get(config, "container.args");
    const struct value *env[] = {x->v->environment, x->v->more_environment};
    for (size_t i = 0; i < value_count(args); i++)
        add(k, k->args, &k->args_count, value_at(args, i));
    for (size_t n = 0; n < 2; n++)
        for (size_t i = 0; i < value_count(env[n]); i++)
            set_value(k, env[n]->members[i].key, value_at(env[n], i));
    k->predict_route = value_cstr(config_get(config, "container.predict_route"), k->predict_route);
    k->health_route = value_cstr(config_get(config, "container.health_route"), k->health_route);
    k->shared_memory_mib =
        value_int_or(config_get(config, "container.shared_memory_mib"), k->shared_memory_mib);
}

/* ---- the container as the API has it ---- */

static const struct value *pairs(struct container *k)
{
    const struct value *items[ENVIRONMENT_MOST];
    for (size_t i = 0; i < k->env_count; i++) {
        const struct value_member m[] = {{SLICE_LIT("name"), value_string(k->a, k->env[i].key)},
                                         {SLICE_LIT("value"), k->env[i].value}};
        /* Answers leave out what is empty. */
        items[i] = value_object(k->a, m, value_slice(k->env[i].value).len ? 2 : 1);
        if (!items[i])
            return NULL;
    }
    return value_tuple(k->a, items, k->env_count);
}

static const struct value *ports(const struct endpoint_gcp *e)
{
    const struct value_member m = {SLICE_LIT("containerPort"), value_int(e->d->a, port_of(e))};
    const struct value *one = value_object(e->d->a, &m, 1);
    return one ? value_tuple(e->d->a, &one, 1) : NULL;
}

static const struct value *timeout(const struct endpoint_gcp *e)
{
    int64_t s = value_int_or(config_get(e->d->config, "startup_timeout_s"), ENDPOINT_STARTUP_S);
    s += MACHINE_S;
    return value_printf(e->d->a, "%llds",
                        (long long)(s < DEPLOYMENT_MOST_S ? s : DEPLOYMENT_MOST_S));
}

static const struct value *text_or_null(struct arena *a, const char *text)
{
    return text ? value_str(a, text) : value_null(a, &type_string);
}

/* Fills `m` with what the model is made of; returns how many members it has, 0 when memory is out.
 */
static size_t container_members(struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                                struct value_member *m)
{
    struct arena *a = e->d->a;
    struct container *k = arena_new_object(a, struct container);
    if (!k)
        return 0;
    k->a = a;
    fill_stack(e, x, k);
    fill_own(e, x, k);
    const struct value_member all[CONTAINER_MEMBERS] = {
        {SLICE_LIT("image"), value_str(a, x->image)},
        {SLICE_LIT("command"), value_list(a, &type_string, k->command, k->command_count)},
        {SLICE_LIT("args"), value_list(a, &type_string, k->args, k->args_count)},
        {SLICE_LIT("env"), pairs(k)},
        {SLICE_LIT("ports"), ports(e)},
        {SLICE_LIT("predict_route"), text_or_null(a, k->predict_route)},
        {SLICE_LIT("health_route"), text_or_null(a, k->health_route)},
        {SLICE_LIT("shared_memory_mb"),
         k->shared_memory_mib ? value_int(a, k->shared_memory_mib) : value_null(a, &type_number)},
        {SLICE_LIT("deployment_timeout"), timeout(e)},
        {SLICE_LIT("artifact_uri"), text_or_null(a, k->artifact_uri)}};
    memcpy(m, all, sizeof(all));
    return k->failed ? 0 : CONTAINER_MEMBERS;
}

/* ---- names ---- */

static const char *digest_of(struct arena *a, const struct value *content, const char *more)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    if (!content || value_json_write(&b, content, false) < 0)
        return NULL;
    buf_append_str(&b, more);
    return endpoint_digest(a, &b);
}

/* The id of a deployed model has 1 to 10 digits, and is not "0". */
static const char *digits_of(struct arena *a, const char *digest)
{
    unsigned long n = digest ? strtoul(digest, NULL, 16) : 0;
    return digest ? arena_printf(a, "%lu", n ? n : 1) : NULL;
}

static int name_model(struct endpoint_gcp *e, struct endpoint_gcp_variant *x,
                      const struct value *container)
{
    struct arena *a = e->d->a;
    int len = (int)x->v->name.len;
    const char *key = value_cstr(value_get(e->d->config, "kms_key"), "");
    const char *more = arena_printf(a, "%s %.*s %s", e->d->name, len, x->v->name.ptr, key);
    const char *digest = more ? digest_of(a, container, more) : NULL;
    if (!digest)
        return -1;
    x->model_key = arena_printf(a, "%.*s-%s", len, x->v->name.ptr, digest);
    x->model_name = arena_printf(a, "%s-%s", e->d->name, x->model_key);
    return x->model_key && x->model_name ? 0 : -1;
}

/* ---- what is deployed ---- */

static const struct value *metric(struct arena *a, const char *name, int64_t target)
{
    const struct value_member m[] = {
        {SLICE_LIT("metricName"),
         value_printf(a, "aiplatform.googleapis.com/prediction/online/%s", name)},
        {SLICE_LIT("target"), value_int(a, target)}};
    return value_object(a, m, 2);
}

static const struct value *metric_targets(struct arena *a, const struct endpoint_scale *s)
{
    const struct value *items[2];
    size_t count = 0;
    if (s->scales && s->target_gpu_percent)
        items[count++] = metric(a, "accelerator/duty_cycle", s->target_gpu_percent);
    if (s->scales && s->target_invocations)
        items[count++] = metric(a, "request_count", s->target_invocations);
    return value_tuple(a, items, count);
}

/* Fills `m` with what cannot be changed of a deployed model; returns how many members it has. */
static size_t fixed_members(struct endpoint_gcp *e, const struct endpoint_gcp_variant *x,
                            struct value_member *m)
{
    struct arena *a = e->d->a;
    const struct platform_gcp_machine *machine = &x->machine;
    const char *accelerator =
        machine->accelerator ? endpoint_gcp_accelerator(a, machine->accelerator) : NULL;
    const struct value_member all[FIXED_MEMBERS] = {
        {SLICE_LIT("model"), value_printf(a, "projects/%s/locations/%s/models/%s", e->project,
                                          e->region, x->model_name)},
        {SLICE_LIT("machine_type"), value_str(a, machine->type)},
        {SLICE_LIT("accelerator_type"), text_or_null(a, accelerator)},
        {SLICE_LIT("accelerator_count"),
         accelerator ? value_int(a, machine->count) : value_null(a, &type_number)},
        {SLICE_LIT("spot"),
         value_bool(a, config_is(e->d->config, "machine.provisioning", "spot"))}};
    memcpy(m, all, sizeof(all));
    return FIXED_MEMBERS;
}

static const struct value *deployed_object(struct endpoint_gcp *e, struct endpoint_gcp_variant *x)
{
    struct arena *a = e->d->a;
    int64_t min = 0, max = 0;
    struct value_member m[FIXED_MEMBERS + 5];
    size_t count = fixed_members(e, x, m);
    const struct value *role = value_get(e->d->config, "role");
    const char *digest = digest_of(a, value_object(a, m, count), value_cstr(role, ""));
    if (!digest)
        return NULL;
    x->deployed_id = digits_of(a, digest);
    /* Where two cannot be side by side, the new one takes the place of the old one. */
    x->deployed_key = arena_printf(a, "%.*s%s%s", (int)x->v->name.len, x->v->name.ptr,
                                   e->peered ? "" : "-", e->peered ? "" : digest);
    endpoint_gcp_replicas(x->v, &min, &max);
    const struct value_member more[] = {
        {SLICE_LIT("id"), text_or_null(a, x->deployed_id)},
        {SLICE_LIT("variant"), value_string(a, x->v->name)},
        {SLICE_LIT("min_replicas"), value_int(a, min)},
        {SLICE_LIT("max_replicas"), value_int(a, max)},
        {SLICE_LIT("metric_targets"), metric_targets(a, &x->v->scale)}};
    memcpy(m + count, more, sizeof(more));
    return x->deployed_key && x->deployed_id ? value_object(a, m, count + 5) : NULL;
}

/* ---- all of it ---- */

static const struct value *model_object(struct endpoint_gcp *e, struct endpoint_gcp_variant *x)
{
    struct arena *a = e->d->a;
    int len = (int)x->v->name.len;
    struct value_member m[CONTAINER_MEMBERS + 4];
    size_t count = container_members(e, x, m);
    if (!count || name_model(e, x, value_object(a, m, count)) < 0)
        return NULL;
    const struct value_member more[] = {
        {SLICE_LIT("name"), value_str(a, x->model_name)},
        {SLICE_LIT("variant"), value_string(a, x->v->name)},
        {SLICE_LIT("display_name"), value_printf(a, "%s %.*s", e->d->name, len, x->v->name.ptr)},
        {SLICE_LIT("description"), value_printf(a, "LLM endpoint %s, %.*s: %s", e->d->name, len,
                                                x->v->name.ptr, x->v->model)}};
    memcpy(m + count, more, sizeof(more));
    return value_object(a, m, count + 4);
}

static void put_unknown(struct endpoint_gcp *e)
{
    static const char *const names[] = {"models", "deployed_models", "split"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        endpoint_put(e->d, names[i], endpoint_unknown(e->d));
}

int endpoint_gcp_models(struct endpoint_gcp *e)
{
    struct arena *a = e->d->a;
    struct value_member models[ENDPOINT_VARIANTS_MOST], deployed[ENDPOINT_VARIANTS_MOST],
        split[ENDPOINT_VARIANTS_MOST];
    size_t parts = 0;
    endpoint_put(e->d, "make_split",
                 value_is_unknown(value_get(e->d->config, "network")) ? endpoint_unknown(e->d)
                                                                      : value_bool(a, !e->peered));
    if (!e->known) {
        put_unknown(e);
        return 0;
    }
    for (size_t i = 0; i < e->count; i++) {
        struct endpoint_gcp_variant *x = &e->items[i];
        models[i].value = model_object(e, x);
        deployed[i].value = models[i].value ? deployed_object(e, x) : NULL;
        if (!deployed[i].value)
            return -1;
        models[i].key = slice_str(x->model_key);
        deployed[i].key = slice_str(x->deployed_key);
        /* What has no traffic is not in a split. */
        if (x->v->weight)
            split[parts++] =
                (struct value_member){slice_str(x->deployed_id), value_int(a, x->v->weight)};
    }
    endpoint_put(e->d, "models", value_object(a, models, e->count));
    endpoint_put(e->d, "deployed_models", value_object(a, deployed, e->count));
    endpoint_put(e->d, "split", value_map(a, &type_number, split, parts));
    return 0;
}
