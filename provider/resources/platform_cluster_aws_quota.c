/* Quotas that a platform meets on AWS: VPCs, addresses, NAT gateways, and vCPUs of GPU machines.
 * They are asked for only when something is made that counts against them. */
#include "resources/gpu_node_aws.h"
#include "resources/platform_cluster_aws.h"

#include <string.h>

#include "cloud/template.h"

enum { POOL_QUOTAS_MOST = 16, TEXT_MOST = 8192 };

static const struct cloud_operation get_quota = {
    .service = "servicequotas", .name = "GetServiceQuota", .idempotent = true};
static const struct cloud_operation describe_vpcs = {
    .service = "ec2", .name = "DescribeVpcs", .idempotent = true};
static const struct cloud_operation describe_addresses = {
    .service = "ec2", .name = "DescribeAddresses", .idempotent = true};
static const struct cloud_operation describe_gateways = {
    .service = "ec2", .name = "DescribeNatGateways", .idempotent = true};

/* Objects that are counted, one by one. "Amazon VPC quotas". */
struct counted {
    const char *service, *code, *name; /* of the quota */
    const char *component;             /* its name, or what that starts with */
    const struct cloud_operation *list;
    const char *items, *id;
    bool each_zone; /* the quota is one of each zone */
};

static const struct counted all_counted[] = {
    {"vpc", "L-F678F1CE", "VPCs per Region", "vpc", &describe_vpcs, "vpcSet.*", "vpcId", false},
    {"ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", "eip.", &describe_addresses, "addressesSet.*",
     "allocationId", false},
    {"vpc", "L-FE5A380F", "NAT gateways per Availability Zone", "nat_gateway.", &describe_gateways,
     "natGatewaySet.*", "natGatewayId", true},
};

enum { COUNTED = sizeof(all_counted) / sizeof(*all_counted) };

/* ---- what is asked ---- */

static const struct value *quota_request(struct arena *a, const char *service, const char *code)
{
    const struct value_member m[] = {{SLICE_LIT("ServiceCode"), value_str(a, service)},
                                     {SLICE_LIT("QuotaCode"), value_str(a, code)}};
    return value_object(a, m, 2);
}

