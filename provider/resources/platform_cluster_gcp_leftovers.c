/* What a cluster has made by itself, and nobody removes when the cluster is gone: load balancers of
 * services, firewall rules, network endpoint groups, and disks. It goes between the cluster and the
 * network. Of the objects in a network only those go that are proven to be this cluster's; what
 * else keeps a network that is to be destroyed is listed, with what is known of it. */
#include "resources/platform_cluster_gcp.h"

#include <ctype.h>
#include <string.h>

#include "cloud/template.h"

enum {
    TEXT_MOST = 32768,
    WORDS_MOST = 300, /* of a description, in a message */
    HASH = 8,         /* of a cluster, in the tag of its nodes */
    SHORTENED = 12    /* so much of a long name stays in that tag at least */
};

#define PROJECT "/compute/v1/projects/{project}"
#define PAGE "{?filter,maxResults,pageToken}"

static const struct cloud_operation list_firewalls = {.service = "compute",
                                                      .name = "firewalls.list",
                                                      .method = "GET",
                                                      .uri = PROJECT "/global/firewalls" PAGE,
                                                      .idempotent = true};
static const struct cloud_operation list_rules = {.service = "compute",
                                                  .name = "forwardingRules.list",
                                                  .method = "GET",
                                                  .uri = PROJECT
                                                  "/regions/{region}/forwardingRules" PAGE,
                                                  .idempotent = true};
static const struct cloud_operation list_groups = {.service = "compute",
                                                   .name = "networkEndpointGroups.aggregatedList",
                                                   .method = "GET",
                                                   .uri = PROJECT
                                                   "/aggregated/networkEndpointGroups" PAGE,
                                                   .idempotent = true};
static const struct cloud_operation list_disks = {.service = "compute",
                                                  .name = "disks.aggregatedList",
                                                  .method = "GET",
                                                  .uri = PROJECT "/aggregated/disks" PAGE,
                                                  .idempotent = true};
static const struct cloud_operation list_clusters = {
    .service = "container",
    .name = "projects.locations.clusters.list",
    .method = "GET",
    .uri = "/v1/projects/{project}/locations/{location}/clusters",
    .idempotent = true};

/* What is deleted by its own link, "projects/…". */
static const struct cloud_operation delete_firewall = {.service = "compute",
                                                       .name = "firewalls.delete",
                                                       .method = "DELETE",
                                                       .uri = "/compute/v1/{+link}",
                                                       .idempotent = true};
static const struct cloud_operation delete_rule = {.service = "compute",
                                                   .name = "forwardingRules.delete",
                                                   .method = "DELETE",
                                                   .uri = "/compute/v1/{+link}",
                                                   .idempotent = true};
static const struct cloud_operation delete_pool = {.service = "compute",
                                                   .name = "targetPools.delete",
                                                   .method = "DELETE",
                                                   .uri = "/compute/v1/{+link}",
                                                   .idempotent = true};
static const struct cloud_operation delete_backend = {.service = "compute",
                                                      .name = "regionBackendServices.delete",
                                                      .method = "DELETE",
                                                      .uri = "/compute/v1/{+link}",
                                                      .idempotent = true};
static const struct cloud_operation delete_group = {.service = "compute",
                                                    .name = "networkEndpointGroups.delete",
                                                    .method = "DELETE",
                                                    .uri = "/compute/v1/{+link}",
                                                    .idempotent = true};
static const struct cloud_operation delete_disk = {.service = "compute",
                                                   .name = "disks.delete",
                                                   .method = "DELETE",
                                                   .uri = "/compute/v1/{+link}",
                                                   .idempotent = true};

/* One sweep over a network. */
struct sweep {
    const struct composite_context *c;
    struct arena *a;
    const char *cluster, *network;
    const struct value *firewalls; /* in the network */
    bool alone;                    /* no cluster is in the network any more */
    size_t left;
    struct buf text; /* what is left */
    struct cloud_error error;
};

/* ---- calls ---- */

static const struct value *list(struct sweep *s, const struct cloud_operation *op, const char *path,
                                const char *name, const char *text)
{
    const struct value *all = NULL;
    const struct value_member m[] = {
        {SLICE_LIT("project"), value_str(s->a, s->c->account)},
        {slice_str(name ? name : ""), name ? value_str(s->a, text) : NULL}};
    if (gcp_list(s->c, op, value_object(s->a, m, name ? 2 : 1), path, &all, &s->error) < 0)
        return NULL;
    return all;
}

static const char *relative(struct sweep *s, const struct value *link)
{
    return value_cstr(template_transform(s->a, TRANSFORM_RELATIVE, link), "");
}

