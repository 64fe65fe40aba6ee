/* The pods of an endpoint in a cluster: the server, its settings, probes, volumes and place. */
#include "resources/endpoint_cluster.h"

#include <string.h>

enum {
    ARGS_MOST = 160,
    PROBE_S = 10,
    DRAIN_S = 15, /* that a pod which goes still answers, until all know that it goes */
    GRACE_S = 120,
    SURROUNDINGS_S = 1200, /* for a node to come, and its image */
    WATCH_S = 300,         /* of a step of a linear rollout */
    STEP_PERCENT = 20,
    SHARED_MIB = 2048,
    SHARED_PARALLEL_MIB = 8192,
    FETCH_MIB = 2048,
};

/* Fetches folders of a bucket with the library that is in vLLM's image for this: URI, folder … */
static const char fetch_script[] = "import os, sys\n"
                                   "from runai_model_streamer import pull_files\n"
                                   "for uri, folder in zip(sys.argv[1::2], sys.argv[2::2]):\n"
                                   "    os.makedirs(folder, exist_ok=True)\n"
                                   "    pull_files(uri, folder, None, None)\n";

struct pod {
    struct endpoint_derivation *d;
    struct arena *a;
    const struct value *config;
    const struct endpoint_variant *v;
    struct endpoint_model m;
    struct endpoint_cluster_needs needs;
    enum endpoint_stack stack;
    const char *image;
    const char *claim; /* of the volume that all share; NULL: each pod has its own */
};

static const struct value *text(const struct pod *p, const char *s)
{
    return value_str(p->a, s);
}

/* ---- arguments ---- */

struct args {
    const struct value *items[ARGS_MOST];
    size_t count;
    bool unknown;
};

static void add(struct args *l, const struct value *v)
{
    l->unknown |= !v || value_is_unknown(v);
    if (v && l->count < ARGS_MOST)
        l->items[l->count++] = v;
}

static void add_option(const struct pod *p, struct args *l, const char *name, const char *value)
{
    if (!value)
        return;
    add(l, text(p, name));
    add(l, text(p, value));
}

static void add_number(const struct pod *p, struct args *l, const char *name, int64_t n)
{
    add_option(p, l, name, arena_printf(p->a, "%lld", (long long)n));
}

static bool has_weights_volume(const struct pod *p)
{
    return p->m.source != ENDPOINT_IMAGE;
}

static bool is_fetched(const struct value *uri)
{
    return value_is_known(uri) && endpoint_cluster_is_bucket(value_cstr(uri, ""));
}

/* "--lora-modules" takes NAME=PATH, where the path may be the id of a repository of the hub. */
static void add_adapters(const struct pod *p, struct args *l)
{
    const struct value *adapters = config_get(p->config, "adapters");
    l->unknown |= value_is_unknown(adapters);
    if (!value_count(adapters))
        return;
    add(l, text(p, "--enable-lora"));
    add(l, text(p, "--lora-modules"));
    for (size_t i = 0; i < value_count(adapters); i++) {
        struct slice key = adapters->members[i].key;
        const struct value *uri = value_at(adapters, i);
        l->unknown |= value_is_unknown(uri);
        add(l, is_fetched(uri)
                   ? value_printf(p->a, "%.*s=/adapters/%.*s", (int)key.len, key.ptr, (int)key.len,
                                  key.ptr)
                   : value_printf(p->a, "%.*s=%s", (int)key.len, key.ptr, value_cstr(uri, "")));
    }
}

/* Several variants answer to the endpoint's name; an answer says which one it came from. */
static void add_served_names(const struct pod *p, struct args *l)
{
    add(l, text(p, "--served-model-name"));
    if (p->v->at)
        add(l, text(p, endpoint_cluster_name(p->a, p->d->name, p->v->name)));
    add(l, text(p, p->d->name));
}

/* Weights that were quantized with GPTQ or AWQ say so themselves, and vLLM then takes its fastest
 * kernel for them; naming the method would keep it from that. */
