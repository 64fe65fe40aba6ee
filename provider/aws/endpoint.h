/* Where a service of a region is reached, and how its requests are signed. */
#ifndef LLM_AWS_ENDPOINT_H
#define LLM_AWS_ENDPOINT_H

#include "aws/config.h"
#include "aws/service.h"

struct aws_endpoint {
    const char *url; /* scheme, host and path prefix, without a final slash */
    const char *signing_region, *signing_name;
};

/* In this order: the provider block's endpoints, AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the
 * profile's services section, its endpoint_url, and AWS's own host name for the partition, with
 * FIPS and dual stack as asked for. Everything is owned by `a`. 0, or -1 when memory is out. */
int aws_endpoint_resolve(struct arena *a, const struct aws_config *c, const struct aws_service *s,
                         const char *region, struct aws_endpoint *ret);

/* The same for STS as clusters take it in a token: of the region itself, with its usual name,
 * whatever is set for STS in general; a custom endpoint stays. */
int aws_endpoint_resolve_regional_sts(struct arena *a, const struct aws_config *c,
                                      const char *region, struct aws_endpoint *ret);

/* "host[:port]" and the path prefix ("" mostly) of an endpoint's URL, owned by `a`. 0; -1 when it
 * is not of that form; *ret_host NULL when memory is out. */
int aws_endpoint_split(struct arena *a, const char *url, const char **ret_host,
                       const char **ret_path);

/* "aws", "aws-cn" or "aws-us-gov". */
const char *aws_partition(const char *region);

/* "us-east-1" for "us-east-1a", "us-west-2" for the local zone "us-west-2-lax-1a"; NULL for others.
 */
const char *aws_region_of_zone(struct arena *a, const char *zone);

#endif