static int remove_one(struct sweep *s, const struct cloud_operation *op, const struct value *link)
{
    const struct value_member m = {SLICE_LIT("link"), value_str(s->a, relative(s, link))};
    const struct value *answer = NULL;
    return composite_call(s->c, s->a, op, value_object(s->a, &m, 1), &answer, &s->error) == 0 ||
                   s->error.class_ == CLOUD_ERROR_NOT_FOUND
               ? 0
               : -1;
}

static bool is_here(struct sweep *s, const struct value *item)
{
    return strcmp(relative(s, value_get(item, "network")), s->network) == 0;
}

static const struct value *those_here(struct sweep *s, const struct value *all)
{
    const struct value *here = all ? value_tuple(s->a, NULL, 0) : NULL;
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *item = value_at(all, i);
        if (is_here(s, item))
            here = value_tuple_join(s->a, here, value_tuple(s->a, &item, 1));
    }
    return here;
}

static void still(struct sweep *s, const struct value *item, const char *words, const char *why)
{
    const char *said = value_cstr(value_get(item, "description"), "");
    const char *tag = value_cstr(template_select(s->a, item, "targetTags.0"), NULL);
    buf_printf(&s->text, "%s%s %s", s->text.len ? "\n" : "", words,
               relative(s, value_get(item, "selfLink")));
    if (tag)
        buf_printf(&s->text, ", for %s", tag);
    if (*said)
        buf_printf(&s->text, ", \"%.*s\"", WORDS_MOST, said);
    if (*why)
        buf_printf(&s->text, ": %s", why);
    s->left++;
}

/* What is proven to be the cluster's goes; what keeps it is said. */
static int take(struct sweep *s, const struct cloud_operation *op, const struct value *item,
                const char *words)
{
    if (remove_one(s, op, value_get(item, "selfLink")) == 0)
        return 0;
    if (s->error.class_ != CLOUD_ERROR_DEPENDENCY && s->error.class_ != CLOUD_ERROR_CONFLICT)
        return -1;
    still(s, item, words, s->error.message ? s->error.message : "it is in use");
    return 0;
}

/* ---- whose it is ---- */

/* "gke-NAME-HASH-node", where a long name is shortened: the tag of the cluster's nodes, which GKE
 * and its controllers put into each of their firewall rules. */
static bool is_node_tag(const struct sweep *s, struct slice tag)
{
    static const char before[] = "gke-", after[] = "-node";
    const size_t around = sizeof(before) - 1 + 1 + HASH + sizeof(after) - 1;
    if (tag.len <= around || memcmp(tag.ptr, before, sizeof(before) - 1) != 0 ||
        memcmp(tag.ptr + tag.len - sizeof(after) + 1, after, sizeof(after) - 1) != 0)
        return false;
    const char *name = tag.ptr + sizeof(before) - 1;
    size_t len = tag.len - around, whole = strlen(s->cluster);
    for (size_t i = 0; i < HASH; i++)
        if (!isxdigit((unsigned char)name[len + 1 + i]))
            return false;
    return name[len] == '-' && len <= whole && memcmp(name, s->cluster, len) == 0 &&
           (len == whole || len >= SHORTENED);
}

/* The hash in the tag is of the cluster that is gone, and nowhere else by now. So it is proof in a
 * network that was made for this cluster, and that has no other. */
static bool is_ours(const struct sweep *s, const struct value *firewall)
{
    const struct value *tags = value_get(firewall, "targetTags");
    for (size_t i = 0; i < value_count(tags); i++)
        if (!is_node_tag(s, value_slice(value_at(tags, i))))
            return false;
    return s->alone && value_count(tags) > 0;
}

/* The load balancer that a firewall rule is for: it has the rule's name, or "k8s-fw-" stands before
 * it (ingress-gce, l4_namer.go; cloud-provider-gcp, gce_loadbalancer_naming.go). */
static struct slice balancer_of(const struct value *firewall)
{
    static const char classic[] = "k8s-fw-";
    const size_t before = sizeof(classic) - 1;
    struct slice name = value_slice(value_get(firewall, "name"));
    if (name.len > before && memcmp(name.ptr, classic, before) == 0)
        return (struct slice){name.ptr + before, name.len - before};
    return name;
}

static bool names_ours(const struct sweep *s, struct slice name)
{
    for (size_t i = 0; name.len && i < value_count(s->firewalls); i++)
        if (slice_eq(name, balancer_of(value_at(s->firewalls, i))) &&
            is_ours(s, value_at(s->firewalls, i)))
            return true;
    return false;
}