static bool has_component(const struct records *r, const char *prefix)
{
    for (size_t i = 0; i < r->count; i++)
        if (strncmp(r->items[i].name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

/* A pool that is not there yet, all of whose machines the catalogue knows. */
static bool is_counted_pool(const struct composite_context *c, const struct platform_pool *p)
{
    const char *key = p->known ? platform_pool_key(c->arena, p) : NULL;
    const char *component = key ? arena_printf(c->arena, "node_pool.%s", key) : NULL;
    bool known = component && p->gpu && !records_find(c->records, component);
    for (size_t i = 0; known && i < value_count(p->machine_types); i++)
        known = catalog_machine("aws", value_slice(value_at(p->machine_types, i)));
    return known && value_count(p->machine_types);
}

void platform_aws_want_quotas(struct platform_aws *p)
{
    const struct composite_context *c = p->d->c;
    struct platform_pools pools;
    const char *nat = value_cstr(platform_of(p->d, "network.nat"), "single");
    bool network = !platform_of(p->d, "network.vpc_id");
    for (size_t i = 0; network && i < COUNTED; i++) {
        const struct counted *k = &all_counted[i];
        bool gateways = strcmp(k->component, "vpc") != 0;
        if (has_component(c->records, k->component) || (gateways && strcmp(nat, "none") == 0))
            continue;
        gpu_node_want_call(c, &get_quota, quota_request(c->arena, k->service, k->code));
        gpu_node_want_call(c, k->list, value_object(c->arena, NULL, 0));
    }
    platform_pools(c->arena, p->d->cloud, p->d->config, &pools);
    for (size_t i = 0; i < pools.count; i++)
        for (size_t m = 0;
             is_counted_pool(c, &pools.items[i]) && m < value_count(pools.items[i].machine_types);
             m++) {
            const struct catalog_quota *q =
                catalog_machine("aws", value_slice(value_at(pools.items[i].machine_types, m)))
                    ->quota;
            gpu_node_want(c, GPU_NODE_LOOKUP_USAGE, NULL);
            gpu_node_want(c, GPU_NODE_LOOKUP_QUOTA,
                          value_str(c->arena, pools.items[i].spot ? q->spot : q->on_demand));
        }
}

/* ---- objects ---- */

/* What one quota has room for. */
struct room {
    const struct counted *counted;
    double limit;
    size_t used, more;
    const struct path *path;
    const char *where; /* the zone, or the region */
};

static int too_few(const struct composite_context *c, const struct room *r)
{
    const struct counted *k = r->counted;
    return diags_error(
        c->diags, r->path, "The quota is too small",
        "The plan makes %zu more in %s of what the quota \"%s\" (%s) counts, which is %.0f there, "
        "with %zu in use. Remove what is not needed, use a network that there is "
        "(`network.vpc_id`), or ask for more in the Service Quotas console, or with: aws "
        "service-quotas request-service-quota-increase --service-code %s --quota-code %s --region "
        "%s --desired-value %zu",
        r->more, r->where, k->name, k->code, r->limit, r->used, k->service, k->code, c->region,
        r->used + r->more);
}

/* Gateways that are gone stay listed for an hour. */
static bool is_gone(const struct value *item)
{
    struct slice state = value_slice(value_get(item, "state"));
    return slice_eq_str(state, "deleting") || slice_eq_str(state, "deleted") ||
           slice_eq_str(state, "failed");
}

/* Those that stay: what is in a state that is to be replaced goes before. */
static const struct value *staying(const struct composite_context *c, const struct counted *k,
                                   const struct value *answer)
{
    const struct value *all = template_select(c->arena, answer, k->items),
                       *left = value_tuple(c->arena, NULL, 0);
    for (size_t i = 0; left && i < value_count(all); i++) {
        const struct value *item = value_at(all, i);
        struct slice id = value_slice(value_get(item, k->id));
        bool goes = !c->prior && provider_has_seen(c->request->provider, id);
        if (id.len && !goes && !is_gone(item))
            left = value_tuple_join(c->arena, left, value_tuple(c->arena, &item, 1));
    }
    return left;
}

static size_t in_zone(const struct value *subnets, const struct value *items,
                      const struct value *zone)
{
    size_t count = 0;
    for (size_t i = 0; i < value_count(items); i++)
        for (size_t k = 0; k < value_count(subnets); k++) {
            const struct value *s = value_at(subnets, k);
            count +=
                value_equal(value_get(s, "subnetId"), value_get(value_at(items, i), "subnetId")) &&
                value_equal(value_get(s, "availabilityZone"), zone);
        }
    return count;
}

/* A quota of each zone: where all there is would not fill one zone, none is full. */
static int check_zones(const struct composite_context *c, struct room *r,
                       const struct value *derived, const struct value *items)
{
    struct arena *a = c->arena;
    const struct value *zones = value_get(derived, "zones"), *answer = NULL;
    struct cloud_error err;
    int rc = 0;
    if ((double)(r->used + 1) <= r->limit || !value_is_known(zones))
        return 0;
    if (composite_call(c, a, &aws_describe_subnets, value_object(a, NULL, 0), &answer, &err) < 0)
        return 0;
    const struct value *subnets = template_select(a, answer, "subnetSet.*");
    for (size_t i = 0; i < value_count(zones); i++) {
        const struct value *zone = value_at(zones, i);
        struct room one = *r;
        one.used = in_zone(subnets, items, value_get(zone, "zone"));
        one.more = 1;
        one.where = value_cstr(value_get(zone, "zone"), "");
        if (value_true(value_get(zone, "nat")) && (double)(one.used + 1) > one.limit)
            rc = too_few(c, &one);
    }
    return rc;
}

static void not_checked(const struct composite_context *c, const struct path *path,
                        const char *name, const char *code, const char *why, bool *said)
{
    if (!*said)
        diags_warning(c->diags, path, "The quota was not checked", "%s (%s): %s", name, code,
                      why ? why : "no answer");
    *said = true;
}

static int check_counted(const struct composite_context *c, const struct engine_changes *changes,
                         const struct value *derived, const struct counted *k, bool *said)
{
    struct room r = {.counted = k, .where = c->region};
    const struct gpu_node_lookup *quota = NULL, *list = NULL;
    size_t len = strlen(k->component);
    bool prefix = k->component[len - 1] == '.';
    for (size_t i = 0; i < changes->count; i++) {
        const struct engine_change *ch = &changes->items[i];
        bool its = prefix ? strncmp(ch->name, k->component, len) == 0
                          : strcmp(ch->name, k->component) == 0;
        if (!its || ch->action != ENGINE_CREATE)
            continue;
        r.more++;
        r.path = ch->path;
    }
    if (!r.more)
        return 0;
    if (gpu_node_answer_call(c, &get_quota, quota_request(c->arena, k->service, k->code), &quota) <
            0 ||
        gpu_node_answer_call(c, k->list, value_object(c->arena, NULL, 0), &list) < 0) {
        not_checked(c, r.path, k->name, k->code,
                    quota->rc < 0 ? quota->error.message : list->error.message, said);
        return 0;
    }
    const struct value *items = staying(c, k, list->answer);
    r.limit = gpu_node_aws_quota_value(c->arena, quota->answer);
    r.used = value_count(items);
    if (r.limit < 0)
        return 0;
    if (k->each_zone)
        return check_zones(c, &r, derived, items);
    return (double)(r.used + r.more) > r.limit ? too_few(c, &r) : 0;
}

/* ---- machines with GPUs ---- */

struct family {
    const char *code, *name;
    double limit; /* below 0: not known */
    int used;     /* by what runs, and by the pools before */
};

struct families {
    const struct composite_context *c;
    struct family items[POOL_QUOTAS_MOST];
    size_t count;
    bool said;
};

/* Nodes of a cluster of this name that the state does not have go before it is made again. */
static bool will_be_gone(void *self, const struct value *instance)
{
    const struct composite_context *c = ((struct families *)self)->c;
    const struct value *tags =
        template_transform(c->arena, TRANSFORM_TAGS_MAP, value_get(instance, "tagSet"));
    return !platform_recorded(c, "cluster", "name") &&
           value_equal(value_get(tags, "eks:cluster-name"), value_get(c->config, "name"));
}

static struct family *family_of(struct families *all, const struct catalog_quota *q, bool spot,
                                const struct path *path)
{
    const char *code = spot ? q->spot : q->on_demand, *why = NULL;
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].code, code) == 0)
            return &all->items[i];
    if (all->count == POOL_QUOTAS_MOST)
        return NULL;
    struct family *f = &all->items[all->count++];
    *f = (struct family){code, spot ? q->spot_name : q->on_demand_name, -1, 0};
    if (gpu_node_aws_read_quota(all->c, q, spot, will_be_gone, all, &f->limit, &f->used, &why) <
        0) {
        f->limit = -1;
        not_checked(all->c, path, f->name, code, why, &all->said);
    }
    return f;
}

