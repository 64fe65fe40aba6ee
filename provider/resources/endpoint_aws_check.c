/* Checks of a plan against AWS: is the name free, are artifacts and images there, and does the
 * quota allow the machines. */
#include "resources/endpoint_aws.h"

#include <string.h>

#include "cloud/template.h"
#include "resources/claim.h"

static const struct cloud_operation describe_endpoint = {
    .service = "sagemaker", .name = "DescribeEndpoint", .idempotent = true};
static const struct cloud_operation list_tags = {
    .service = "sagemaker", .name = "ListTags", .idempotent = true};
static const struct cloud_operation describe_images = {
    .service = "ecr", .name = "DescribeImages", .idempotent = true};
static const struct cloud_operation list_objects = {.service = "s3",
                                                    .name = "ListObjectsV2",
                                                    .method = "GET",
                                                    .uri =
                                                        "/{Bucket}?list-type=2{?prefix,max-keys}",
                                                    .idempotent = true};
static const struct cloud_operation head_object = {.service = "s3",
                                                   .name = "HeadObject",
                                                   .method = "HEAD",
                                                   .uri = "/{Bucket}/{Key+}",
                                                   .idempotent = true};

struct checking {
    const struct composite_context *c;
    struct arena *a;
    const struct engine_changes *changes;
    const struct value *derived;
    struct endpoint_variants variants;
};

/* ---- what the plan makes ---- */

static bool is_made(const struct checking *k, const char *component)
{
    for (size_t i = 0; i < k->changes->count; i++)
        if (strcmp(k->changes->items[i].name, component) == 0)
            return k->changes->items[i].action == ENGINE_CREATE ||
                   k->changes->items[i].action == ENGINE_REPLACE;
    return false;
}

/* Whether something of this kind is made: its name begins so. */
static bool makes_any(const struct checking *k, const char *prefix)
{
    for (size_t i = 0; i < k->changes->count; i++)
        if (strncmp(k->changes->items[i].name, prefix, strlen(prefix)) == 0 &&
            k->changes->items[i].action == ENGINE_CREATE)
            return true;
    return false;
}

/* ---- the name ---- */

static const struct value *one_text(struct arena *a, const char *member, const char *text)
{
    const struct value_member m = {slice_str(member), value_str(a, text)};
    return value_object(a, &m, 1);
}

/* SageMaker has one code for all that is wrong. */
static bool is_absent(const struct cloud_error *err)
{
    return err->class_ == CLOUD_ERROR_NOT_FOUND ||
           (err->code && strcmp(err->code, "ValidationException") == 0 &&
            strstr(err->message, "Could not find"));
}

static int check_found(const struct checking *k, const struct value *endpoint)
{
    const struct composite_context *c = k->c;
    const struct gpu_node_lookup *answer = NULL;
    const char *arn = value_cstr(value_get(endpoint, "EndpointArn"), "");
    if (provider_has_seen(c->request->provider, slice_str(arn)))
        return 0;
    if (gpu_node_answer_call(c, &list_tags, one_text(k->a, "ResourceArn", arn), &answer) < 0)
        return cloud_error_report(c->diags, NULL, "checking that the name is free", &answer->error);
    const struct value *tags =
        template_transform(k->a, TRANSFORM_TAGS_MAP, value_get(answer->answer, "Tags"));
    const struct value *owner = value_get(tags, "llm:resource");
    const struct value *ours =
        c->driver->owner_tags(k->a, ENDPOINT_TYPE, value_get(c->config, "name"), "endpoint");
    if (value_is_known(owner) && value_equal(owner, value_get(ours, "llm:resource")))
        return claim_check_found(c, "model endpoint", "endpoint", tags, arn, NULL);
    return diags_error(c->diags, path_attribute(k->a, NULL, "name"), "The name is taken",
                       "There is an endpoint \"%s\" in %s (%s), which was not made by this "
                       "resource (its tag llm:resource is \"%s\"). Names of endpoints are the same "
                       "in small and capital letters. Choose another name.",
                       value_cstr(value_get(endpoint, "EndpointName"), ""), c->region, arn,
                       value_cstr(owner, ""));
}

static int check_name(const struct checking *k)
{
    const char *name = value_cstr(value_get(k->c->config, "name"), NULL);
    const struct gpu_node_lookup *answer = NULL;
    if (!name || !is_made(k, "endpoint") || records_find(k->c->records, "endpoint"))
        return 0;
    if (gpu_node_answer_call(k->c, &describe_endpoint, one_text(k->a, "EndpointName", name),
                             &answer) == 0)
        return check_found(k, answer->answer);
    return is_absent(&answer->error)
               ? 0
               : cloud_error_report(k->c->diags, NULL, "checking that the name is free",
                                    &answer->error);
}

