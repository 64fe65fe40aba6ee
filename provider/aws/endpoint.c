/* AWS partitions and endpoints (AWS General Reference, "Service endpoints"). */
#include "aws/endpoint.h"

#include <string.h>
#include <strings.h>

struct partition {
    const char *name, *region_prefix, *suffix, *dualstack_suffix;
    const char *global_region; /* that signs for global services */
};

static const struct partition partitions[] = {
    {"aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-north-1"},
    {"aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", "us-gov-west-1"},
    {"aws", "", "amazonaws.com", "api.aws", "us-east-1"},
};

static const struct partition *partition_of(const char *region)
{
    const struct partition *p = partitions;
    while (strncmp(region, p->region_prefix, strlen(p->region_prefix)) != 0)
        p++; /* the last one's prefix is empty */
    return p;
}

const char *aws_partition(const char *region)
{
    return partition_of(region)->name;
}

const char *aws_region_of_zone(struct arena *a, const char *zone)
{
    /* <area>-<direction>-<number>, with "gov" or "iso" parts between: up to the first digits. */
    size_t i = strcspn(zone, "0123456789");
    if (i < 4 || !zone[i] || zone[i - 1] != '-')
        return NULL;
    size_t end = i + strspn(zone + i, "0123456789");
    const char *rest = zone + end;
    bool plain = rest[0] >= 'a' && rest[0] <= 'z' && !rest[1];
    bool local = rest[0] == '-' && rest[1];
    return plain || local ? arena_strndup(a, zone, end) : NULL;
}

/* The setting of the user for this service, or NULL. */
static const char *configured(const struct aws_config *c, const struct aws_service *s,
                              struct arena *a)
{
    const char *url = value_cstr(value_get(c->endpoints, s->id), NULL);
    if (url && *url)
        return url;
    const char *ignore = aws_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (!ignore)
        ignore = aws_section_get(c->section, "ignore_configured_endpoint_urls");
    if (ignore && strcasecmp(ignore, "true") == 0)
        return NULL;
    const char *name = arena_printf(a, "AWS_ENDPOINT_URL_%s", s->env_name);
    url = name ? aws_env(name) : NULL;
    if (!url)
        url = aws_env("AWS_ENDPOINT_URL");
    const char *services = url ? NULL : aws_section_get(c->section, "services");
    if (services) {
        const struct aws_section *section =
            aws_profiles_find(&c->profiles, AWS_SECTION_SERVICES, services);
        const char *key = arena_printf(a, "%s.endpoint_url", s->config_name);
        url = key ? aws_section_get(section, key) : NULL;
    }
    return url ? url : aws_section_get(c->section, "endpoint_url");
}

/* Whether the usual endpoint of GovCloud is the one with FIPS. */
static bool usual_is_fips(const struct aws_service *s)
{
    static const char *const ids[] = {"appautoscaling", "cloudwatch",    "ec2", "elb", "elbv2",
                                      "logs",           "servicequotas", "ssm", "sts"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
        if (strcmp(ids[i], s->id) == 0)
            return true;
    return false;
}

/* What stands before the region: most services are "<prefix>" and "<prefix>-fips". */
static const char *host_prefix(struct arena *a, const struct aws_config *c,
                               const struct aws_service *s, const struct partition *p)
{
    bool ecr = strcmp(s->id, "ecr") == 0, china = strcmp(p->name, "aws-cn") == 0;
    if (ecr && !china && (c->use_fips || c->use_dualstack))
        return c->use_fips ? "ecr-fips" : "ecr";
    if (ecr && c->use_dualstack && !c->use_fips)
        return "ecr";
    if (strcmp(s->id, "eks") == 0 && c->use_fips && !c->use_dualstack && !china)
        return strcmp(p->name, "aws") == 0 ? "fips.eks" : "eks";
    if (strcmp(s->id, "sagemaker") == 0 && c->use_fips && !c->use_dualstack && !china)
        return "api-fips.sagemaker";
    if (strcmp(p->name, "aws-us-gov") == 0 && !c->use_dualstack && usual_is_fips(s))
        return s->prefix;
    return arena_printf(a, "%s%s", s->prefix, c->use_fips ? "-fips" : "");
}

static const char *regional_host(struct arena *a, const struct aws_config *c,
                                 const struct aws_service *s, const char *region,
                                 const struct partition *p)
{
    const char *fips = c->use_fips ? "-fips" : "";
    if (strcmp(s->id, "s3") == 0)
        return arena_printf(a, "s3%s%s.%s.%s", fips, c->use_dualstack ? ".dualstack" : "", region,
                            p->suffix);
    const char *prefix = host_prefix(a, c, s, p);
    return prefix ? arena_printf(a, "%s.%s.%s", prefix, region,
                                 c->use_dualstack ? p->dualstack_suffix : p->suffix)
                  : NULL;
}

static const char *global_host(struct arena *a, const struct aws_config *c,
                               const struct aws_service *s, const struct partition *p)
{
    const char *fips = c->use_fips ? "-fips" : "";
    if (strcmp(p->name, "aws-cn") == 0)
        return arena_printf(a, "%s.cn-north-1.%s", s->prefix, p->suffix);
    if (strcmp(p->name, "aws-us-gov") == 0)
        return arena_printf(a, "%s.us-gov.%s", s->prefix, p->suffix);
    return arena_printf(a, "%s%s.%s", s->prefix, fips,
                        c->use_dualstack && !c->use_fips ? "global.api.aws" : p->suffix);
}

int aws_endpoint_resolve(struct arena *a, const struct aws_config *c, const struct aws_service *s,
                         const char *region, struct aws_endpoint *ret)
{
    bool sts = strcmp(s->id, "sts") == 0;
    if (sts && c->sts_region)
        region = c->sts_region;
    const struct partition *p = partition_of(region);
    bool legacy_sts = sts && c->sts_legacy && strcmp(p->name, "aws") == 0 && !c->use_fips;
    bool global = s->global || legacy_sts;
    ret->signing_name = s->signing_name;
    ret->signing_region = global ? p->global_region : arena_strdup(a, region);
    const char *url = configured(c, s, a);
    if (url) {
        size_t len = strlen(url);
        while (len && url[len - 1] == '/')
            len--;
        ret->url = arena_strndup(a, url, len);
    } else {
        const char *host = global ? global_host(a, c, s, p) : regional_host(a, c, s, region, p);
        ret->url = host ? arena_printf(a, "https://%s", host) : NULL;
    }
    return ret->url && ret->signing_region ? 0 : -1;
}

int aws_endpoint_resolve_regional_sts(struct arena *a, const struct aws_config *c,
                                      const char *region, struct aws_endpoint *ret)
{
    struct aws_config regional = *c;
    regional.sts_legacy = false;
    regional.sts_region = NULL;
    regional.use_dualstack = false;
    return aws_endpoint_resolve(a, &regional, aws_service_find("sts"), region, ret);
}

int aws_endpoint_split(struct arena *a, const char *url, const char **ret_host,
                       const char **ret_path)
{
    const char *scheme = strstr(url, "://");
    const char *rest = scheme ? scheme + 3 : "";
    size_t len = strcspn(rest, "/");
    *ret_host = NULL;
    if (!len || rest[strcspn(rest, "?#@")])
        return -1;
    *ret_host = arena_strndup(a, rest, len);
    *ret_path = arena_strdup(a, rest + len);
    if (!*ret_path)
        *ret_host = NULL;
    return 0;
}
