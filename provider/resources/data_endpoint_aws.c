/* An endpoint on SageMaker, as the data source shows it. */
#include "resources/data_endpoint.h"

#include <string.h>

#include "cloud/template.h"
#include "resources/endpoint_url.h"
#include "resources/tables.h"

enum { PAGES_MOST = 64, VARIANTS_MOST = 64 };

static const struct cloud_operation list_components = {
    .service = "sagemaker", .name = "ListInferenceComponents", .idempotent = true};

static const struct value *named(struct data_endpoint *e, const char *attr, const struct value *v)
{
    const struct value_member m = {slice_str(attr), v};
    return v ? value_object(e->reading->c.arena, &m, 1) : NULL;
}

static const struct component_read *extra_read(const struct component *kind, const char *name)
{
    for (size_t i = 0; i < kind->extra_read_count; i++)
        if (strcmp(kind->extra_reads[i].name, name) == 0)
            return &kind->extra_reads[i].read;
    return NULL;
}

static int read_tags(struct data_endpoint *e)
{
    const struct component *kind = &component_aws_sagemaker_endpoint;
    struct arena *a = e->reading->c.arena;
    const struct value *answer = NULL;
    if (data_endpoint_read(e, extra_read(kind, "tags"), named(e, "arn", value_str(a, e->arn)),
                           &answer) < 0)
        return -1;
    e->tags = answer ? reading_attr(e->reading, kind, "tags", answer) : NULL;
    return 0;
}

/* ---- variants ---- */

/* Of the configuration's variants the one of that name; NULL: it is not known any more. */
static const struct value *configured(const struct value *config, const struct value *name)
{
    const struct value *all = value_get(config, "ProductionVariants");
    for (size_t i = 0; i < value_count(all); i++)
        if (value_equal(value_get(value_at(all, i), "VariantName"), name))
            return value_at(all, i);
    return NULL;
}

static const struct value *variant(struct data_endpoint *e, const struct value *now,
                                   const struct value *config)
{
    struct arena *a = e->reading->c.arena;
    const struct value *made = configured(config, value_get(now, "VariantName"));
    const struct value_member m[] = {
        {SLICE_LIT("weight"), value_get(now, "CurrentWeight")},
        {SLICE_LIT("instances"), value_get(now, "CurrentInstanceCount")},
        {SLICE_LIT("desired_instances"), value_get(now, "DesiredInstanceCount")},
        {SLICE_LIT("machine_type"), value_get(made, "InstanceType")},
        {SLICE_LIT("model"), value_get(made, "ModelName")},
        {SLICE_LIT("image"), template_select(a, now, "DeployedImages.0.SpecifiedImage")}};
    return data_endpoint_object(a, m, sizeof(m) / sizeof(*m));
}

static int read_variants(struct data_endpoint *e, const struct value *endpoint,
                         const struct value *config)
{
    struct arena *a = e->reading->c.arena;
    const struct value *all = value_get(endpoint, "ProductionVariants");
    struct value_member m[VARIANTS_MOST];
    size_t count = 0;
    for (size_t i = 0; i < value_count(all) && count < VARIANTS_MOST; i++) {
        const struct value *now = value_at(all, i);
        m[count].key = value_slice(value_get(now, "VariantName"));
        m[count++].value = variant(e, now, config);
    }
    e->variants = value_object(a, m, count);
    return 0;
}

/* ---- inference components ---- */

/* Variants without a model run inference components. */
static bool has_components(const struct value *config)
{
    const struct value *all = value_get(config, "ProductionVariants");
    for (size_t i = 0; i < value_count(all); i++)
        if (!value_get(value_at(all, i), "ModelName"))
            return true;
    return false;
}

static int read_components(struct data_endpoint *e)
{
    struct arena *a = e->reading->c.arena;
    const struct value *token = NULL, *answer = NULL, *all = value_tuple(a, NULL, 0);
    struct cloud_error err;
    for (int page = 0; all && page < PAGES_MOST; page++) {
        const struct value_member m[] = {
            {SLICE_LIT("EndpointNameEquals"), value_str(a, e->endpoint_name)},
            {SLICE_LIT("NextToken"), token}};
        if (composite_call(&e->reading->c, a, &list_components, value_object(a, m, token ? 2 : 1),
                           &answer, &err) < 0)
            return cloud_error_report(e->reading->c.diags, NULL,
                                      "listing the endpoint's inference components", &err);
        const struct value *more =
            template_select(a, answer, "InferenceComponents.*.InferenceComponentName");
        all = more ? value_tuple_join(a, all, more) : all;
        token = value_get(answer, "NextToken");
        if (!value_slice(token).len)
            break;
    }
    e->components = all;
    return 0;
}

/* ---- the endpoint ---- */

int data_endpoint_aws(struct data_endpoint *e)
{
    const struct component *kind = &component_aws_sagemaker_endpoint;
    struct arena *a = e->reading->c.arena;
    const struct value *found = NULL, *config = NULL;
    if (data_endpoint_read(e, &kind->read, named(e, "name", value_str(a, e->name)), &found) < 0)
        return -1;
    if (!found)
        return data_endpoint_missing(e, "");
    e->endpoint_name = value_cstr(reading_attr(e->reading, kind, "name", found), e->name);
    e->arn = value_cstr(reading_attr(e->reading, kind, "arn", found), NULL);
    e->status = value_cstr(reading_attr(e->reading, kind, "status", found), NULL);
    e->failure_reason = value_cstr(template_select(a, found, kind->states.reason_path), NULL);
    e->url = endpoint_url_sagemaker(a, e->reading->c.region, e->endpoint_name);
    if (data_endpoint_read(
            e, &component_aws_sagemaker_endpoint_config.read,
            named(e, "name", reading_attr(e->reading, kind, "endpoint_config_name", found)),
            &config) < 0 ||
        read_variants(e, found, config) < 0 || read_tags(e) < 0)
        return -1;
    return has_components(config) ? read_components(e) : 0;
}
