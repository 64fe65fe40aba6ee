/* What a cluster has made by itself in its network, and nobody removes when the cluster is gone:
 * load balancers and their target groups, security groups, network interfaces, and volumes. It goes
 * between
 * the cluster and the network, and only what tags prove to be this cluster's; what else keeps a
 * network that is to be destroyed is listed, with who holds it. */
#include "resources/platform_cluster_aws.h"

#include <string.h>

#include "cloud/template.h"

enum {
    PAGES_MOST = 64,
    TAGS_AT_ONCE = 20, /* Elastic Load Balancing API Reference, DescribeTags */
    PAUSE_MS = 3000,
    PATIENCE_MS = 600000, /* interfaces of a load balancer go minutes after it */
    MACHINES_MS = 120000, /* those of a machine with it */
    TEXT_MOST = 32768
};

struct list_call {
    struct cloud_operation op;
    const char *items, *token, *next; /* where the objects are; the page's names */
};

static const struct list_call list_balancers = {
    {.service = "elbv2", .name = "DescribeLoadBalancers", .idempotent = true},
    "LoadBalancers.*",
    "Marker",
    "NextMarker"};
static const struct list_call list_classic = {
    {.service = "elb", .name = "DescribeLoadBalancers", .idempotent = true},
    "LoadBalancerDescriptions.*",
    "Marker",
    "NextMarker"};
static const struct list_call list_targets = {
    {.service = "elbv2", .name = "DescribeTargetGroups", .idempotent = true},
    "TargetGroups.*",
    "Marker",
    "NextMarker"};
static const struct list_call list_interfaces = {
    {.service = "ec2", .name = "DescribeNetworkInterfaces", .idempotent = true},
    "networkInterfaceSet.*",
    "NextToken",
    "nextToken"};
static const struct list_call list_groups = {
    {.service = "ec2", .name = "DescribeSecurityGroups", .idempotent = true},
    "securityGroupInfo.*",
    "NextToken",
    "nextToken"};

/* One kind of object with tags in Elastic Load Balancing. */
struct balanced {
    const struct list_call *list;
    struct cloud_operation tags, destroy;
    const char *vpc, *id; /* paths in an object */
    const char *ids, *one,
        *tagged; /* members: of the tags' request, of the deletion's, of the tags' answer */
    const char *words;
};

static const struct balanced kinds[] = {
    {&list_balancers,
     {.service = "elbv2", .name = "DescribeTags", .idempotent = true},
     {.service = "elbv2", .name = "DeleteLoadBalancer", .idempotent = true},
     "VpcId",
     "LoadBalancerArn",
     "ResourceArns",
     "LoadBalancerArn",
     "ResourceArn",
     "load balancer"},
    {&list_classic,
     {.service = "elb", .name = "DescribeTags", .idempotent = true},
     {.service = "elb", .name = "DeleteLoadBalancer", .idempotent = true},
     "VPCId",
     "LoadBalancerName",
     "LoadBalancerNames",
     "LoadBalancerName",
     "LoadBalancerName",
     "load balancer"},
    {&list_targets,
     {.service = "elbv2", .name = "DescribeTags", .idempotent = true},
     {.service = "elbv2", .name = "DeleteTargetGroup", .idempotent = true},
     "VpcId",
     "TargetGroupArn",
     "ResourceArns",
     "TargetGroupArn",
     "ResourceArn",
     "target group"},
};

/* One sweep over a network. */
struct sweep {
    const struct composite_context *c;
    struct arena *a;
    const char *cluster, *vpc;
    bool whole;     /* the network itself goes too */
    int64_t age_ms; /* since the first sweep */
    size_t waits;   /* ours, and still there */
    size_t strangers;
    struct buf text; /* what is still there */
    struct cloud_error error;
};

/* ---- calls ---- */

static int call(struct sweep *s, const struct cloud_operation *op, const struct value *request,
                const struct value **ret)
{
    return composite_call(s->c, s->a, op, request, ret, &s->error);
}