/* ---- artifacts ---- */

/* "s3://bucket/a/b.tar.gz" is one object, everything else a folder. */
static int ask_artifact(const struct composite_context *c, const char *uri,
                        const struct gpu_node_lookup **ret)
{
    const char *bucket = uri + strlen("s3://"), *slash = strchr(bucket, '/');
    size_t len = strlen(uri);
    bool archive = len > 7 && strcmp(uri + len - 7, ".tar.gz") == 0;
    const char *key = slash ? slash + 1 : "";
    const struct value *name = value_string(
        c->arena, slice_from(bucket, slash ? (size_t)(slash - bucket) : strlen(bucket)));
    const struct value_member head[] = {{SLICE_LIT("Bucket"), name},
                                        {SLICE_LIT("Key"), value_str(c->arena, key)}};
    const struct value_member list[] = {
        {SLICE_LIT("Bucket"), name},
        {SLICE_LIT("prefix"),
         value_printf(c->arena, "%s%s", key, *key && key[strlen(key) - 1] != '/' ? "/" : "")},
        {SLICE_LIT("max-keys"), value_int(c->arena, 1)}};
    return archive ? gpu_node_answer_call(c, &head_object, value_object(c->arena, head, 2), ret)
                   : gpu_node_answer_call(c, &list_objects, value_object(c->arena, list, 3), ret);
}

/* Who may not look is not told; the role that SageMaker uses may. */
int endpoint_aws_check_artifact(const struct composite_context *c, const char *uri,
                                const struct path *at)
{
    const struct gpu_node_lookup *answer = NULL;
    if (!uri || strncmp(uri, "s3://", 5) != 0)
        return 0;
    int rc = ask_artifact(c, uri, &answer);
    bool missing = rc < 0 && (answer->error.class_ == CLOUD_ERROR_NOT_FOUND ||
                              answer->error.http_status == 404);
    const struct value *count = rc == 0 ? value_get(answer->answer, "KeyCount") : NULL;
    if (!missing && !slice_eq_str(value_slice(count), "0"))
        return 0;
    return diags_error(c->diags, at, "There is no such artifact",
                       "There is nothing at %s, or no such bucket.", uri);
}

static int check_artifacts(const struct checking *k)
{
    const struct value *adapters = config_get(k->c->config, "adapters");
    int rc = 0;
    for (size_t i = 0; makes_any(k, "model.") && i < k->variants.count; i++) {
        const struct endpoint_variant *v = &k->variants.items[i];
        rc |= endpoint_aws_check_artifact(k->c, v->model,
                                          endpoint_variant_path(k->a, v, "model", "model"));
    }
    for (size_t i = 0; makes_any(k, "adapter.") && i < value_count(adapters); i++)
        rc |= endpoint_aws_check_artifact(
            k->c, value_cstr(value_at(adapters, i), NULL),
            path_key(k->a, path_attribute(k->a, NULL, "adapters"), adapters->members[i].key));
    return rc;
}

/* ---- images ---- */

/* The request for an image in a registry of the account and region; NULL for all others. */
static const struct value *image_request(const struct composite_context *c, const char *image)
{
    const char *own = arena_printf(c->arena, "%s.dkr.ecr.%s.", c->account, c->region),
               *slash = strchr(image, '/');
    if (!own || !slash || strncmp(image, own, strlen(own)) != 0)
        return NULL;
    size_t name = strcspn(slash + 1, ":@");
    const char *rest = slash + 1 + name;
    const struct value_member id = {*rest == '@' ? SLICE_LIT("imageDigest") : SLICE_LIT("imageTag"),
                                    value_str(c->arena, *rest ? rest + 1 : "latest")};
    const struct value *ids = value_object(c->arena, &id, 1);
    const struct value_member m[] = {
        {SLICE_LIT("repositoryName"), value_string(c->arena, slice_from(slash + 1, name))},
        {SLICE_LIT("imageIds"), value_tuple(c->arena, &ids, 1)}};
    return value_object(c->arena, m, 2);
}

