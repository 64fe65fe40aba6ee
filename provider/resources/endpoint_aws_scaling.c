/* How many instances an endpoint on SageMaker has, and how a change reaches them. */
#include "resources/endpoint_aws.h"

#include <string.h>

enum { LONG_S = 3600, STARTS_S = 7200 }; /* a roll that waits for long; what else it takes */

/* ---- weights and counts ---- */

/* Weights that change without a new configuration; a single variant has all calls. */
static const struct value *weights(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *items[ENDPOINT_VARIANTS_MOST];
    for (size_t i = 0; i < e->count; i++) {
        const struct value_member m[] = {
            {SLICE_LIT("VariantName"), value_string(a, e->items[i].v->name)},
            {SLICE_LIT("DesiredWeight"), value_int(a, e->items[i].v->weight)}};
        items[i] = value_object(a, m, 2);
    }
    if (e->count < 2 || e->components)
        return value_null(a, &type_dynamic);
    return value_tuple(a, items, e->count);
}

/* Of the variants that nothing scales. */
static const struct value *counts(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *items[ENDPOINT_VARIANTS_MOST];
    size_t count = 0;
    for (size_t i = 0; i < e->count && !e->components; i++) {
        const struct endpoint_variant *v = e->items[i].v;
        const struct value_member m[] = {
            {SLICE_LIT("VariantName"), value_string(a, v->name)},
            {SLICE_LIT("DesiredInstanceCount"), value_int(a, v->instances)}};
        if (!v->scale.scales)
            items[count++] = value_object(a, m, 2);
    }
    return count ? value_tuple(a, items, count) : value_null(a, &type_dynamic);
}

/* ---- scaled resources ---- */

struct scaled {
    const char *key, *resource_id, *dimension;
};

/* A variant, or the inference component that its model is. */
static struct scaled scaled_of(struct endpoint_aws *e, const struct endpoint_aws_variant *x)
{
    struct arena *a = e->d->a;
    struct scaled s = {.key = arena_printf(a, "%.*s", (int)x->v->name.len, x->v->name.ptr)};
    s.resource_id = e->components
                        ? arena_printf(a, "inference-component/%s-base", e->d->name)
                        : arena_printf(a, "endpoint/%s/variant/%s", e->d->name, s.key ? s.key : "");
    s.dimension = e->components ? "sagemaker:inference-component:DesiredCopyCount"
                                : "sagemaker:variant:DesiredInstanceCount";
    return s;
}

/* What a target and its policies are made for: they go when the variant's machine changes. */
static const struct value *generation(struct endpoint_aws *e, const struct endpoint_aws_variant *x)
{
    return e->components ? value_null(e->d->a, &type_string) : value_str(e->d->a, x->machine_type);
}

/* SageMaker lets go of a variant, or of its machines, only when nothing scales it. */
static const struct value *scaled_variants(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct value *items[ENDPOINT_VARIANTS_MOST];
    size_t count = 0;
    for (size_t i = 0; i < e->count && !e->components; i++) {
        const struct endpoint_aws_variant *x = &e->items[i];
        const struct value_member m[] = {
            {SLICE_LIT("VariantName"), value_string(a, x->v->name)},
            {SLICE_LIT("InstanceType"), value_str(a, x->machine_type)}};
        if (x->v->scale.scales)
            items[count++] = value_object(a, m, 2);
    }
    return count ? value_tuple(a, items, count) : value_null(a, &type_dynamic);
}

static const struct value *
target_object(struct endpoint_aws *e, const struct endpoint_aws_variant *x, const struct scaled *s)
{
    struct arena *a = e->d->a;
    const struct value_member m[] = {{SLICE_LIT("resource_id"), value_str(a, s->resource_id)},
                                     {SLICE_LIT("dimension"), value_str(a, s->dimension)},
                                     {SLICE_LIT("min"), value_int(a, x->v->scale.min)},
                                     {SLICE_LIT("max"), value_int(a, x->v->scale.max)},
                                     {SLICE_LIT("generation"), generation(e, x)}};
    return value_object(a, m, 5);
}

