/* Checks of a plan against the cloud: names, versions, offers, existing subnets. */
#include "resources/platform_cluster_aws.h"

void platform_aws_want_checks(struct platform_aws *p)
{
    (void)p;
}

int platform_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    (void)c;
    (void)changes;
    (void)derived;
    return 0;
}