static struct slice last_part(struct sweep *s, const struct value *link)
{
    return value_slice(template_transform(s->a, TRANSFORM_BASENAME, link));
}

static int look_for_clusters(struct sweep *s)
{
    const struct value *answer = NULL;
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(s->a, s->c->account)},
                                     {SLICE_LIT("location"), value_str(s->a, "-")}};
    if (composite_call(s->c, s->a, &list_clusters, value_object(s->a, m, 2), &answer, &s->error) <
        0)
        return -1;
    const struct value *networks =
        template_select(s->a, answer, "clusters.*.networkConfig.network");
    s->alone = true;
    for (size_t i = 0; i < value_count(networks); i++)
        if (strcmp(relative(s, value_at(networks, i)), s->network) == 0)
            s->alone = false;
    return 0;
}

/* ---- load balancers, endpoint groups, firewall rules ---- */

static bool is_rule_ours(struct sweep *s, const struct value *rule)
{
    return names_ours(s, value_slice(value_get(rule, "name"))) ||
           names_ours(s, last_part(s, value_get(rule, "backendService")));
}

/* What a forwarding rule led to: a target pool, or a backend service; another rule may still. */
static int take_target(struct sweep *s, const struct value *rule)
{
    const struct value *backend = value_get(rule, "backendService"),
                       *target = value_get(rule, "target");
    int rc = 0;
    if (value_slice(backend).len)
        rc = remove_one(s, &delete_backend, backend);
    else if (strstr(relative(s, target), "/targetPools/"))
        rc = remove_one(s, &delete_pool, target);
    return rc < 0 && s->error.class_ == CLOUD_ERROR_DEPENDENCY ? 0 : rc;
}

static bool has_rule(struct sweep *s, const struct value *rules, struct slice balancer)
{
    for (size_t i = 0; i < value_count(rules); i++)
        if (slice_eq(balancer, value_slice(value_get(value_at(rules, i), "name"))) ||
            slice_eq(balancer, last_part(s, value_get(value_at(rules, i), "backendService"))))
            return true;
    return false;
}

/* What a destroy that was interrupted has taken the forwarding rule from. */
static int take_rest(struct sweep *s, const struct value *rules)
{
    static const struct {
        const struct cloud_operation *op;
        const char *collection;
    } targets[] = {{&delete_pool, "targetPools"}, {&delete_backend, "backendServices"}};
    for (size_t i = 0; i < 2 * value_count(s->firewalls); i++) {
        const struct value *firewall = value_at(s->firewalls, i / 2);
        struct slice name = balancer_of(firewall);
        bool balanced = name.len != value_slice(value_get(firewall, "name")).len ||
                        (name.len > 5 && memcmp(name.ptr, "k8s2-", 5) == 0);
        if (!balanced || !is_ours(s, firewall) || has_rule(s, rules, name))
            continue;
        const char *link =
            arena_printf(s->a, "projects/%s/regions/%s/%s/%.*s", s->c->account, s->c->region,
                         targets[i % 2].collection, (int)name.len, name.ptr);
        if (!link || (remove_one(s, targets[i % 2].op, value_str(s->a, link)) < 0 &&
                      s->error.class_ != CLOUD_ERROR_DEPENDENCY))
            return -1;
    }
    return 0;
}

/* Rules from outside name no network, and keep none: those of others are not looked at. */
static int sweep_rules(struct sweep *s)
{
    const struct value *all = list(s, &list_rules, "items.*", "region", s->c->region);
    int rc = all ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < value_count(all); i++) {
        if (is_rule_ours(s, value_at(all, i)))
            rc = take(s, &delete_rule, value_at(all, i), "forwarding rule");
        else if (is_here(s, value_at(all, i)))
            still(s, value_at(all, i), "forwarding rule", "");
    }
    for (size_t i = 0; rc == 0 && i < value_count(all); i++)
        if (is_rule_ours(s, value_at(all, i)))
            rc = take_target(s, value_at(all, i));
    return rc < 0 ? -1 : take_rest(s, all);
}

/* Those of load balancers are named as these; nothing ties others to the cluster. */
static int sweep_groups(struct sweep *s, const struct value *groups)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < value_count(groups); i++) {
        const struct value *group = value_at(groups, i);
        if (names_ours(s, value_slice(value_get(group, "name"))))
            rc = take(s, &delete_group, group, "network endpoint group");
        else
            still(s, group, "network endpoint group", "");
    }
    return rc;
}

/* Last: they are the proof of the others. */
static int sweep_firewalls(struct sweep *s)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < value_count(s->firewalls); i++) {
        const struct value *firewall = value_at(s->firewalls, i);
        if (is_ours(s, firewall))
            rc = take(s, &delete_firewall, firewall, "firewall rule");
        else
            still(s, firewall, "firewall rule", "");
    }
    return rc;
}

