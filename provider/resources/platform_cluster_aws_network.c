/* Zones of a platform's network, and the address ranges of its subnets.
 *
 * The range is divided into 4 equal parts (8 for a fourth zone). The first is divided again for the
 * public subnets, which only hold load balancers and NAT gateways; the others are the private
 * subnets, in which each pod has an address. A subnet that exists keeps its range. */
#include "resources/platform_cluster_aws.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/template.h"
#include "schema/validators.h"

#define PRIVATE "subnet.private-"
#define PUBLIC "subnet.public-"

enum { ZONES_READ = 32, PUBLIC_BITS = 2 };

static const struct cloud_operation describe_zones = {
    .service = "ec2", .name = "DescribeAvailabilityZones", .idempotent = true};

/* EKS puts no control plane into these (EKS User Guide, "Subnet requirements for clusters"). */
static const char *const without_eks[] = {"use1-az3", "usw1-az2", "cac1-az3"};

struct zones {
    const char *items[ZONES_READ];
    size_t count;
};

static void zones_add(struct zones *z, const char *zone, size_t most)
{
    for (size_t i = 0; zone && i < z->count; i++)
        if (strcmp(z->items[i], zone) == 0)
            return;
    if (zone && z->count < most && z->count < ZONES_READ)
        z->items[z->count++] = zone;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void zones_sort(struct zones *z)
{
    if (z->count)
        qsort(z->items, z->count, sizeof(*z->items), by_name);
}

/* ---- which zones ---- */

/* How many zones; 0: not known. *ret_asked: the user says so. */
static size_t zones_wanted(const struct platform_derivation *d, bool *ret_asked)
{
    const struct value *names = platform_of(d, "network.zone_names"),
                       *count = platform_of(d, "network.zones");
    int64_t n = 0;
    *ret_asked = names || count;
    if (names)
        return value_is_unknown(names) ? 0 : value_count(names);
    if (!count)
        return PLATFORM_CLUSTER_ZONES;
    return value_to_int(count, &n) && n > 0 && n <= PLATFORM_AWS_ZONES_MOST ? (size_t)n : 0;
}

static void recorded_zones(const struct records *r, struct zones *z)
{
    for (size_t i = 0; i < r->count; i++)
        if (strncmp(r->items[i].name, PRIVATE, strlen(PRIVATE)) == 0)
            zones_add(z, value_cstr(value_get(r->items[i].attrs, "availability_zone"), NULL),
                      PLATFORM_AWS_ZONES_MOST);
}

static const struct value *zones_request(struct arena *a)
{
    const struct value *zone = value_str(a, "availability-zone"),
                       *available = value_str(a, "available");
    const struct value *filters[] = {value_at(aws_filter(a, "zone-type", &zone, 1), 0),
                                     value_at(aws_filter(a, "state", &available, 1), 0)};
    const struct value_member m[] = {{SLICE_LIT("Filter"), value_tuple(a, filters, 2)}};
    return value_object(a, m, 1);
}

/* Whether the cloud decides: the user names no zones, and there are not enough subnets yet. */
static bool needs_offer(const struct platform_aws *p)
{
    const struct platform_derivation *d = p->d;
    struct zones z = {{NULL}, 0};
    bool asked = false;
    size_t wanted = zones_wanted(d, &asked);
    recorded_zones(d->c->records, &z);
    return p->asks && !platform_of(d, "network.vpc_id") && !platform_of(d, "network.zone_names") &&
           !value_get(d->c->decided, "zones") && wanted > z.count && (asked || !z.count);
}

void platform_aws_want_zones(struct platform_aws *p)
{
    if (needs_offer(p))
        gpu_node_want_call(p->d->c, &describe_zones, zones_request(p->d->a));
}

static bool has_eks(const struct value *zone)
{
    for (size_t i = 0; i < sizeof(without_eks) / sizeof(*without_eks); i++)
        if (slice_eq_str(value_slice(value_get(zone, "zoneId")), without_eks[i]))
            return false;
    return true;
}

/* The first zones by name that there are not yet. */
static int offered_zones(struct platform_aws *p, struct zones *z)
{
    const struct platform_derivation *d = p->d;
    const struct gpu_node_lookup *k = NULL;
    struct zones all = {{NULL}, 0};
    bool asked = false;
    size_t wanted = zones_wanted(d, &asked);
    if (gpu_node_answer_call(d->c, &describe_zones, zones_request(d->a), &k) < 0)
        return cloud_error_report(d->c->diags, path_parse(d->a, "network"), "looking up zones",
                                  &k->error);
    const struct value *list = template_select(d->a, k->answer, "availabilityZoneInfo.*");
    for (size_t i = 0; i < value_count(list); i++)
        if (has_eks(value_at(list, i)))
            zones_add(&all, value_cstr(value_get(value_at(list, i), "zoneName"), NULL), ZONES_READ);
    zones_sort(&all);
    for (size_t i = 0; i < all.count; i++)
        zones_add(z, all.items[i], wanted);
    if (z->count >= (asked ? wanted : PLATFORM_AWS_ZONES_LEAST))
        return 0;
    return diags_error(d->c->diags, path_parse(d->a, "network.zones"), "Too few zones",
                       "%s has %zu zones for EKS, and %zu are asked for.", p->region, z->count,
                       asked ? wanted : (size_t)PLATFORM_AWS_ZONES_LEAST);
}

/* 1: they are not known yet. */
static int choose_zones(struct platform_aws *p, const struct records *known, struct zones *z)
{
    const struct platform_derivation *d = p->d;
    const struct value *names = platform_of(d, "network.zone_names");
    bool asked = false;
    if (!zones_wanted(d, &asked) || (names && !value_is_wholly_known(names)))
        return 1;
    for (size_t i = 0; i < value_count(names); i++)
        zones_add(z, value_cstr(value_at(names, i), NULL), PLATFORM_AWS_ZONES_MOST);
    if (names)
        return 0;
    recorded_zones(known, z);
    zones_sort(z);
    if (needs_offer(p) && offered_zones(p, z) < 0)
        return -1;
    return z->count ? 0 : 1;
}

/* ---- their ranges ---- */

struct ranges {
    uint32_t base;
    int prefix;     /* of the private subnets */
    size_t parts;   /* of the private subnets: the first is the public ones' */
    unsigned taken; /* private parts, by bit */
    unsigned taken_public;
};

static bool is_used(const struct records *r, const char *cidr)
{
    for (size_t i = 0; i < r->count; i++)
        if (slice_eq_str(value_slice(value_get(r->items[i].attrs, "cidr_block")), cidr))
            return true;
    return false;
}

static const char *free_range(struct arena *a, const struct records *known, uint32_t base,
                              int prefix, unsigned first, unsigned end, unsigned *taken)
{
    for (unsigned i = first; i < end; i++) {
        const char *cidr = aws_part_cidr(a, base, prefix, i);
        if (*taken & 1u << i || !cidr || is_used(known, cidr))
            continue;
        *taken |= 1u << i;
        return cidr;
    }
    return NULL;
}

/* The range of a subnet: the one it has, or the first that is free. */
static const char *range_of(struct arena *a, const struct records *known, const char *component,
                            struct ranges *r, bool private)
{
    const struct record *rec = records_find(known, component);
    const char *has = rec ? value_cstr(value_get(rec->attrs, "cidr_block"), NULL) : NULL;
    if (has)
        return has;
    if (private)
        return free_range(a, known, r->base, r->prefix, 1, (unsigned)r->parts, &r->taken);
    return free_range(a, known, r->base, r->prefix + PUBLIC_BITS, 0, 1u << PUBLIC_BITS,
                      &r->taken_public);
}

/* ---- zones as `$derived` has them ---- */

static const struct value *subnet_tags(struct platform_aws *p, const char *role)
{
    struct arena *a = p->d->a;
    const char *cluster = p->d->name ? arena_printf(a, "kubernetes.io/cluster/%s", p->d->name) : "";
    const struct value_member m[] = {{slice_str(cluster), value_str(a, "shared")},
                                     {slice_str(role), value_str(a, "1")}};
    return p->d->name ? value_object(a, m, 2) : platform_unknown(p->d);
}

/* The zone of the one NAT gateway: where it is, or the first. */
static const char *single_nat(struct platform_aws *p, const struct zones *z)
{
    for (size_t i = 0; i < z->count; i++) {
        const char *name =
            arena_printf(p->d->a, "nat_gateway.%s", aws_zone_key(z->items[i], p->region));
        if (name && records_find(p->d->c->records, name))
            return z->items[i];
    }
    return z->items[0];
}

static const struct value *has_nat(struct platform_aws *p, const struct zones *z, const char *zone)
{
    const struct value *nat = platform_of(p->d, "network.nat");
    if (value_is_unknown(nat))
        return platform_unknown(p->d);
    const char *mode = value_cstr(nat, "single");
    return value_bool(p->d->a, strcmp(mode, "per_zone") == 0 ||
                                   (strcmp(mode, "single") == 0 && single_nat(p, z) == zone));
}

/* Whether the zone's NAT gateway has an alarm. */
static const struct value *nat_alarm(struct platform_aws *p, const struct value *nat)
{
    const struct value *alarms = platform_of(p->d, "observability.alarms");
    if (value_is_unknown(alarms) || value_is_unknown(nat))
        return platform_unknown(p->d);
    return value_bool(p->d->a, alarms && value_true(nat));
}

static const struct value *zone_object(struct platform_aws *p, const struct records *known,
                                       const struct zones *z, const char *zone, struct ranges *r)
{
    struct arena *a = p->d->a;
    const char *key = aws_zone_key(zone, p->region);
    const char *private = arena_printf(a, PRIVATE "%s", key),
               *public = arena_printf(a, PUBLIC "%s", key);
    const char *private_cidr = private ? range_of(a, known, private, r, true) : NULL,
               *public_cidr = public ? range_of(a, known, public, r, false) : NULL;
    const struct value *nat = has_nat(p, z, zone);
    const struct value_member m[] = {
        {SLICE_LIT("zone"), value_str(a, zone)},
        {SLICE_LIT("private_cidr"), value_str(a, private_cidr)},
        {SLICE_LIT("public_cidr"), value_str(a, public_cidr)},
        {SLICE_LIT("private_tags"), subnet_tags(p, "kubernetes.io/role/internal-elb")},
        {SLICE_LIT("public_tags"), subnet_tags(p, "kubernetes.io/role/elb")},
        {SLICE_LIT("nat"), nat},
        {SLICE_LIT("alarm"), nat_alarm(p, nat)}};
    if (private_cidr && public_cidr)
        return value_object(a, m, 7);
    diags_error(p->d->c->diags, path_parse(a, "network.cidr"), "No room for a subnet",
                "The range of the network has no free part for zone %s.", zone);
    return NULL;
}

static const struct value *zones_object(struct platform_aws *p, const struct records *known,
                                        const struct zones *z, const char *cidr)
{
    struct value_member m[ZONES_READ];
    struct ranges r = {.parts = z->count < 4 ? 4 : 8};
    int prefix = 0;
    if (cidr_parse(slice_str(cidr), &r.base, &prefix) < 0)
        return NULL;
    r.prefix = prefix + (r.parts == 4 ? 2 : 3);
    for (size_t i = 0; i < z->count; i++) {
        m[i].key = slice_str(aws_zone_key(z->items[i], p->region));
        m[i].value = zone_object(p, known, z, z->items[i], &r);
        if (!m[i].value)
            return NULL;
    }
    return value_object(p->d->a, m, z->count);
}

/* ---- all of it ---- */

/* Those of a network that no record knows yet, as in an import. */
static int known_subnets(struct platform_aws *p, struct records *found, const struct records **ret)
{
    const struct composite_context *c = p->d->c;
    struct zones z = {{NULL}, 0};
    bool import = !c->secrets && !c->prior;
    *ret = c->records;
    recorded_zones(c->records, &z);
    if (z.count || !import || !c->online || !c->region)
        return 0;
    if (aws_owned_subnets(c, PLATFORM_CLUSTER_TYPE, found) < 0)
        return -1;
    *ret = found;
    return 0;
}

static int put_zones(struct platform_aws *p, const char *cidr)
{
    struct platform_derivation *d = p->d;
    const struct value *decided = value_get(d->c->decided, "zones"), *zones = NULL;
    struct records found = {NULL, 0};
    const struct records *known = NULL;
    struct zones z = {{NULL}, 0};
    if (decided) {
        platform_put(d, "zones", decided);
        return 0;
    }
    if (!p->region || !cidr) {
        platform_put(d, "zones", platform_unknown(d));
        return 0;
    }
    if (known_subnets(p, &found, &known) < 0)
        return -1;
    int rc = choose_zones(p, known, &z);
    if (rc == 0 && !(zones = zones_object(p, known, &z, cidr)))
        rc = -1;
    if (rc >= 0)
        platform_put(d, "zones", rc ? platform_unknown(d) : zones);
    return rc < 0 ? -1 : 0;
}

int platform_aws_network(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    const struct value *vpc = platform_of(d, "network.vpc_id"),
                       *cidr = platform_of(d, "network.cidr");
    const char *range = value_is_unknown(cidr) ? NULL : value_cstr(cidr, PLATFORM_AWS_CIDR);
    platform_put(d, "network_cidr", range ? value_str(d->a, range) : platform_unknown(d));
    platform_put(d, "make_network",
                 value_is_unknown(vpc) ? platform_unknown(d) : value_bool(d->a, !vpc));
    if (value_is_unknown(vpc))
        platform_put(d, "zones", platform_unknown(d));
    else if (vpc)
        platform_put(d, "zones", value_object(d->a, NULL, 0));
    else
        return put_zones(p, range);
    return 0;
}