static void add_vllm(const struct pod *p, struct args *l)
{
    bool fp8 = p->v->quantization && strcmp(p->v->quantization, "fp8") == 0;
    add(l, text(p, p->m.id));
    add_served_names(p, l);
    add_option(p, l, "--host", "0.0.0.0");
    add_number(p, l, "--port", endpoint_cluster_port(p->config, p->stack));
    add_option(p, l, "--revision", p->m.source == ENDPOINT_HUB ? p->m.revision : NULL);
    add_number(p, l, "--max-model-len", endpoint_context(p->config, &p->m));
    if (p->needs.tensor_parallel > 1)
        add_number(p, l, "--tensor-parallel-size", p->needs.tensor_parallel);
    add_option(p, l, "--quantization", fp8 ? "fp8" : NULL);
    add_option(p, l, "--load-format",
               endpoint_cluster_is_bucket(p->m.id) ? "runai_streamer" : NULL);
    add_adapters(p, l);
}

static void add_tgi(const struct pod *p, struct args *l)
{
    const char *q = p->v->quantization;
    int64_t context = endpoint_context(p->config, &p->m);
    add_option(p, l, "--model-id", p->m.id);
    add_option(p, l, "--revision", p->m.revision);
    add_number(p, l, "--port", endpoint_cluster_port(p->config, p->stack));
    add_number(p, l, "--max-input-tokens", context - 1);
    add_number(p, l, "--max-total-tokens", context);
    if (p->needs.tensor_parallel > 1)
        add_number(p, l, "--num-shard", p->needs.tensor_parallel);
    add_option(p, l, "--quantize", q && strcmp(q, "none") != 0 ? q : NULL);
}

static const struct value *args_of(const struct pod *p)
{
    const struct value *more = config_get(p->config, "container.args");
    struct args l = {.count = 0};
    if (p->stack == ENDPOINT_VLLM)
        add_vllm(p, &l);
    else if (p->stack == ENDPOINT_TGI)
        add_tgi(p, &l);
    for (size_t i = 0; i < value_count(more); i++)
        add(&l, value_at(more, i));
    if (l.unknown)
        return endpoint_unknown(p->d);
    return l.count ? value_tuple(p->a, l.items, l.count) : NULL;
}

/* ---- environment ---- */

static void put_variable(struct derived_map *m, const char *key, const struct value *v)
{
    for (size_t i = 0; i < m->count; i++)
        if (slice_eq_str(m->items[i].key, key)) {
            m->items[i].value = v;
            return;
        }
    derived_map_put(m, key, v);
}

static void put_variables(struct derived_map *m, const struct value *env)
{
    m->unsure |= value_is_unknown(env);
    for (size_t i = 0; i < value_count(env); i++)
        put_variable(m, env->members[i].key.ptr,
                     endpoint_object(m->a, "value", value_at(env, i), NULL));
}

/* The Secret that holds the token, with its key "token"; NULL: there is none. */
static const struct value *token_source(const struct pod *p)
{
    const char *given = value_cstr(config_get(p->config, "huggingface_token_secret"), NULL);
    bool made = config_get(p->config, "huggingface_token_wo_version");
    if (!given && !made)
        return NULL;
    const struct value *name = given ? text(p, given) : value_printf(p->a, "%s-token", p->d->name);
    const struct value *key = endpoint_object(p->a, "name", name, "key", text(p, "token"), NULL);
    return endpoint_object(p->a, "valueFrom", endpoint_object(p->a, "secretKeyRef", key, NULL),
                           NULL);
}

static const char *cache_path(const struct pod *p)
{
    return p->stack == ENDPOINT_TGI ? "/data" : "/models";
}

