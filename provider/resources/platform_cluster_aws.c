/* llm_platform_cluster on AWS. */
#include "resources/platform_cluster_aws.h"

#include "cloud/template.h"

const struct cloud_operation platform_aws_describe_cluster = {.service = "eks",
                                                              .name = "DescribeCluster",
                                                              .method = "GET",
                                                              .uri = "/clusters/{name}",
                                                              .idempotent = true};

/* The certificate comes as base64. */
static const char *certificate(struct arena *a, const struct value *base64)
{
    const struct value *v =
        value_is_known(base64) ? template_transform(a, TRANSFORM_BASE64_DECODE, base64) : NULL;
    return value_cstr(v, NULL);
}

static bool address(struct arena *a, const struct value *attrs, const char **ret_endpoint,
                    const char **ret_ca_pem)
{
    const char *endpoint = value_cstr(value_get(attrs, "endpoint"), NULL);
    *ret_endpoint = endpoint ? arena_strdup(a, endpoint) : NULL;
    *ret_ca_pem = certificate(a, value_get(attrs, "certificate_authority"));
    return *ret_endpoint && *ret_ca_pem;
}

static int look_up(const struct cloud_driver *driver, struct cloud_client *client,
                   const struct work *w, struct arena *a, const char *region, const char *name,
                   const struct value **ret, struct cloud_error *err)
{
    const struct value_member m = {SLICE_LIT("name"), value_str(a, name)};
    const struct value *request = value_object(a, &m, 1), *answer = NULL;
    *ret = NULL;
    if (driver->call(client, w, a, region, &platform_aws_describe_cluster, request, &answer, err) <
        0)
        return err->class_ == CLOUD_ERROR_NOT_FOUND ? 0 : -1;
    const struct value *public = template_transform(
        a, TRANSFORM_BOOL,
        template_select(a, answer, "cluster.resourcesVpcConfig.endpointPublicAccess"));
    const struct value_member attrs[] = {
        {SLICE_LIT("endpoint"), template_select(a, answer, "cluster.endpoint")},
        {SLICE_LIT("certificate_authority"),
         template_select(a, answer, "cluster.certificateAuthority.data")},
        {SLICE_LIT("endpoint_public_access"), public}};
    if (attrs[0].value && attrs[1].value)
        *ret = value_object(a, attrs, public ? 3 : 2);
    return 0;
}

const struct platform_cloud platform_aws = {
    .cloud = "aws",
    .machine_type = "m6i.large",
    .gpu_machine_type = "g5.xlarge",
    .identity_annotation = "eks.amazonaws.com/role-arn",
    .cidr = PLATFORM_AWS_CIDR,
    .needs_device_plugin = true,
    .has_gpu = platform_aws_has_gpu,
    .validate = platform_aws_validate,
    .derive = platform_aws_derive,
    .check = platform_aws_check,
    .check_version = platform_aws_check_version,
    .endpoint = {.public = "endpoint_public_access",
                 .ranges = "public_access_cidrs",
                 .other = "endpoint_private_access"},
    .address = address,
    .look_up = look_up,
    .destroy = platform_aws_destroy,
    .inputs_by_hook = platform_aws_inputs_by_hook,
    .outputs = platform_aws_outputs,
};