static int call_with(struct sweep *s, const struct cloud_operation *op, const char *member,
                     const struct value *v)
{
    const struct value_member m = {slice_str(member), v};
    const struct value *answer = NULL;
    return call(s, op, value_object(s->a, &m, 1), &answer);
}

/* All pages. NULL with s->error. */
static const struct value *list(struct sweep *s, const struct list_call *l,
                                const struct value *request)
{
    const struct value *all = value_tuple(s->a, NULL, 0), *answer = NULL;
    for (int page = 0; page < PAGES_MOST && all; page++) {
        if (call(s, &l->op, request, &answer) < 0)
            return NULL;
        all = value_tuple_join(s->a, all, template_select(s->a, answer, l->items));
        const struct value *next = value_get(answer, l->next);
        if (!value_slice(next).len)
            break;
        request = value_with(s->a, request, l->token, next);
    }
    return all;
}

static const struct value *in_vpc(struct sweep *s)
{
    const struct value *vpc = value_str(s->a, s->vpc);
    const struct value_member m = {SLICE_LIT("Filter"), aws_filter(s->a, "vpc-id", &vpc, 1)};
    return value_object(s->a, &m, 1);
}

/* ---- whose it is ---- */

static bool has_tag(const struct value *tags, const char *key, const char *value)
{
    return slice_eq_str(value_slice(value_get(tags, key)), value);
}

/* AWS Load Balancer Controller, "Resource tags"; Kubernetes cloud provider for AWS; Amazon VPC CNI,
 * "Cluster name tag". */
static bool is_ours(struct sweep *s, const struct value *tags)
{
    const char *owned = arena_printf(s->a, "kubernetes.io/cluster/%s", s->cluster);
    return has_tag(tags, "elbv2.k8s.aws/cluster", s->cluster) ||
           has_tag(tags, "cluster.k8s.amazonaws.com/name", s->cluster) ||
           (owned && has_tag(tags, owned, "owned"));
}

static const struct value *tags_of(struct sweep *s, const struct value *item)
{
    return template_transform(s->a, TRANSFORM_TAGS_MAP, value_get(item, "tagSet"));
}

static void still(struct sweep *s, size_t *count, const char *words, const char *id,
                  const char *holder)
{
    buf_printf(&s->text, "%s%s %s%s%s", s->text.len ? "\n" : "", words, id, *holder ? ": " : "",
               holder);
    ++*count;
}

/* ---- load balancers and target groups ---- */

static const struct value *tags_by_id(struct sweep *s, const struct balanced *k,
                                      const struct value *items, size_t from)
{
    const struct value *ids[TAGS_AT_ONCE], *answer = NULL;
    size_t n = 0;
    for (size_t i = from; i < value_count(items) && n < TAGS_AT_ONCE; i++)
        ids[n++] = value_get(value_at(items, i), k->id);
    const struct value_member m = {slice_str(k->ids), value_tuple(s->a, ids, n)};
    if (call(s, &k->tags, value_object(s->a, &m, 1), &answer) < 0)
        return NULL;
    return template_select(s->a, answer, "TagDescriptions.*");
}

static const struct value *tags_in(struct sweep *s, const struct balanced *k,
                                   const struct value *descriptions, const struct value *id)
{
    for (size_t i = 0; i < value_count(descriptions); i++)
        if (value_equal(value_get(value_at(descriptions, i), k->tagged), id))
            return template_transform(s->a, TRANSFORM_TAGS_MAP,
                                      value_get(value_at(descriptions, i), "Tags"));
    return NULL;
}

static int sweep_one(struct sweep *s, const struct balanced *k, const struct value *id,
                     const struct value *tags)
{
    const char *text = value_cstr(id, "");
    if (!is_ours(s, tags)) {
        if (s->whole && k->list != &list_targets)
            still(s, &s->strangers, k->words, text, "its tags do not name this cluster");
        return 0;
    }
    still(s, &s->waits, k->words, text, "is being deleted");
    if (call_with(s, &k->destroy, k->one, id) == 0)
        return 0;
    /* A target group is in use until its load balancer is gone. */
    bool passes = s->error.code && strstr(s->error.code, "ResourceInUse");
    return passes || s->error.class_ == CLOUD_ERROR_NOT_FOUND ? 0 : -1;
}