static const struct value *environment_of(const struct pod *p)
{
    struct derived_map m = {.a = p->a};
    const struct value *token = token_source(p);
    const char *cache = cache_path(p);
    if (has_weights_volume(p) && p->stack != ENDPOINT_TGI)
        put_variable(&m, "HF_HOME", endpoint_object(p->a, "value", text(p, cache), NULL));
    if (token)
        put_variable(&m, "HF_TOKEN", token);
    /* With a version that turns out to be null there is no token. */
    m.unsure = value_is_unknown(config_get(p->config, "huggingface_token_wo_version"));
    put_variables(&m, p->v->environment);
    put_variables(&m, p->v->more_environment);
    if (m.unsure)
        return endpoint_unknown(p->d);
    const struct value **items = arena_new_array(p->a, m.count + 1, const struct value *);
    for (size_t i = 0; items && i < m.count; i++)
        items[i] = value_with(p->a, m.items[i].value, "name", value_string(p->a, m.items[i].key));
    return items && m.count ? value_tuple(p->a, items, m.count) : NULL;
}

/* ---- what it takes ---- */

/* Limits are as the requests: a namespace's LimitRange would set its own otherwise. */
static const struct value *resources(const struct pod *p, int64_t cpu_milli, int64_t memory_mib,
                                     int64_t gpus)
{
    const struct value *cpu = cpu_milli % 1000 == 0
                                  ? value_printf(p->a, "%lld", (long long)cpu_milli / 1000)
                                  : value_printf(p->a, "%lldm", (long long)cpu_milli);
    const struct value *gpu = gpus ? value_printf(p->a, "%lld", (long long)gpus) : NULL;
    const struct value *amounts =
        endpoint_object(p->a, "cpu", cpu, "memory", endpoint_mib(p->a, memory_mib),
                        ENDPOINT_CLUSTER_GPU, gpu, NULL);
    return endpoint_object(p->a, "requests", amounts, "limits", amounts, NULL);
}

static const struct value *probe(const struct pod *p, int64_t period_s, int64_t failures)
{
    const struct value *get = endpoint_object(
        p->a, "path",
        text(p, value_cstr(config_get(p->config, "container.health_route"), "/health")), "port",
        text(p, "http"), NULL);
    return endpoint_object(p->a, "httpGet", get, "periodSeconds", value_int(p->a, period_s),
                           "timeoutSeconds", value_int(p->a, PROBE_S), "failureThreshold",
                           value_int(p->a, failures), NULL);
}

/* What the known servers do not need they do not get; what another image needs is not known. */
static const struct value *container_security(const struct pod *p)
{
    const struct value *drop =
        p->stack == ENDPOINT_OWN
            ? NULL
            : endpoint_object(p->a, "drop", endpoint_tuple(p->a, text(p, "ALL"), NULL), NULL);
    return endpoint_object(p->a, "allowPrivilegeEscalation", value_bool(p->a, false),
                           "capabilities", drop, NULL);
}

static bool fetches(const struct pod *p)
{
    const struct value *adapters = config_get(p->config, "adapters");
    for (size_t i = 0; i < value_count(adapters); i++)
        if (is_fetched(value_at(adapters, i)))
            return true;
    return false;
}

static const struct value *mount(const struct pod *p, const char *name, const char *path)
{
    return endpoint_object(p->a, "name", text(p, name), "mountPath", text(p, path), NULL);
}

static const struct value *mounts(const struct pod *p)
{
    const struct value *all[3];
    size_t count = 0;
    if (has_weights_volume(p))
        all[count++] = mount(p, "weights", cache_path(p));
    all[count++] = mount(p, "shm", "/dev/shm");
    if (fetches(p))
        all[count++] = mount(p, "adapters", "/adapters");
    return value_tuple(p->a, all, count);
}

/* While a pod goes, callers that do not know it yet still get an answer. */
static const struct value *lifecycle(const struct pod *p)
{
    const struct value *pause = endpoint_object(p->a, "seconds", value_int(p->a, DRAIN_S), NULL);
    return endpoint_object(p->a, "preStop", endpoint_object(p->a, "sleep", pause, NULL), NULL);
}