/* A load balancer in a network without a firewall rule lets nothing through: where there is no rule
 * there is nothing to look for. */
static int sweep_network(struct sweep *s)
{
    const struct value *groups = NULL;
    s->firewalls = those_here(s, list(s, &list_firewalls, "items.*", NULL, NULL));
    if (s->firewalls)
        groups =
            those_here(s, list(s, &list_groups, "items.*.networkEndpointGroups.*", NULL, NULL));
    if (!groups)
        return -1;
    if (value_count(s->firewalls) && (look_for_clusters(s) < 0 || sweep_rules(s) < 0))
        return -1;
    return sweep_groups(s, groups) < 0 ? -1 : sweep_firewalls(s);
}

static int clear(struct sweep *s)
{
    if (sweep_network(s) < 0)
        return cloud_error_report(s->c->diags, NULL, "clearing away what the cluster has left",
                                  &s->error);
    if (!s->left)
        return 0;
    return diags_error(s->c->diags, NULL, "The network is still in use",
                       "%s cannot be removed as long as this is in it:\n%s\nWhat is proven to be "
                       "the cluster's was removed. Remove the rest, and run destroy again.",
                       s->network, buf_cstr(&s->text));
}

/* ---- disks ---- */

/* Of the claim that a disk was made for (its CSI driver writes it into the description). NULL: it
 * is none of a claim, such as a node's. */
static const char *claim_of(struct sweep *s, const struct value *disk)
{
    return platform_claim_of(
        s->a, template_transform(s->a, TRANSFORM_JSON_PARSE, value_get(disk, "description")));
}

/* One that is asked for goes, when nobody uses it; the others are noted. */
static void sweep_disk(struct sweep *s, const struct value *disk)
{
    const struct value *asked = config_get(s->c->config, "leftovers.volumes");
    const char *claim = claim_of(s, disk), *why = "";
    bool free = value_count(value_get(disk, "users")) == 0;
    bool wanted = claim && asked && value_has_text(asked, claim);
    if (!claim || (wanted && free && remove_one(s, &delete_disk, value_get(disk, "selfLink")) == 0))
        return;
    if (wanted)
        why = free ? s->error.message : "it is in use";
    buf_printf(
        &s->text, "\n%s, %s GB, of the claim %s%s%s", relative(s, value_get(disk, "selfLink")),
        value_cstr(template_transform(s->a, TRANSFORM_STRING, value_get(disk, "sizeGb")), "?"),
        claim, why && *why ? ": " : "", why ? why : "");
}

/* Data is kept unless somebody says otherwise: what is not removed is no error, but is said. A
 * cluster's name is unique in its region alone, so both labels prove that a disk is its own. */
static void sweep_disks(struct sweep *s)
{
    const char *filter = arena_printf(
        s->a, "(labels.goog-k8s-cluster-name = %s) AND (labels.goog-k8s-cluster-location = %s)",
        s->cluster, s->c->region);
    const struct value *all =
        filter ? list(s, &list_disks, "items.*.disks.*", "filter", filter) : NULL;
    buf_reset(&s->text);
    for (size_t i = 0; i < value_count(all); i++)
        sweep_disk(s, value_at(all, i));
    if (!all)
        diags_warning(s->c->diags, NULL, "Disks of the cluster were not looked for", "%s",
                      filter && s->error.message ? s->error.message : "Memory ran out.");
    else if (s->text.len)
        diags_warning(s->c->diags, NULL, "The cluster has left disks",
                      "They hold data, and go on costing money:%s\nRemove what is not needed with: "
                      "gcloud compute disks delete … --zone … --project %s (`leftovers.volumes` "
                      "names claims whose disks a destroy removes.)",
                      buf_cstr(&s->text), s->c->account);
}

int platform_gcp_destroy(const struct composite_context *c, const char *what,
                         const struct value *attrs)
{
    struct sweep s = {.c = c,
                      .a = c->arena,
                      .cluster = value_cstr(value_get(attrs, "cluster_name"), NULL),
                      .network = value_cstr(value_get(attrs, "network"), NULL),
                      .text = BUF_INIT(TEXT_MOST)};
    if (strcmp(what, "leftovers") != 0 || !s.cluster || !s.network)
        return 0;
    int rc = value_true(value_get(attrs, "whole")) ? clear(&s) : 0;
    if (rc == 0)
        sweep_disks(&s);
    buf_clean_up(&s.text);
    return rc;
}