/* [{Name, Value}] */
static const struct value *dimensions(struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                                      bool component)
{
    struct arena *a = e->d->a;
    const struct value_member names[3][2] = {
        {{SLICE_LIT("Name"), value_str(a, "InferenceComponentName")},
         {SLICE_LIT("Value"), value_printf(a, "%s-base", e->d->name)}},
        {{SLICE_LIT("Name"), value_str(a, "EndpointName")},
         {SLICE_LIT("Value"), value_str(a, e->d->name)}},
        {{SLICE_LIT("Name"), value_str(a, "VariantName")},
         {SLICE_LIT("Value"), value_string(a, x->v->name)}}};
    const struct value *items[] = {value_object(a, names[0], 2), value_object(a, names[1], 2),
                                   value_object(a, names[2], 2)};
    return component ? value_tuple(a, items, 1) : value_tuple(a, items + 1, 2);
}

static const struct value *invocations_metric(struct endpoint_aws *e)
{
    const struct value_member m = {
        SLICE_LIT("PredefinedMetricType"),
        value_str(e->d->a, e->components ? "SageMakerInferenceComponentInvocationsPerCopy"
                                         : "SageMakerVariantInvocationsPerInstance")};
    return value_object(e->d->a, &m, 1);
}

/* There is no metric of GPUs that Application Auto Scaling knows by itself. */
static const struct value *gpu_metric(struct endpoint_aws *e, const struct endpoint_aws_variant *x)
{
    struct arena *a = e->d->a;
    const struct value_member m[] = {
        {SLICE_LIT("MetricName"),
         value_str(a, e->components ? "GPUUtilizationNormalized" : "GPUUtilization")},
        {SLICE_LIT("Namespace"), value_str(a, e->components ? "/aws/sagemaker/InferenceComponents"
                                                            : "/aws/sagemaker/Endpoints")},
        {SLICE_LIT("Dimensions"), dimensions(e, x, e->components)},
        {SLICE_LIT("Statistic"), value_str(a, "Average")}};
    return value_object(a, m, 4);
}

/* What is kept at `target`; the use of several GPUs counts 100 for each. */
static const struct value *tracking(struct endpoint_aws *e, const struct endpoint_aws_variant *x,
                                    bool gpu)
{
    struct arena *a = e->d->a;
    const struct endpoint_scale *s = &x->v->scale;
    int64_t many = x->machine && !e->components ? x->machine->gpu_count : 1;
    const struct value_member m[] = {
        {SLICE_LIT("TargetValue"),
         value_int(a, gpu ? s->target_gpu_percent * many : s->target_invocations)},
        {gpu ? SLICE_LIT("CustomizedMetricSpecification")
             : SLICE_LIT("PredefinedMetricSpecification"),
         gpu ? gpu_metric(e, x) : invocations_metric(e)},
        {SLICE_LIT("ScaleInCooldown"), value_int(a, s->in_cooldown_s)},
        {SLICE_LIT("ScaleOutCooldown"), value_int(a, s->out_cooldown_s)}};
    return value_object(a, m, 4);
}

static struct value_member policy_member(struct endpoint_aws *e,
                                         const struct endpoint_aws_variant *x,
                                         const struct scaled *s, bool gpu)
{
    struct arena *a = e->d->a;
    const char *key = arena_printf(a, "%s-%s", s->key, gpu ? "gpu" : "invocations");
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_printf(a, "%s-%s", e->d->name, key ? key : "")},
        {SLICE_LIT("resource_id"), value_str(a, s->resource_id)},
        {SLICE_LIT("dimension"), value_str(a, s->dimension)},
        {SLICE_LIT("type"), value_str(a, "TargetTrackingScaling")},
        {SLICE_LIT("target_tracking"), tracking(e, x, gpu)},
        {SLICE_LIT("generation"), generation(e, x)}};
    return (struct value_member){slice_str(key ? key : ""), value_object(a, m, 6)};
}

