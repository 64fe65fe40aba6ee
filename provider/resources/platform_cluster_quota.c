/* Checks of a namespace's quota: is it of something that Kubernetes counts ("Resource Quotas";
 * ValidateResourceQuotaResourceName of its API). */
#include "resources/platform_cluster.h"

#include <string.h>

#include "cloud/plain.h"
#include "resources/catalog.h"

enum { NANO_DIGITS = 9 };

/* What has no DNS name before it; things that are counted first. */
static const char *const resources[] = {
    "pods",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
};
enum { RESOURCES = sizeof(resources) / sizeof(*resources), COUNTED = 9 };

static bool has_slash(struct slice key)
{
    return key.len && memchr(key.ptr, '/', key.len);
}

static bool is_one_of(struct slice key, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_str(key, resources[i]))
            return true;
    return false;
}

static bool is_huge_pages(struct slice key)
{
    return slice_has_prefix(key, "hugepages-") || slice_has_prefix(key, "requests.hugepages-");
}

/* Of what others define, requests are counted; with a name of Kubernetes' before the slash it is
 * one of its own: NAME.storageclass.storage.k8s.io/requests.storage. */
static bool is_qualified(struct slice key)
{
    static const char own[] = ".k8s.io/";
    size_t n = sizeof(own) - 1;
    if (slice_has_prefix(key, "count/") || slice_has_prefix(key, "requests."))
        return true;
    for (size_t i = 0; i + n <= key.len; i++)
        if (memcmp(key.ptr + i, own, n) == 0)
            return true;
    return false;
}

static int unknown_resource(struct slice key, const struct path *at, struct diags *diags)
{
    const char *near = catalog_nearest_of(resources, RESOURCES, key);
    struct slice other = key;
    if (slice_has_prefix(key, "limits."))
        other = slice_from(key.ptr + strlen("limits."), key.len - strlen("limits."));
    if (has_slash(key))
        return diags_error(diags, at, "Nothing to limit",
                           "Kubernetes takes \"%.*s\", and never counts it: of what others define, "
                           "it counts what pods request. Did you mean requests.%.*s?",
                           (int)key.len, key.ptr, (int)other.len, other.ptr);
    return diags_error(diags, at, "Nothing to limit",
                       "Kubernetes has no quota of \"%.*s\".%s%s%s Other things are counted as "
                       "count/RESOURCE.GROUP (count/jobs.batch), devices as requests.DOMAIN/NAME "
                       "(requests.nvidia.com/gpu).",
                       (int)key.len, key.ptr, near ? " Did you mean " : "", near ? near : "",
                       near ? "?" : "");
}

/* Amounts in billionths have that many zeros at their end. */
static bool is_whole(struct arena *a, const struct value *amount)
{
    struct slice s = value_slice(plain_value(a, amount, true));
    size_t zeros = 0;
    if (s.len < 2 || s.ptr[s.len - 1] != 'n' || slice_eq_str(s, "0n"))
        return true;
    while (zeros + 1 < s.len && s.ptr[s.len - 2 - zeros] == '0')
        zeros++;
    return zeros >= NANO_DIGITS;
}

int platform_check_quota(struct arena *a, struct slice key, const struct value *amount,
                         const struct path *at, struct diags *diags)
{
    bool known =
        has_slash(key) ? is_qualified(key) : is_one_of(key, RESOURCES) || is_huge_pages(key);
    if (!known)
        return unknown_resource(key, at, diags);
    if ((!has_slash(key) && !is_one_of(key, COUNTED)) || !value_is_known(amount) ||
        is_whole(a, amount))
        return 0;
    return diags_error(diags, at, "Not a whole number",
                       "%.*s are counted: \"%s\" is not a whole number.", (int)key.len, key.ptr,
                       value_cstr(amount, ""));
}