static int sweep_balanced(struct sweep *s, const struct balanced *k)
{
    const struct value *all = list(s, k->list, value_object(s->a, NULL, 0)), *descriptions = NULL;
    const struct value *here = value_tuple(s->a, NULL, 0);
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *item = value_at(all, i);
        if (slice_eq_str(value_slice(value_get(item, k->vpc)), s->vpc))
            here = value_tuple_join(s->a, here, value_tuple(s->a, &item, 1));
    }
    for (size_t i = 0; i < value_count(here); i++) {
        if (i % TAGS_AT_ONCE == 0 && !(descriptions = tags_by_id(s, k, here, i)))
            return -1;
        const struct value *id = value_get(value_at(here, i), k->id);
        if (sweep_one(s, k, id, tags_in(s, k, descriptions, id)) < 0)
            return -1;
    }
    return all && here ? 0 : -1;
}

/* ---- network interfaces ---- */

static const struct cloud_operation delete_interface = {
    .service = "ec2", .name = "DeleteNetworkInterface", .idempotent = true};

/* Of a NAT gateway that goes with the network. */
static bool is_of_our_nat(const struct sweep *s, const struct value *item)
{
    const char *words = value_cstr(value_get(item, "description"), "");
    const struct records *r = s->c->records;
    for (size_t i = 0; i < r->count; i++) {
        const char *id = value_cstr(value_get(r->items[i].attrs, "id"), "-");
        if (strncmp(r->items[i].name, "nat_gateway.", 12) == 0 && strstr(words, id))
            return true;
    }
    return false;
}

static const char *holder_of(struct sweep *s, const struct value *item)
{
    const char *instance = value_cstr(template_select(s->a, item, "attachment.instanceId"), NULL);
    const char *requester = value_cstr(value_get(item, "requesterId"), NULL),
               *words = value_cstr(value_get(item, "description"), "");
    return arena_printf(s->a, "\"%s\", held by %s", words,
                        instance    ? instance
                        : requester ? requester
                                    : value_cstr(value_get(item, "ownerId"), "nobody"));
}

/* Control planes, load balancers and machines take theirs along, a little later. */
static bool goes_by_itself(struct sweep *s, const struct value *item)
{
    const char *words = value_cstr(value_get(item, "description"), "");
    const char *eks = arena_printf(s->a, "Amazon EKS %s", s->cluster);
    bool machine = value_slice(template_select(s->a, item, "attachment.instanceId")).len > 0;
    return (eks && strcmp(words, eks) == 0) || (machine && s->age_ms < MACHINES_MS) ||
           (strncmp(words, "ELB ", 4) == 0 && !s->strangers);
}

static int sweep_interface(struct sweep *s, const struct value *item)
{
    const struct value *id = value_get(item, "networkInterfaceId");
    const char *text = value_cstr(id, "");
    bool ours = is_ours(s, tags_of(s, item)),
         free = slice_eq_str(value_slice(value_get(item, "status")), "available");
    if (is_of_our_nat(s, item) || (!ours && !s->whole))
        return 0;
    if (!ours) {
        still(s, goes_by_itself(s, item) ? &s->waits : &s->strangers, "network interface", text,
              holder_of(s, item));
        return 0;
    }
    still(s, &s->waits, "network interface", text, holder_of(s, item));
    if (!free || call_with(s, &delete_interface, "NetworkInterfaceId", id) == 0)
        return 0;
    return s->error.class_ == CLOUD_ERROR_NOT_FOUND || s->error.class_ == CLOUD_ERROR_DEPENDENCY ||
                   s->error.class_ == CLOUD_ERROR_CONFLICT
               ? 0
               : -1;
}

static int sweep_interfaces(struct sweep *s)
{
    const struct value *all = list(s, &list_interfaces, in_vpc(s));
    for (size_t i = 0; i < value_count(all); i++)
        if (sweep_interface(s, value_at(all, i)) < 0)
            return -1;
    return all ? 0 : -1;
}

/* ---- security groups ---- */