int endpoint_aws_check_image(const struct composite_context *c, const char *image,
                             const struct path *at)
{
    const struct value *request = image ? image_request(c, image) : NULL;
    const struct gpu_node_lookup *answer = NULL;
    if (!request || gpu_node_answer_call(c, &describe_images, request, &answer) == 0 ||
        answer->error.class_ != CLOUD_ERROR_NOT_FOUND)
        return 0;
    return diags_error(c->diags, at, "There is no such image", "%s: %s", image,
                       answer->error.message);
}

static int check_images(const struct checking *k)
{
    const struct value *choices = value_get(k->derived, "choices");
    int rc = 0;
    for (size_t i = 0; makes_any(k, "model.") && i < k->variants.count; i++) {
        const struct endpoint_variant *v = &k->variants.items[i];
        const char *image = value_cstr(value_get(value_get_slice(choices, v->name), "image"), NULL);
        rc |= endpoint_aws_check_image(k->c, image, endpoint_image_path(k->a, v));
    }
    return rc;
}

/* ---- quotas ---- */

/* Instances of a type that the endpoint has now: an update has the new ones beside them. */
static double running(const struct checking *k, const char *type)
{
    const struct value *was = value_get(k->c->prior, "variant_status");
    double n = 0;
    for (size_t i = 0; i < value_count(was); i++) {
        const struct value *v = value_at(was, i), *count = value_get(v, "desired_instances");
        if (slice_eq_str(value_slice(value_get(v, "machine_type")), type) && value_is_known(count))
            n += number_to_double(count->number, NULL);
    }
    return n;
}

/* Instances that a variant's new version begins with: as many as the autoscaler has set by now. */
static double beginning(const struct checking *k, const struct endpoint_variant *v)
{
    const struct value *was = value_get_slice(value_get(k->c->prior, "variant_status"), v->name),
                       *count = value_get(was, "desired_instances");
    double now = value_is_known(count) ? number_to_double(count->number, NULL) : 0;
    bool kept = v->scale.scales && !endpoint_aws_has_components(k->c->config);
    return kept && now > (double)v->instances ? now : (double)v->instances;
}

static double wanted(const struct checking *k, const char *type)
{
    const struct value *choices = value_get(k->derived, "choices");
    double n = 0;
    for (size_t i = 0; i < k->variants.count; i++) {
        const struct endpoint_variant *v = &k->variants.items[i];
        const struct value *its = value_get(value_get_slice(choices, v->name), "machine_type");
        if (slice_eq_str(value_slice(its), type))
            n += beginning(k, v);
    }
    return n;
}

static int check_quota(const struct checking *k, const struct endpoint_variant *v, const char *type)
{
    const struct path *at = endpoint_variant_path(k->a, v, "machine_type", "machine.type");
    double quota = endpoint_aws_quota(k->c, type), need = wanted(k, type), has = running(k, type);
    if (quota < -1)
        return 0;
    if (quota < 0)
        return diags_error(k->c->diags, at, "The machine is not offered there",
                           "SageMaker has no quota \"%s for endpoint usage\" in %s: it does not "
                           "offer the type there. Choose another machine or region.",
                           type, k->c->region);
    if (need + has <= quota)
        return 0;
    return diags_error(
        k->c->diags, at, "The quota does not allow it",
        "%.0f instances of %s are wanted%s, and the quota \"%s for endpoint usage\" of SageMaker "
        "in %s is %.0f. Ask for more in Service Quotas, or choose another machine.",
        need, type, has > 0 ? " beside those that serve until the change is through" : "", type,
        k->c->region, quota);
}

static int check_quotas(const struct checking *k)
{
    const struct value *choices = value_get(k->derived, "choices");
    int rc = 0;
    for (size_t i = 0; makes_any(k, "endpoint_config.") && i < k->variants.count; i++) {
        const struct endpoint_variant *v = &k->variants.items[i];
        const char *type =
            value_cstr(value_get(value_get_slice(choices, v->name), "machine_type"), NULL);
        bool seen = false;
        for (size_t n = 0; n < i && type; n++)
            seen |= slice_eq_str(
                value_slice(
                    value_get(value_get_slice(choices, k->variants.items[n].name), "machine_type")),
                type);
        if (type && !seen)
            rc |= check_quota(k, v, type);
    }
    return rc;
}

/* ---- the hook ---- */

int endpoint_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    struct checking k = {.c = c, .a = c->arena, .changes = changes, .derived = derived};
    endpoint_variants(c->arena, c->config, &k.variants);
    int rc = check_name(&k) | check_artifacts(&k) | check_images(&k) | check_quotas(&k);
    return rc ? -1 : 0;
}