/* From nothing, no average leads to one: a call that found no instance does. */
static const struct value *wake(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    const struct endpoint_aws_variant *x = &e->items[0];
    const struct scaled s = scaled_of(e, x);
    if (!e->count || !x->v->scale.to_zero)
        return value_bool(a, false);
    const struct value_member step[] = {{SLICE_LIT("MetricIntervalLowerBound"), value_int(a, 0)},
                                        {SLICE_LIT("ScalingAdjustment"), value_int(a, 1)}};
    const struct value *steps = value_object(a, step, 2);
    const struct value_member scaling[] = {
        {SLICE_LIT("AdjustmentType"), value_str(a, "ChangeInCapacity")},
        {SLICE_LIT("MetricAggregationType"), value_str(a, "Maximum")},
        {SLICE_LIT("Cooldown"), value_int(a, 60)},
        {SLICE_LIT("StepAdjustments"), value_tuple(a, &steps, 1)}};
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_printf(a, "%s-wake", e->d->name)},
        {SLICE_LIT("alarm_name"), value_printf(a, "llm-ep-%s-wake", e->d->name)},
        {SLICE_LIT("description"),
         value_printf(a, "LLM endpoint %s: called while nothing runs", e->d->name)},
        {SLICE_LIT("resource_id"), value_str(a, s.resource_id)},
        {SLICE_LIT("dimension"), value_str(a, s.dimension)},
        {SLICE_LIT("dimensions"), dimensions(e, x, true)},
        {SLICE_LIT("step_scaling"), value_object(a, scaling, 4)}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

void endpoint_aws_scaling(struct endpoint_aws *e)
{
    static const char *const all[] = {"weights", "instance_counts", "scaled",
                                      "targets", "policies",        "wake"};
    struct arena *a = e->d->a;
    struct value_member targets[ENDPOINT_VARIANTS_MOST], policies[2 * ENDPOINT_VARIANTS_MOST];
    size_t target_count = 0, policy_count = 0;
    for (size_t i = 0; !e->known && i < sizeof(all) / sizeof(*all); i++)
        endpoint_put(e->d, all[i], endpoint_unknown(e->d));
    if (!e->known)
        return;
    for (size_t i = 0; i < e->count; i++) {
        const struct endpoint_aws_variant *x = &e->items[i];
        const struct scaled s = scaled_of(e, x);
        if (!x->v->scale.scales && !x->v->scale.to_zero)
            continue;
        targets[target_count++] =
            (struct value_member){slice_str(s.key ? s.key : ""), target_object(e, x, &s)};
        if (x->v->scale.target_invocations)
            policies[policy_count++] = policy_member(e, x, &s, false);
        if (x->v->scale.target_gpu_percent)
            policies[policy_count++] = policy_member(e, x, &s, true);
    }
    endpoint_put(e->d, "weights", weights(e));
    endpoint_put(e->d, "instance_counts", counts(e));
    endpoint_put(e->d, "scaled", scaled_variants(e));
    endpoint_put(e->d, "targets", value_object(a, targets, target_count));
    endpoint_put(e->d, "policies", value_object(a, policies, policy_count));
    endpoint_put(e->d, "wake", wake(e));
}

/* ---- alarms ---- */

struct alarm {
    const char *key, *metric, *statistic, *percentile, *what;
    int64_t threshold;
};