static const struct value *server(const struct pod *p)
{
    int64_t startup = value_int_or(value_get(p->config, "startup_timeout_s"), ENDPOINT_STARTUP_S);
    const struct value *command =
        p->stack == ENDPOINT_VLLM ? endpoint_tuple(p->a, text(p, "vllm"), text(p, "serve"), NULL)
                                  : NULL;
    const struct value *port =
        endpoint_object(p->a, "name", text(p, "http"), "containerPort",
                        value_int(p->a, endpoint_cluster_port(p->config, p->stack)), "protocol",
                        text(p, "TCP"), NULL);
    return endpoint_object(
        p->a, "name", text(p, "server"), "image", text(p, p->image), "command", command, "args",
        args_of(p), "env", environment_of(p), "ports", endpoint_tuple(p->a, port, NULL),
        "resources", resources(p, p->needs.cpu_milli, p->needs.memory_mib, p->needs.gpus),
        "startupProbe", probe(p, PROBE_S, (startup + PROBE_S - 1) / PROBE_S), "readinessProbe",
        probe(p, 5, 3), "livenessProbe", probe(p, 20, 6), "lifecycle", lifecycle(p),
        "securityContext", container_security(p), "volumeMounts", mounts(p), NULL);
}

/* ---- adapters in a bucket ---- */

static const struct value *fetcher(const struct pod *p)
{
    const struct value *adapters = config_get(p->config, "adapters");
    struct args l = {.count = 0};
    if (!fetches(p))
        return value_tuple(p->a, NULL, 0);
    for (size_t i = 0; i < value_count(adapters); i++) {
        struct slice key = adapters->members[i].key;
        const char *uri = value_cstr(value_at(adapters, i), "");
        bool whole = *uri && uri[strlen(uri) - 1] == '/';
        if (!is_fetched(value_at(adapters, i)))
            continue;
        add(&l, value_printf(p->a, "%s%s", uri, whole ? "" : "/"));
        add(&l, value_printf(p->a, "/adapters/%.*s", (int)key.len, key.ptr));
    }
    const struct value *command =
        endpoint_tuple(p->a, text(p, "python3"), text(p, "-c"), text(p, fetch_script), NULL);
    const struct value *one = endpoint_object(
        p->a, "name", text(p, "adapters"), "image", text(p, p->image), "command", command, "args",
        value_tuple(p->a, l.items, l.count), "resources", resources(p, 1000, FETCH_MIB, 0),
        "securityContext", container_security(p), "volumeMounts",
        endpoint_tuple(p->a, mount(p, "adapters", "/adapters"), NULL), NULL);
    return endpoint_tuple(p->a, one, NULL);
}

/* ---- volumes ---- */

/* A disk is in one node alone, so that pods on several nodes, and new ones beside old ones, could
 * not share it: each has its own, which goes with it. */
static const struct value *weights(const struct pod *p)
{
    const struct value *class = config_get(p->config, "cluster.storage_class");
    if (p->claim)
        return endpoint_object(p->a, "name", text(p, "weights"), "persistentVolumeClaim",
                               endpoint_object(p->a, "claimName", text(p, p->claim), NULL), NULL);
    const struct value *amount =
        endpoint_object(p->a, "storage", endpoint_mib(p->a, 1024 * p->needs.disk_gib), NULL);
    const struct value *spec = endpoint_object(
        p->a, "accessModes", endpoint_tuple(p->a, text(p, "ReadWriteOnce"), NULL), "resources",
        endpoint_object(p->a, "requests", amount, NULL), "storageClassName", class, NULL);
    const struct value *template = endpoint_object(p->a, "volumeClaimTemplate",
                                                   endpoint_object(p->a, "spec", spec, NULL), NULL);
    return endpoint_object(p->a, "name", text(p, "weights"), "ephemeral", template, NULL);
}

static const struct value *volumes(const struct pod *p)
{
    const struct value *all[3];
    size_t count = 0;
    int64_t shared = value_int_or(config_get(p->config, "container.shared_memory_mib"),
                                  p->needs.tensor_parallel > 1 ? SHARED_PARALLEL_MIB : SHARED_MIB);
    const struct value *memory = endpoint_object(p->a, "medium", text(p, "Memory"), "sizeLimit",
                                                 endpoint_mib(p->a, shared), NULL);
    if (has_weights_volume(p))
        all[count++] = weights(p);
    all[count++] = endpoint_object(p->a, "name", text(p, "shm"), "emptyDir", memory, NULL);
    if (fetches(p))
        all[count++] = endpoint_object(p->a, "name", text(p, "adapters"), "emptyDir",
                                       value_object(p->a, NULL, 0), NULL);
    return value_tuple(p->a, all, count);
}