static const struct cloud_operation delete_group = {
    .service = "ec2", .name = "DeleteSecurityGroup", .idempotent = true};
static const struct cloud_operation revoke_ingress = {
    .service = "ec2", .name = "RevokeSecurityGroupIngress", .idempotent = true};
static const struct cloud_operation describe_rules = {
    .service = "ec2", .name = "DescribeSecurityGroupRules", .idempotent = true};

/* Rules that let in other groups keep those groups: they go first. */
static int drop_rules(struct sweep *s, const struct value *id)
{
    const struct value *answer = NULL, *ids = value_tuple(s->a, NULL, 0);
    const struct value_member m = {SLICE_LIT("Filter"), aws_filter(s->a, "group-id", &id, 1)};
    if (call(s, &describe_rules, value_object(s->a, &m, 1), &answer) < 0)
        return -1;
    const struct value *rules = template_select(s->a, answer, "securityGroupRuleSet.*");
    for (size_t i = 0; i < value_count(rules); i++) {
        const struct value *rule = value_get(value_at(rules, i), "securityGroupRuleId");
        bool egress =
            slice_eq_str(value_slice(template_transform(s->a, TRANSFORM_STRING,
                                                        value_get(value_at(rules, i), "isEgress"))),
                         "true");
        if (!egress)
            ids = value_tuple_join(s->a, ids, value_tuple(s->a, &rule, 1));
    }
    const struct value_member revoke[] = {{SLICE_LIT("GroupId"), id},
                                          {SLICE_LIT("SecurityGroupRuleId"), ids}};
    if (!value_count(ids))
        return 0;
    return call(s, &revoke_ingress, value_object(s->a, revoke, 2), &answer);
}

static int sweep_group(struct sweep *s, const struct value *item)
{
    const struct value *id = value_get(item, "groupId"), *tags = tags_of(s, item);
    const char *name = value_cstr(value_get(item, "groupName"), "");
    const char *text = arena_printf(s->a, "%s (\"%s\")", value_cstr(id, ""), name) ?: "";
    const struct value *owner = s->c->driver->owner_tags(
        s->a, PLATFORM_CLUSTER_TYPE, value_get(s->c->config, "name"), "security_group");
    if (strcmp(name, "default") == 0 ||
        value_equal(value_get(tags, "llm:resource"), value_get(owner, "llm:resource")))
        return 0;
    if (!is_ours(s, tags)) {
        if (s->whole)
            still(s, &s->strangers, "security group", text, "");
        return 0;
    }
    still(s, &s->waits, "security group", text, "");
    if (drop_rules(s, id) < 0 || call_with(s, &delete_group, "GroupId", id) < 0)
        return s->error.class_ == CLOUD_ERROR_NOT_FOUND || s->error.class_ == CLOUD_ERROR_DEPENDENCY
                   ? 0
                   : -1;
    return 0;
}

static int sweep_groups(struct sweep *s)
{
    const struct value *all = list(s, &list_groups, in_vpc(s));
    for (size_t i = 0; i < value_count(all); i++)
        if (sweep_group(s, value_at(all, i)) < 0)
            return -1;
    return all ? 0 : -1;
}

/* ---- volumes ---- */

static const struct list_call list_volumes = {
    {.service = "ec2", .name = "DescribeVolumes", .idempotent = true},
    "volumeSet.*",
    "NextToken",
    "nextToken"};
static const struct cloud_operation delete_volume = {
    .service = "ec2", .name = "DeleteVolume", .idempotent = true};

