/* Checks of an endpoint's configuration that hold on SageMaker. */
#include "resources/endpoint_aws.h"

#include <string.h>

#include "schema/tables.h"

/* ---- what SageMaker lacks ---- */

static int check_foreign(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const others[][2] = {
        {"container.args", "Use `environment`."},
        {"container.port", "A container is called on port 8080."},
        {"container.health_route", "A container is asked at /ping."},
        {"container.predict_route", "A container is called at /invocations."},
        {"container.shared_memory_mib", "Containers have all of the machine's."},
        {"machine.cpu", "An instance is a machine: choose its type."},
        {"machine.memory_gib", "An instance is a machine: choose its type."},
        {"network.dedicated", "All endpoints are called through the region's runtime."},
        {"network.vpc_network", "Use `network.subnet_ids`."},
        {"network.private_service_connect",
         "An interface endpoint of the VPC for com.amazonaws.REGION.sagemaker.runtime reaches all "
         "endpoints."},
        {"network.allowed_projects", ""},
        {"network.expose", "Who may call it is a matter of sagemaker:InvokeEndpoint."},
        {"network.source_ranges", "Use conditions in the callers' policies."},
    };
    int rc = config_refuse(a, config, "SageMaker", others, sizeof(others) / sizeof(*others), diags);
    if (config_is(config, "machine.provisioning", "spot"))
        rc = diags_error(diags, path_parse(a, "machine.provisioning"), "Not on this cloud",
                         "SageMaker has no spot instances for endpoints.");
    return rc;
}

/* ---- names ---- */

static int check_names(struct arena *a, const struct value *config, struct diags *diags)
{
    struct endpoint_aws_names names;
    const char *name = value_cstr(config_get(config, "name"), NULL),
               *region = value_cstr(config_get(config, "region"), NULL);
    return name && region ? endpoint_aws_names(a, name, region, &names, diags) : 0;
}

/* ---- machines ---- */

static int check_type(struct arena *a, const struct endpoint_variant *v, const struct value *disk,
                      struct diags *diags)
{
    const struct path *at = endpoint_variant_path(a, v, "machine_type", "machine.type");
    struct slice type = slice_str(v->machine_type ? v->machine_type : "");
    if (!type.len)
        return 0;
    if (!slice_has_prefix(type, "ml."))
        return diags_error(diags, at, "Not a machine of SageMaker",
                           "\"%s\" is no type of SageMaker; those begin with \"ml.\": ml.%s.",
                           v->machine_type, v->machine_type);
    if (value_is_known(disk) && endpoint_aws_has_disks(type))
        return diags_error(diags, path_parse(a, "machine.disk_gib"), "Conflicting settings",
                           "%s has disks of its own, and takes no volume.", v->machine_type);
    if (value_int_or(disk, 0) > 512)
        return diags_error(diags, path_parse(a, "machine.disk_gib"), "The volume is too large",
                           "SageMaker has volumes of up to 512 GiB.");
    return 0;
}

/* A part of the instances that is less than all of them takes at least two. */
static int check_steps(struct arena *a, const struct value *config,
                       const struct endpoint_variant *v, struct diags *diags)
{
    bool parts = config_is(config, "rollout.strategy", "canary") ||
                 config_is(config, "rollout.strategy", "linear");
    if (!parts || !v->known || v->instances >= 2 || endpoint_aws_has_components(config))
        return 0;
    return diags_error(diags, path_parse(a, "rollout.strategy"), "One instance has no parts",
                       "Variant \"%.*s\" begins with one instance, of which SageMaker cannot "
                       "change a part. Use at least 2 (`scaling.min`, or the variant's "
                       "`instances`), or `all_at_once`.",
                       (int)v->name.len, v->name.ptr);
}

/* A linear step is 10 to 50 percent, one of an inference component 5 to 50 (API Reference,
 * TrafficRoutingConfig and InferenceComponentRollingUpdatePolicy). */
static int check_step(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *step = config_get(config, "rollout.step_percent");
    bool components = endpoint_aws_has_components(config);
    if (components && value_is_known(step) && value_int_or(step, 10) < 5)
        return diags_error(diags, path_parse(a, "rollout.step_percent"), "The step is too small",
                           "SageMaker changes inference components in steps of 5 to 50 percent.");
    if (!value_is_known(step) || value_int_or(step, 10) >= 10 ||
        !config_is(config, "rollout.strategy", "linear"))
        return 0;
    return diags_error(diags, path_parse(a, "rollout.step_percent"), "The step is too small",
                       "SageMaker takes linear steps of 10 to 50 percent.");
}