/* ---- where it runs ---- */

static bool is_spot(const struct pod *p)
{
    return config_is(p->config, "machine.provisioning", "spot");
}

/* The labels that EKS and GKE give to their nodes. */
static const struct value *node_selector(const struct pod *p)
{
    struct derived_map m = {.a = p->a};
    bool gke = config_is(p->config, "cloud", "gcp");
    const char *type = p->v->machine_type;
    const struct catalog_machine *on =
        type ? catalog_machine(gke ? "gcp" : "aws", slice_str(type)) : NULL;
    const struct value *own = config_get(p->config, "cluster.node_selector");
    if (type)
        put_variable(&m, "node.kubernetes.io/instance-type",
                     text(p, on && on->machine_type ? on->machine_type : type));
    if (gke && on && on->accelerator && p->needs.gpus)
        put_variable(&m, "cloud.google.com/gke-accelerator", text(p, on->accelerator));
    if (is_spot(p))
        put_variable(&m, gke ? "cloud.google.com/gke-spot" : "eks.amazonaws.com/capacityType",
                     text(p, gke ? "true" : "SPOT"));
    for (size_t i = 0; i < value_count(own); i++)
        put_variable(&m, own->members[i].key.ptr, value_at(own, i));
    return derived_map_object(&m);
}

static const struct value *own_toleration(const struct pod *p, const struct value *t)
{
    static const char *const effects[][2] = {{"NO_SCHEDULE", "NoSchedule"},
                                             {"PREFER_NO_SCHEDULE", "PreferNoSchedule"},
                                             {"NO_EXECUTE", "NoExecute"}};
    const struct value *value = config_get(t, "value"), *effect = NULL;
    for (size_t i = 0; i < 3; i++)
        if (config_is(t, "effect", effects[i][0]))
            effect = text(p, effects[i][1]);
    return endpoint_object(p->a, "key", value_get(t, "key"), "operator",
                           text(p, value ? "Equal" : "Exists"), "value", value, "effect", effect,
                           NULL);
}

static const struct value *tolerations(const struct pod *p)
{
    const struct value *own = config_get(p->config, "cluster.tolerations");
    struct args l = {.count = 0};
    if (p->needs.gpus)
        add(&l, endpoint_object(p->a, "key", text(p, ENDPOINT_CLUSTER_GPU), "operator",
                                text(p, "Exists"), NULL));
    if (is_spot(p) && config_is(p->config, "cloud", "gcp"))
        add(&l, endpoint_object(p->a, "key", text(p, "cloud.google.com/gke-spot"), "operator",
                                text(p, "Exists"), NULL));
    for (size_t i = 0; i < value_count(own); i++)
        add(&l, own_toleration(p, value_at(own, i)));
    return value_tuple(p->a, l.items, l.count);
}

/* Pods on different nodes, as far as there are nodes. */
static const struct value *spread(const struct pod *p, const struct value *selector)
{
    const struct value *by = endpoint_object(
        p->a, "maxSkew", value_int(p->a, 1), "topologyKey", text(p, "kubernetes.io/hostname"),
        "whenUnsatisfiable", text(p, "ScheduleAnyway"), "labelSelector",
        endpoint_object(p->a, "matchLabels", selector, NULL), NULL);
    return endpoint_tuple(p->a, by, NULL);
}

static const struct value *pull_secrets(const struct pod *p)
{
    const struct value *names = config_get(p->config, "cluster.image_pull_secrets");
    struct args l = {.count = 0};
    for (size_t i = 0; i < value_count(names); i++)
        add(&l, endpoint_object(p->a, "name", value_at(names, i), NULL));
    return value_tuple(p->a, l.items, l.count);
}

/* ---- the Deployment ---- */

const struct value *endpoint_cluster_selector(struct arena *a, const char *name,
                                              struct slice variant)
{
    return endpoint_object(a, "llm-endpoint", value_str(a, name), "llm-variant",
                           variant.len ? value_string(a, variant) : NULL, NULL);
}