static struct value_member alarm_member(struct endpoint_aws *e,
                                        const struct endpoint_aws_variant *x, const struct alarm *k)
{
    struct arena *a = e->d->a;
    const struct value *none = value_null(a, &type_string);
    const char *key = arena_printf(a, "%.*s-%s", (int)x->v->name.len, x->v->name.ptr, k->key);
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_printf(a, "llm-ep-%s-%s", e->d->name, key ? key : "")},
        {SLICE_LIT("description"), value_printf(a, "LLM endpoint %s, variant %.*s: %s", e->d->name,
                                                (int)x->v->name.len, x->v->name.ptr, k->what)},
        {SLICE_LIT("metric_name"), value_str(a, k->metric)},
        {SLICE_LIT("statistic"), k->statistic ? value_str(a, k->statistic) : none},
        {SLICE_LIT("extended_statistic"), k->percentile ? value_str(a, k->percentile) : none},
        {SLICE_LIT("dimensions"), dimensions(e, x, e->components)},
        {SLICE_LIT("threshold"), value_int(a, k->threshold)}};
    return (struct value_member){slice_str(key ? key : ""),
                                 value_object(a, m, sizeof(m) / sizeof(*m))};
}

/* SageMaker counts latency in microseconds. */
static size_t alarms_of(struct endpoint_aws *e, struct value_member *ret)
{
    const struct value *errors = config_get(e->d->config, "alarms.errors_5xx"),
                       *latency = config_get(e->d->config, "alarms.latency_ms");
    const struct alarm kinds[] = {{"errors", "Invocation5XXErrors", "Sum", NULL,
                                   "calls that the server failed", value_int_or(errors, 0)},
                                  {"latency", "ModelLatency", NULL, "p95", "latency of the model",
                                   value_int_or(latency, 0) * 1000}};
    size_t count = 0;
    for (size_t i = 0; i < e->count; i++)
        for (size_t k = 0; k < 2; k++)
            if (kinds[k].threshold)
                ret[count++] = alarm_member(e, &e->items[i], &kinds[k]);
    return count;
}

/* ---- deployments ---- */

/* {Alarms: [{AlarmName}]} of the alarms that are made and those that are named; NULL: none. */
static const struct value *rollback(struct endpoint_aws *e, const struct value_member *made,
                                    size_t count)
{
    struct arena *a = e->d->a;
    const struct value *named = config_get(e->d->config, "rollout.alarms");
    const struct value *list = value_tuple(a, NULL, 0);
    for (size_t i = 0; i < count + value_count(named); i++) {
        const struct value_member m = {SLICE_LIT("AlarmName"),
                                       i < count ? value_get(made[i].value, "name")
                                                 : value_at(named, i - count)};
        const struct value *one = value_object(a, &m, 1);
        list = value_tuple_join(a, list, value_tuple(a, &one, 1));
    }
    const struct value_member all = {SLICE_LIT("Alarms"), list};
    return value_count(list) ? value_object(a, &all, 1) : NULL;
}

/* Whether a roll goes in steps that are waited for. */
static bool in_steps(const struct value *config)
{
    return config_is(config, "rollout.strategy", "canary") ||
           config_is(config, "rollout.strategy", "linear");
}

static int64_t step_percent(const struct value *config)
{
    return value_int_or(config_get(config, "rollout.step_percent"),
                        config_is(config, "rollout.strategy", "canary") ? 10 : 20);
}

static const struct value *capacity(struct arena *a, int64_t percent)
{
    const struct value_member m[] = {{SLICE_LIT("Type"), value_str(a, "CAPACITY_PERCENT")},
                                     {SLICE_LIT("Value"), value_int(a, percent)}};
    return value_object(a, m, 2);
}

/* Seconds between the steps of a roll; an inference component without parts is not watched. */
static int64_t wait_of(const struct value *config)
{
    return value_int_or(config_get(config, "rollout.wait_s"),
                        in_steps(config) || !endpoint_aws_has_components(config) ? 300 : 0);
}

int64_t endpoint_aws_rollout_s(const struct value *config)
{
    bool components = endpoint_aws_has_components(config),
         canary = config_is(config, "rollout.strategy", "canary"),
         linear = config_is(config, "rollout.strategy", "linear");
    int64_t each = step_percent(config), batches = (100 + each - 1) / each;
    int64_t steps = linear || (components && canary) ? batches : canary || components ? 2 : 1;
    int64_t kept = components ? 0 : value_int_or(config_get(config, "rollout.keep_old_s"), 0);
    return steps * wait_of(config) + kept;
}