/* A roll whose waits alone are longer than it may take never ends well. */
static int check_waits(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *rollout = config_get(config, "rollout");
    const struct path *at = path_parse(a, "rollout.wait_s");
    if (!rollout || !value_is_wholly_known(rollout))
        return 0;
    int64_t waits = endpoint_aws_rollout_s(config),
            time = schema_timeout_s(&schema_llm_endpoint, config, "update");
    if (waits >= ENDPOINT_AWS_ROLLOUT_MOST_S)
        return diags_error(diags, at, "The rollout waits too long",
                           "Its steps wait %lld seconds together; SageMaker gives a change %d in "
                           "all. Use fewer steps, or wait less.",
                           (long long)waits, ENDPOINT_AWS_ROLLOUT_MOST_S);
    if (waits < time)
        return 0;
    return diags_error(diags, at, "The rollout waits too long",
                       "Its steps wait %lld seconds together, and an update may take %lld: raise "
                       "`timeouts.update`, use fewer steps, or wait less.",
                       (long long)waits, (long long)time);
}

/* ---- inference components ---- */

static bool is_archive(const char *uri)
{
    size_t len = strlen(uri);
    return strncmp(uri, "s3://", 5) == 0 && len > 12 && strcmp(uri + len - 7, ".tar.gz") == 0;
}

static int check_adapters(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *adapters = config_get(config, "adapters");
    const char *name = value_cstr(config_get(config, "name"), "");
    const struct path *at = path_attribute(a, NULL, "adapters");
    int rc = 0;
    for (size_t i = 0; i < value_count(adapters); i++) {
        struct slice key = adapters->members[i].key;
        const char *uri = value_cstr(value_at(adapters, i), NULL);
        if (uri && !is_archive(uri))
            rc = diags_error(diags, path_key(a, at, key), "Not an archive in S3",
                             "SageMaker loads adapters from an archive: s3://BUCKET/KEY.tar.gz.");
        if (strlen(name) + 1 + key.len > ENDPOINT_AWS_NAME_MOST || slice_eq_str(key, "base"))
            rc = diags_error(diags, path_key(a, at, key), "The name cannot be used",
                             "The inference component would be called \"%s-%.*s\"; it may have 63 "
                             "characters, and %s-base is the model itself.",
                             name, (int)key.len, key.ptr, name);
        for (size_t k = 0; k < i; k++) {
            struct slice other = adapters->members[k].key;
            bool same = other.len == key.len;
            for (size_t n = 0; same && n < key.len; n++)
                same = other.ptr[n] == key.ptr[n] ||
                       (strchr("._-", other.ptr[n]) != NULL && strchr("._-", key.ptr[n]) != NULL);
            if (same)
                rc = diags_error(diags, path_key(a, at, key), "Two adapters of one name",
                                 "\"%.*s\" and \"%.*s\" would be the same inference component: "
                                 "'.' and '_' become '-'.",
                                 (int)other.len, other.ptr, (int)key.len, key.ptr);
        }
    }
    return rc;
}

static int check_components(struct arena *a, const struct value *config,
                            const struct endpoint_variants *variants, struct diags *diags)
{
    bool components = endpoint_aws_has_components(config);
    if (!components || !variants->known || variants->count < 2)
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "variants"), "Only one variant",
                       "With `adapters` or `scale_to_zero` the model is an inference component, "
                       "which a call names: there are no calls to share. Use an endpoint for each "
                       "variant.");
}

static int check_zero(struct arena *a, const struct value *config,
                      const struct endpoint_variants *variants, struct diags *diags)
{
    const struct endpoint_variant *v = variants->count ? &variants->items[0] : NULL;
    if (!v || !v->known || !v->scale.to_zero || v->scale.target_invocations ||
        v->scale.target_gpu_percent)
        return 0;
    (void)config;
    return diags_error(diags, path_attribute(a, NULL, "scaling"), "Nothing says when to scale",
                       "With `scale_to_zero`, say by what the instances are scaled down: "
                       "`target_invocations` or `target_gpu_percent`.");
}

/* ---- models and tokens ---- */

static int check_model(struct arena *a, const struct value *config,
                       const struct endpoint_variant *v, struct diags *diags)
{
    struct endpoint_model m;
    const struct path *at = endpoint_variant_path(a, v, "model", "model");
    if (!v->known || !v->model || endpoint_model(a, config, v, at, &m, NULL) < 0)
        return 0;
    const char *image = v->image ? v->image : m.source == ENDPOINT_IMAGE ? m.id : NULL;
    if (image && !endpoint_aws_is_ecr(image) && !config_get(config, "network.subnet_ids"))
        return diags_error(diags,
                           v->image ? endpoint_variant_path(a, v, "image", "container.image") : at,
                           "SageMaker does not reach the registry",
                           "%s is not in ECR. SageMaker pulls from another registry only through "
                           "subnets of yours (`network.subnet_ids`), where that registry needs no "
                           "login. Copy the image to ECR.",
                           image);
    if (m.source == ENDPOINT_HUB && value_true(config_get(config, "network.isolated")))
        return diags_error(diags, path_parse(a, "network.isolated"), "Conflicting settings",
                           "An isolated container cannot fetch %s from Hugging Face. Put the model "
                           "into S3.",
                           m.id);
    return 0;
}