/* New pods come before old ones go; one at a time, unless steps are set. */
static const struct value *strategy(const struct pod *p, bool linear)
{
    int64_t percent = value_int_or(config_get(p->config, "rollout.step_percent"), STEP_PERCENT);
    const struct value *surge =
        linear ? value_printf(p->a, "%lld%%", (long long)percent) : value_int(p->a, 1);
    const struct value *how =
        endpoint_object(p->a, "maxUnavailable", value_int(p->a, 0), "maxSurge", surge, NULL);
    return endpoint_object(p->a, "type", text(p, "RollingUpdate"), "rollingUpdate", how, NULL);
}

static const struct value *pod_labels(const struct pod *p)
{
    const char *stack = endpoint_stack_name(p->stack);
    const struct value *labels = endpoint_cluster_selector(p->a, p->d->name, p->v->name);
    labels = value_with(p->a, labels, "app.kubernetes.io/name", text(p, stack ? stack : "server"));
    return labels ? value_with(p->a, labels, "app.kubernetes.io/instance", text(p, p->d->name))
                  : NULL;
}

static const struct value *account(const struct pod *p)
{
    return text(p, value_cstr(config_get(p->config, "role"), p->d->name));
}

static const struct value *deployment(const struct pod *p)
{
    const struct value *selector = endpoint_cluster_selector(p->a, p->d->name, p->v->name);
    bool linear = config_is(p->config, "rollout.strategy", "linear");
    int64_t watch = value_int_or(config_get(p->config, "rollout.wait_s"), linear ? WATCH_S : 0);
    int64_t startup = value_int_or(value_get(p->config, "startup_timeout_s"), ENDPOINT_STARTUP_S);
    const struct value *seccomp = endpoint_object(p->a, "type", text(p, "RuntimeDefault"), NULL);
    return endpoint_object(
        p->a, "name", text(p, endpoint_cluster_name(p->a, p->d->name, p->v->name)), "replicas",
        p->v->scale.scales ? NULL : value_int(p->a, p->v->instances), "selector",
        endpoint_object(p->a, "matchLabels", selector, NULL), "strategy", strategy(p, linear),
        "min_ready_s", value_int(p->a, watch), "progress_deadline_s",
        value_int(p->a, startup + SURROUNDINGS_S + watch), "pod_labels", pod_labels(p),
        "containers", endpoint_tuple(p->a, server(p), NULL), "init_containers", fetcher(p),
        "volumes", volumes(p), "tolerations", tolerations(p), "node_selector", node_selector(p),
        "topology_spread_constraints", spread(p, selector), "security_context",
        endpoint_object(p->a, "seccompProfile", seccomp, NULL), "image_pull_secrets",
        pull_secrets(p), "priority_class_name",
        text(p, value_cstr(config_get(p->config, "cluster.priority_class"), "")),
        "service_account_name", account(p), "grace_s", value_int(p->a, GRACE_S), NULL);
}

const struct value *endpoint_cluster_deployment(struct endpoint_derivation *d,
                                                const struct endpoint_variant *v, const char *image,
                                                const char *claim)
{
    struct pod p = {.d = d, .a = d->a, .config = d->config, .v = v, .image = image, .claim = claim};
    if (endpoint_model(d->a, d->config, v, NULL, &p.m, NULL) < 0)
        return NULL;
    p.stack = endpoint_stack_of(d->config, v->model, v->image);
    endpoint_cluster_needs(d->config, v, &p.m, &p.needs);
    const struct value *made = deployment(&p);
    return arena_failed(d->a) ? NULL : made;
}

/* ---- the image ---- */

const char *endpoint_cluster_image(struct endpoint_derivation *d, const struct endpoint_variant *v)
{
    struct endpoint_model m;
    if (endpoint_model(d->a, d->config, v, NULL, &m, NULL) < 0)
        m = (struct endpoint_model){0};
    return endpoint_image(d, v, &m, endpoint_stack_of(d->config, v->model, v->image), d->c->region);
}
