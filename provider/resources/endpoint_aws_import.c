/* What an endpoint that exists on SageMaker was configured with: its tags say so; machines and
 * images are those that it has. */
#include "resources/endpoint_aws.h"

#include <string.h>

#include "cloud/template.h"

static const struct cloud_operation describe_endpoint = {
    .service = "sagemaker", .name = "DescribeEndpoint", .idempotent = true};
static const struct cloud_operation describe_config = {
    .service = "sagemaker", .name = "DescribeEndpointConfig", .idempotent = true};
static const struct cloud_operation describe_model = {
    .service = "sagemaker", .name = "DescribeModel", .idempotent = true};
static const struct cloud_operation describe_component = {
    .service = "sagemaker", .name = "DescribeInferenceComponent", .idempotent = true};
static const struct cloud_operation list_tags = {
    .service = "sagemaker", .name = "ListTags", .idempotent = true};

/* NULL with an error; what is not there is one too. */
static const struct value *ask(const struct composite_context *c, const struct cloud_operation *op,
                               const char *member, const struct value *text)
{
    struct cloud_error err;
    const struct value *answer = NULL;
    const struct value_member m = {slice_str(member), text};
    if (composite_call(c, c->arena, op, value_object(c->arena, &m, 1), &answer, &err) == 0)
        return answer;
    if (strstr(err.message, "Could not find"))
        diags_error(c->diags, NULL, "There is nothing to import",
                    "There is no endpoint \"%s\" in %s that is whole: %s",
                    value_cstr(value_get(c->config, "name"), ""), c->region, err.message);
    else
        cloud_error_report(c->diags, NULL, "reading the endpoint", &err);
    return NULL;
}

/* The pieces of the configuration, joined and decoded. NULL: there are none. */
static const struct value *configuration(struct arena *a, const struct value *tags)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 << 10);
    for (int i = 1; i <= ENDPOINT_AWS_TAG_PIECES; i++) {
        const char *key = i == 1 ? ENDPOINT_AWS_TAG : arena_printf(a, ENDPOINT_AWS_TAG "-%d", i);
        struct slice piece = value_slice(key ? value_get(tags, key) : NULL);
        if (!piece.len)
            break;
        buf_append_slice(&b, piece);
    }
    const struct value *text = b.len ? value_buf(a, &b) : NULL;
    return text ? template_transform(a, TRANSFORM_BASE64_DECODE, text) : NULL;
}

/* The model of a variant; of one without, that of the inference component. */
static const struct value *model_name(const struct composite_context *c,
                                      const struct value *variant)
{
    const struct value *name = value_get(variant, "ModelName");
    if (value_is_known(name))
        return name;
    const struct value *base =
        value_printf(c->arena, "%s-base", value_cstr(value_get(c->config, "name"), ""));
    const struct value *component = ask(c, &describe_component, "InferenceComponentName", base);
    return component ? value_path(component, "Specification.ModelName") : NULL;
}

/* {variant: {image, machine_type}} of the schema's type. NULL with an error. */
static const struct value *choices(const struct composite_context *c, const struct type *t,
                                   const struct value *config)
{
    const struct value *list = value_get(config, "ProductionVariants");
    struct value_member *all =
        arena_new_array(c->arena, value_count(list) + 1, struct value_member);
    for (size_t i = 0; all && i < value_count(list); i++) {
        const struct value *v = value_at(list, i), *name = model_name(c, v);
        const struct value *model = name ? ask(c, &describe_model, "ModelName", name) : NULL;
        if (!model)
            return NULL;
        const struct value_member m[] = {
            {SLICE_LIT("image"), value_path(model, "PrimaryContainer.Image")},
            {SLICE_LIT("machine_type"), value_get(v, "InstanceType")}};
        all[i].key = value_slice(value_get(v, "VariantName"));
        all[i].value = value_object_of(c->arena, t->elem, m, 2);
        if (!all[i].value)
            return NULL;
    }
    return all ? value_map(c->arena, t->elem, all, value_count(list)) : NULL;
}

static int no_configuration(const struct composite_context *c, const char *arn)
{
    return diags_error(c->diags, NULL, "There is nothing to import",
                       "%s does not say in its tag " ENDPOINT_AWS_TAG
                       " how it was configured: it was not made by this resource, or with more "
                       "than its tags hold. The data source llm_endpoint reads it.",
                       arn);
}

int endpoint_aws_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret)
{
    const struct value *endpoint =
        ask(c, &describe_endpoint, "EndpointName", value_get(c->config, "name"));
    const struct value *arn = value_get(endpoint, "EndpointArn");
    const struct value *tags = endpoint ? ask(c, &list_tags, "ResourceArn", arn) : NULL;
    (void)found;
    if (!tags)
        return -1;
    const struct value *text = configuration(
        c->arena, template_transform(c->arena, TRANSFORM_TAGS_MAP, value_get(tags, "Tags")));
    if (!value_is_known(text))
        return no_configuration(c, value_cstr(arn, ""));
    const struct value *config = endpoint_configuration_of(c, value_slice(text));
    const struct value *made = config ? ask(c, &describe_config, "EndpointConfigName",
                                            value_get(endpoint, "EndpointConfigName"))
                                      : NULL;
    const struct value *chosen =
        made ? choices(c, type_attr(config->type, SLICE_LIT("variant_status"))->type, made) : NULL;
    if (!chosen)
        return -1;
    config = value_with(c->arena, config, "variant_status", chosen);
    if (config && value_is_null(value_get(config, "region")))
        config = value_with(c->arena, config, "region", value_str(c->arena, c->region));
    *ret = config;
    return config ? 0 : -1;
}