/* SageMaker hands no secrets to containers, and its own images take a token from the environment
 * alone, which everyone reads who may describe the model. */
static int check_token(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *wo = config_get(config, "huggingface_token_wo"),
                       *version = config_get(config, "huggingface_token_wo_version"),
                       *secret = config_get(config, "huggingface_token_secret"),
                       *container = config_get(config, "container");
    const struct path *at =
        path_attribute(a, NULL, secret ? "huggingface_token_secret" : "huggingface_token_wo");
    bool token = value_is_known(wo) || value_is_known(version) || value_is_known(secret);
    if (!token || value_is_unknown(container) || config_get(config, "container.image") ||
        strncmp(value_cstr(config_get(config, "model"), ""), "oci://", 6) == 0)
        return 0;
    return diags_error(
        diags, at, "The images of AWS read no secret",
        "SageMaker gives containers no secrets, and its own images take a token only from the "
        "model's environment, where everyone reads it who may describe the model. Copy the weights "
        "to S3 (`model = \"s3://…\"`), or use an image of your own (`container.image`) that "
        "fetches "
        "the secret that HF_TOKEN_SECRET_ID names.");
}

static int check_forms(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *uri = value_cstr(config_get(config, "data_capture.uri"), NULL),
               *role = value_cstr(config_get(config, "role"), NULL);
    static const struct aws_id subnets = {"", "subnet-", "a subnet id"},
                               groups = {"", "sg-", "a security group id"};
    const struct value *lists[] = {config_get(config, "network.subnet_ids"),
                                   config_get(config, "network.security_group_ids")};
    int rc = 0;
    if (uri && strncmp(uri, "s3://", 5) != 0)
        rc = diags_error(diags, path_parse(a, "data_capture.uri"), "Not on this cloud",
                         "SageMaker keeps calls in S3: s3://BUCKET/PREFIX.");
    if (role &&
        (strncmp(role, "arn:", 4) != 0 || !strstr(role, ":iam::") || !strstr(role, ":role/")))
        rc = diags_error(diags, path_attribute(a, NULL, "role"), "Not a role",
                         "Give the ARN of an IAM role: arn:aws:iam::ACCOUNT:role/NAME.");
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < value_count(lists[k]); i++) {
            const struct aws_id *id = k ? &groups : &subnets;
            struct slice s = value_slice(value_at(lists[k], i));
            if (s.len && !aws_is_id(s, id->prefix))
                rc = diags_error(diags,
                                 path_index(a,
                                            path_parse(a, k ? "network.security_group_ids"
                                                            : "network.subnet_ids"),
                                            (int64_t)i),
                                 "Invalid value", "\"%.*s\" is not %s, which starts with %s.",
                                 (int)s.len, s.ptr, id->what, id->prefix);
        }
    return rc;
}

static int check_variants(struct arena *a, const struct value *config,
                          const struct endpoint_variants *variants, struct diags *diags)
{
    int rc = check_components(a, config, variants, diags) | check_zero(a, config, variants, diags);
    for (size_t i = 0; i < variants->count; i++) {
        const struct endpoint_variant *v = &variants->items[i];
        rc |= check_type(a, v, config_get(config, "machine.disk_gib"), diags);
        rc |= check_steps(a, config, v, diags);
        rc |= check_model(a, config, v, diags);
    }
    return rc;
}

static int check_retention(struct arena *a, const struct value *config, struct diags *diags)
{
    return aws_check_retention(a, value_int_or(config_get(config, "log_retention_days"), 30),
                               "log_retention_days", diags);
}

int endpoint_aws_validate(struct arena *a, const struct value *config,
                          const struct endpoint_variants *variants, struct diags *diags)
{
    static int (*const checks[])(struct arena *, const struct value *, struct diags *) = {
        check_foreign, check_names, check_step,      check_waits,      check_adapters,
        check_token,   check_forms, check_retention, aws_check_region, aws_check_tags};
    int rc = check_variants(a, config, variants, diags);
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        rc |= checks[i](a, config, diags);
    return rc ? -1 : 0;
}