/* One that is asked for goes, when nobody uses it; the others are noted. */
static void sweep_volume(struct sweep *s, const struct value *item)
{
    const struct value *id = value_get(item, "volumeId"), *tags = tags_of(s, item);
    const struct value *asked = config_get(s->c->config, "leftovers.volumes");
    /* Amazon EBS CSI driver, "Tagging" */
    const char *claim = platform_claim_of(s->a, tags), *why = "";
    bool free = slice_eq_str(value_slice(value_get(item, "status")), "available");
    bool wanted = claim && asked && value_has_text(asked, claim);
    if (!is_ours(s, tags))
        return;
    if (wanted && free &&
        (call_with(s, &delete_volume, "VolumeId", id) == 0 ||
         s->error.class_ == CLOUD_ERROR_NOT_FOUND))
        return;
    if (wanted)
        why = free ? s->error.message : "it is in use";
    buf_printf(&s->text, "\n%s, %s GiB, %s%s%s%s", value_cstr(id, ""),
               value_cstr(template_transform(s->a, TRANSFORM_STRING, value_get(item, "size")), "?"),
               claim ? "of the claim " : "of no claim", claim ? claim : "", *why ? ": " : "", why);
}

/* Data is kept unless somebody says otherwise: what is not removed is no error, but is said. */
static void sweep_volumes(struct sweep *s)
{
    const char *key = arena_printf(s->a, "tag:kubernetes.io/cluster/%s", s->cluster);
    const struct value *owned = value_str(s->a, "owned");
    const struct value_member m = {SLICE_LIT("Filter"), aws_filter(s->a, key, &owned, 1)};
    const struct value *all = key ? list(s, &list_volumes, value_object(s->a, &m, 1)) : NULL;
    buf_reset(&s->text);
    for (size_t i = 0; i < value_count(all); i++)
        sweep_volume(s, value_at(all, i));
    if (!all)
        diags_warning(s->c->diags, NULL, "Volumes of the cluster were not looked for", "%s",
                      key && s->error.message ? s->error.message : "Memory ran out.");
    else if (s->text.len)
        diags_warning(s->c->diags, NULL, "The cluster has left volumes",
                      "They hold data, and go on costing money:%s\nRemove what is not needed with: "
                      "aws ec2 delete-volume --region %s --volume-id … (`leftovers.volumes` names "
                      "claims whose volumes a destroy removes.)",
                      buf_cstr(&s->text), s->c->region);
}

/* ---- all of it ---- */

static int sweep_all(struct sweep *s)
{
    s->waits = s->strangers = 0;
    buf_reset(&s->text);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (sweep_balanced(s, &kinds[i]) < 0)
            return -1;
    return sweep_interfaces(s) < 0 || sweep_groups(s) < 0 ? -1 : 0;
}

static int refuse(const struct sweep *s)
{
    return diags_error(s->c->diags, NULL, "The network is still in use",
                       "%s cannot be removed as long as this is in it:\n%s\nWhat tags name as the "
                       "cluster's was removed. Remove the rest, and run destroy again.",
                       s->vpc, buf_cstr(&s->text));
}

/* Until nothing of the cluster is left, which may take minutes. */
static int clear(struct sweep *s)
{
    const struct clock *clock = s->c->work->clock;
    int64_t start = clock->monotonic_ms(clock->self);
    for (;;) {
        s->age_ms = clock->monotonic_ms(clock->self) - start;
        if (sweep_all(s) < 0)
            return cloud_error_report(s->c->diags, NULL, "clearing away what the cluster has left",
                                      &s->error);
        if (!s->waits)
            return s->strangers ? refuse(s) : 0;
        if (s->age_ms > PATIENCE_MS || work_left_ms(s->c->work) <= PAUSE_MS ||
            clock->sleep_ms(clock->self, s->age_ms ? PAUSE_MS : PAUSE_MS / 10, s->c->work->cancel) <
                0)
            return refuse(s);
    }
}

int platform_aws_destroy(const struct composite_context *c, const char *what,
                         const struct value *attrs)
{
    struct sweep s = {.c = c,
                      .a = c->arena,
                      .cluster = value_cstr(value_get(attrs, "cluster_name"), NULL),
                      .vpc = value_cstr(value_get(attrs, "vpc_id"), NULL),
                      .whole = value_true(value_get(attrs, "whole")),
                      .text = BUF_INIT(TEXT_MOST)};
    if (strcmp(what, "leftovers") != 0 || !s.cluster || !s.vpc)
        return 0;
    int rc = clear(&s);
    if (rc == 0)
        sweep_volumes(&s);
    buf_clean_up(&s.text);
    return rc;
}