/* How long SageMaker lets a roll take, where it waits for long; 0: as it does by itself. */
static int64_t most_s(struct endpoint_aws *e)
{
    int64_t waits = endpoint_aws_rollout_s(e->d->config), most = waits + STARTS_S;
    if (waits <= LONG_S)
        return 0;
    return most < ENDPOINT_AWS_ROLLOUT_MOST_S ? most : ENDPOINT_AWS_ROLLOUT_MOST_S;
}

static const struct value *routing(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    bool canary = config_is(e->d->config, "rollout.strategy", "canary"),
         linear = config_is(e->d->config, "rollout.strategy", "linear");
    int64_t wait = wait_of(e->d->config);
    const struct value_member m[] = {
        {SLICE_LIT("Type"), value_str(a, canary   ? "CANARY"
                                         : linear ? "LINEAR"
                                                  : "ALL_AT_ONCE")},
        {SLICE_LIT("WaitIntervalInSeconds"), value_int(a, wait)},
        {canary ? SLICE_LIT("CanarySize") : SLICE_LIT("LinearStepSize"),
         capacity(a, step_percent(e->d->config))}};
    return value_object(a, m, canary || linear ? 3 : 2);
}

const struct value *endpoint_aws_component_rollout(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    int64_t wait = wait_of(e->d->config), most = most_s(e);
    struct value_member made[2 * ENDPOINT_VARIANTS_MOST];
    const struct value_member policy[] = {
        {SLICE_LIT("MaximumBatchSize"),
         capacity(a, in_steps(e->d->config) ? step_percent(e->d->config) : 50)},
        {SLICE_LIT("WaitIntervalInSeconds"), value_int(a, wait)},
        {SLICE_LIT("MaximumExecutionTimeoutInSeconds"), value_int(a, most)}};
    const struct value *back = rollback(e, made, alarms_of(e, made));
    const struct value_member m[] = {
        {SLICE_LIT("RollingUpdatePolicy"), value_object(a, policy, most ? 3 : 2)},
        {SLICE_LIT("AutoRollbackConfiguration"), back}};
    return value_object(a, m, back ? 2 : 1);
}

void endpoint_aws_rollout(struct endpoint_aws *e)
{
    struct arena *a = e->d->a;
    struct value_member made[2 * ENDPOINT_VARIANTS_MOST];
    const struct value *alarms = config_get(e->d->config, "alarms"),
                       *rollout = config_get(e->d->config, "rollout");
    bool known = e->known && (!alarms || value_is_wholly_known(alarms)) &&
                 (!rollout || value_is_wholly_known(rollout));
    size_t count = known ? alarms_of(e, made) : 0;
    endpoint_put(e->d, "alarms", known ? value_object(a, made, count) : endpoint_unknown(e->d));
    if (!known || e->components) {
        endpoint_put(e->d, "deployment",
                     known ? value_null(a, &type_dynamic) : endpoint_unknown(e->d));
        return;
    }
    const struct value *back = rollback(e, made, count);
    int64_t most = most_s(e);
    const struct value_member policy[] = {
        {SLICE_LIT("TrafficRoutingConfiguration"), routing(e)},
        {SLICE_LIT("TerminationWaitInSeconds"),
         value_int(a, value_int_or(config_get(e->d->config, "rollout.keep_old_s"), 0))},
        {SLICE_LIT("MaximumExecutionTimeoutInSeconds"), value_int(a, most)}};
    const struct value_member m[] = {
        {SLICE_LIT("BlueGreenUpdatePolicy"), value_object(a, policy, most ? 3 : 2)},
        {SLICE_LIT("AutoRollbackConfiguration"), back}};
    endpoint_put(e->d, "deployment", value_object(a, m, back ? 2 : 1));
}
