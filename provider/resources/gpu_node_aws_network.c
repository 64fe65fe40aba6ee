/* Zones of a node's network, and the address ranges of its subnets.
 *
 * The range is divided into 8 equal parts (4 when it is a /26): the first is the public subnet's,
 * the others are given to the zones in their order. A subnet that exists keeps its part. */
#include "resources/gpu_node_aws.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define PRIVATE "subnet.private-"

struct range {
    uint32_t base; /* host order */
    int prefix;    /* of the parts */
    int parts;
};

static bool range_parse(const char *cidr, struct range *ret)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr in;
    const char *slash = strchr(cidr, '/');
    ret->parts = gpu_node_aws_subnets(slice_str(cidr));
    if (!ret->parts || (size_t)(slash - cidr) >= sizeof(address))
        return false;
    memcpy(address, cidr, (size_t)(slash - cidr));
    address[slash - cidr] = 0;
    ret->prefix = (int)strtol(slash + 1, NULL, 10) + (ret->parts == 8 ? 3 : 2);
    ret->base = inet_pton(AF_INET, address, &in) == 1 ? ntohl(in.s_addr) : 0;
    return ret->base != 0;
}

static const char *part_cidr(struct arena *a, const struct range *r, int part)
{
    return aws_part_cidr(a, r->base, r->prefix, (unsigned)part);
}

static const char *attr(const struct record *r, const char *name)
{
    return r ? value_cstr(value_get(r->attrs, name), NULL) : NULL;
}

static const struct record *subnet_of(const struct composite_context *c, const char *key)
{
    const char *name = arena_printf(c->arena, PRIVATE "%s", key);
    return name ? records_find(c->records, name) : NULL;
}

struct zone_list {
    const char *items[GPU_NODE_MAX_ZONES];
    size_t count;
};

static bool list_has(const struct zone_list *l, const char *zone)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->items[i], zone) == 0)
            return true;
    return false;
}

static void list_add(struct zone_list *l, const char *zone, size_t most)
{
    if (zone && l->count < most && !list_has(l, zone))
        l->items[l->count++] = zone;
}

static void existing_zones(const struct composite_context *c, struct zone_list *l)
{
    for (size_t i = 0; i < c->records->count; i++) {
        const struct record *r = &c->records->items[i];
        if (strncmp(r->name, PRIVATE, strlen(PRIVATE)) == 0)
            list_add(l, attr(r, "availability_zone"), GPU_NODE_MAX_ZONES);
    }
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The first zones by name that offer the first machine that is offered at all; then those that
 * offer another one. */
static void offered_zones(struct arena *a, const struct gpu_node_offer *offers, size_t count,
                          const struct gpu_node_machines *machines, struct zone_list *l)
{
    const char **zones = arena_calloc(a, count + 1, sizeof(char *));
    for (size_t m = 0; zones && m < machines->count; m++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++)
            if (strcmp(offers[i].type, machines->items[m]->type) == 0)
                zones[n++] = offers[i].zone;
        qsort(zones, n, sizeof(char *), by_name);
        for (size_t i = 0; i < n; i++)
            list_add(l, zones[i], GPU_NODE_DEFAULT_ZONES);
        /* One machine type is used when the user named none. */
        if (n && !machines->chosen)
            break;
    }
    qsort(l->items, l->count, sizeof(char *), by_name);
}

static const struct value *zone_object(struct arena *a, const char *zone, const char *cidr)
{
    const struct value_member m[] = {{SLICE_LIT("zone"), value_str(a, zone)},
                                     {SLICE_LIT("cidr"), value_str(a, cidr)}};
    return zone && cidr ? value_object(a, m, 2) : NULL;
}

/* The first part that no subnet of the records and of this plan has. */
static const char *free_part(const struct composite_context *c, const struct range *r,
                             unsigned *taken)
{
    for (int part = 1; part < r->parts; part++) {
        const char *cidr = part_cidr(c->arena, r, part);
        bool used = *taken & 1u << part;
        for (size_t i = 0; cidr && i < c->records->count && !used; i++) {
            const char *other = attr(&c->records->items[i], "cidr_block");
            used = other && strcmp(other, cidr) == 0;
        }
        if (used)
            continue;
        *taken |= 1u << part;
        return cidr;
    }
    return NULL;
}

static const struct value *zones_object(const struct composite_context *c, const struct range *r,
                                        const struct zone_list *l)
{
    struct value_member m[GPU_NODE_MAX_ZONES];
    unsigned taken = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *key = aws_zone_key(l->items[i], c->region);
        const char *cidr = attr(subnet_of(c, key), "cidr_block");
        if (!cidr)
            cidr = free_part(c, r, &taken);
        m[i].key = slice_str(key);
        m[i].value = zone_object(c->arena, l->items[i], cidr);
        if (!m[i].value) {
            diags_error(c->diags, path_attribute(c->arena, NULL, "zones"), "No room for a subnet",
                        "The range of the network has no free part for zone %s. Change zones in "
                        "two steps, or use a larger range.",
                        l->items[i]);
            return NULL;
        }
    }
    return value_object(c->arena, m, l->count);
}

int gpu_node_aws_network(const struct composite_context *c, const char *cidr,
                         const struct gpu_node_offer *offers, size_t offer_count,
                         const struct gpu_node_machines *machines, struct gpu_node_network *ret)
{
    struct arena *a = c->arena;
    struct range r;
    struct zone_list l = {{NULL}, 0};
    const struct value *zones = value_get(c->config, "zones");
    ret->zones = ret->public = value_unknown(a, &type_dynamic);
    if (!c->region || !cidr || (zones && !value_is_null(zones) && !value_is_wholly_known(zones)))
        return 0;
    if (!range_parse(cidr, &r))
        return diags_error(c->diags, path_parse(a, "network.cidr"), "Invalid range",
                           "\"%s\" cannot be divided into subnets.", cidr);
    for (size_t i = 0; i < value_count(zones); i++)
        list_add(&l, value_cstr(value_at(zones, i), NULL), GPU_NODE_MAX_ZONES);
    if (!l.count)
        existing_zones(c, &l);
    if (!l.count && offers)
        offered_zones(a, offers, offer_count, machines, &l);
    if (!l.count)
        return 0;
    const char *public = attr(records_find(c->records, "subnet.public"), "availability_zone");
    ret->zones = zones_object(c, &r, &l);
    ret->public = zone_object(a, public ? public : l.items[0], part_cidr(a, &r, 0));
    return ret->zones && ret->public ? 0 : -1;
}