static void append_family(struct buf *b, const struct catalog_machine *m, const struct family *f)
{
    buf_printf(b, "%s%s has %d vCPUs, and the quota \"%s\" (%s) is %.0f, with %d in use.",
               b->len ? "\n" : "", m->type, m->vcpus, f->name, f->code, f->limit, f->used);
}

/* A pool has room when one of its machine types has: the nodes that it begins with are an error,
 * those that it may have at most a warning. */
static int check_pool(struct families *all, const struct platform_pool *p)
{
    const struct composite_context *c = all->c;
    const struct path *at = path_key(c->arena, path_parse(c->arena, "node_pools"), p->name);
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MOST);
    int64_t now = p->desired > p->min ? p->desired : p->min;
    bool begins = false, grows = false;
    struct family *last = NULL;
    for (size_t i = 0; i < value_count(p->machine_types) && !begins; i++) {
        const struct catalog_machine *m =
            catalog_machine("aws", value_slice(value_at(p->machine_types, i)));
        struct family *f = family_of(all, m->quota, p->spot, at);
        if (!f || f->limit < 0)
            return 0;
        last = f;
        begins = f->used + (double)(now * m->vcpus) <= f->limit;
        grows = f->used + (double)(p->max * m->vcpus) <= f->limit;
        if (!begins || !grows)
            append_family(&text, m, f);
        if (begins)
            f->used += (int)(now * m->vcpus);
    }
    if (!last || (begins && grows))
        return 0;
#define POOL_TEXT                                                                                  \
    "%s\nThe pool %s %lld nodes. Ask for more in the Service Quotas console, or with: aws "        \
    "service-quotas request-service-quota-increase --service-code ec2 --quota-code %s --region "   \
    "%s --desired-value …"
    if (begins)
        diags_warning(c->diags, path_attribute(c->arena, at, "max"),
                      "The vCPU quota is too small for the largest size", POOL_TEXT,
                      buf_cstr(&text), "may have", (long long)p->max, last->code, c->region);
    else
        diags_error(c->diags, at, "The vCPU quota is too small", POOL_TEXT, buf_cstr(&text),
                    "begins with", (long long)now, last->code, c->region);
    return begins ? 0 : -1;
}

int platform_aws_check_quotas(const struct composite_context *c,
                              const struct engine_changes *changes, const struct value *derived)
{
    struct platform_pools pools;
    struct families all = {.c = c};
    bool said = false;
    int rc = 0;
    for (size_t i = 0; i < COUNTED; i++)
        rc |= check_counted(c, changes, derived, &all_counted[i], &said);
    platform_pools(c->arena, platform_cloud(c->cloud), c->config, &pools);
    for (size_t i = 0; i < pools.count; i++)
        if (is_counted_pool(c, &pools.items[i]))
            rc |= check_pool(&all, &pools.items[i]);
    return rc;
}
