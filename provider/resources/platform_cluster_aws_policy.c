/* The documents of a platform: rights of workloads and of controllers, rules of registries, the
 * dashboard. */
#include "resources/platform_cluster_aws.h"

#include <ctype.h>
#include <string.h>

enum { DOCUMENT_MOST = 64 << 10 };

/* ---- rights ---- */

/* Members of a list: ARNs of SageMaker objects of one kind, which are in lower case. */
static void endpoint_arns(struct buf *b, const struct platform_aws *p, const char *kind,
                          const struct value *patterns)
{
    for (size_t i = 0; i < value_count(patterns); i++) {
        struct slice s = value_slice(value_at(patterns, i));
        buf_printf(b, "%s\"arn:%s:sagemaker:%s:%s:%s/", i ? "," : "", p->partition, p->region,
                   p->account, kind);
        for (size_t k = 0; k < s.len; k++)
            buf_append_char(b, (char)tolower((unsigned char)s.ptr[k]));
        buf_append_char(b, '"');
    }
}

const struct value *platform_aws_workload_policy(struct platform_aws *p,
                                                 const struct value *workload)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST), endpoints = BUF_INIT(DOCUMENT_MOST),
                             configs = BUF_INIT(DOCUMENT_MOST);
    const struct value *patterns = value_get(workload, "invoke_endpoints"),
                       *metrics = value_get(workload, "metrics");
    bool known = (!patterns || value_is_wholly_known(patterns)) && !value_is_unknown(metrics);
    bool any = value_count(patterns) || value_true(metrics);
    if (!known || (any && (!p->region || !p->account)))
        return platform_unknown(p->d);
    if (!any)
        return value_str(p->d->a, "");
    aws_policy_begin(&b);
    endpoint_arns(&endpoints, p, "endpoint", patterns);
    endpoint_arns(&configs, p, "endpoint-config", patterns);
    if (value_count(patterns)) {
        aws_policy_allow(
            &b, "Endpoints",
            "\"sagemaker:InvokeEndpoint\",\"sagemaker:InvokeEndpointWithResponseStream\","
            "\"sagemaker:DescribeEndpoint\"",
            buf_cstr(&endpoints), "");
        aws_policy_allow(&b, "EndpointConfigs", "\"sagemaker:DescribeEndpointConfig\"",
                         buf_cstr(&configs), "");
    }
    if (value_true(metrics)) {
        aws_policy_allow(&b, "Metrics", "\"cloudwatch:PutMetricData\"", "\"*\"", "");
        aws_policy_allow(&b, "Logs",
                         "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\","
                         "\"logs:DescribeLogStreams\"",
                         arena_printf(p->d->a, "\"arn:%s:logs:%s:%s:log-group:*\"", p->partition,
                                      p->region, p->account),
                         "");
    }
    return endpoints.failed || configs.failed ? NULL : aws_policy_end(p->d->a, &b);
}

/* Kubernetes autoscaler, "Cluster Autoscaler on AWS", "IAM policy": managed node groups carry the
 * tag of their cluster. */
const struct value *platform_aws_autoscaler_policy(struct platform_aws *p)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST);
    if (!p->d->name)
        return platform_unknown(p->d);
    aws_policy_begin(&b);
    aws_policy_allow(
        &b, "Look",
        "\"autoscaling:DescribeAutoScalingGroups\",\"autoscaling:DescribeAutoScalingInstances\","
        "\"autoscaling:DescribeLaunchConfigurations\","
        "\"autoscaling:DescribeScalingActivities\",\"autoscaling:DescribeTags\","
        "\"ec2:DescribeImages\",\"ec2:DescribeInstanceTypes\","
        "\"ec2:DescribeLaunchTemplateVersions\",\"ec2:GetInstanceTypesFromInstanceRequirements\","
        "\"eks:DescribeNodegroup\"",
        "\"*\"", "");
    aws_policy_allow(
        &b, "Scale",
        "\"autoscaling:SetDesiredCapacity\",\"autoscaling:TerminateInstanceInAutoScalingGroup\"",
        "\"*\"",
        arena_printf(p->d->a,
                     "\"StringEquals\":{\"aws:ResourceTag/k8s.io/cluster-autoscaler/%s\":"
                     "\"owned\"}",
                     p->d->name));
    return aws_policy_end(p->d->a, &b);
}

#define LB_LOOK                                                                                    \
    "\"ec2:DescribeAccountAttributes\",\"ec2:DescribeAddresses\","                                 \
    "\"ec2:DescribeAvailabilityZones\",\"ec2:DescribeCoipPools\",\"ec2:DescribeInstances\","       \
    "\"ec2:DescribeInternetGateways\",\"ec2:DescribeIpamPools\","                                  \
    "\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeRouteTables\","                               \
    "\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeTags\","                 \
    "\"ec2:DescribeVpcPeeringConnections\",\"ec2:DescribeVpcs\","                                  \
    "\"ec2:GetCoipPoolUsage\",\"ec2:GetSecurityGroupsForVpc\","                                    \
    "\"elasticloadbalancing:Describe*\",\"acm:DescribeCertificate\",\"acm:ListCertificates\","     \
    "\"cognito-idp:DescribeUserPoolClient\",\"iam:GetServerCertificate\","                         \
    "\"iam:ListServerCertificates\",\"shield:DescribeProtection\","                                \
    "\"shield:GetSubscriptionState\",\"waf-regional:GetWebACL\","                                  \
    "\"waf-regional:GetWebACLForResource\",\"wafv2:GetWebACL\",\"wafv2:GetWebACLForResource\""
#define LB_PROTECT                                                                                 \
    "\"shield:CreateProtection\",\"shield:DeleteProtection\","                                     \
    "\"waf-regional:AssociateWebACL\",\"waf-regional:DisassociateWebACL\","                        \
    "\"wafv2:AssociateWebACL\",\"wafv2:DisassociateWebACL\","                                      \
    "\"elasticloadbalancing:SetWebAcl\""
#define LB_CREATE                                                                                  \
    "\"elasticloadbalancing:CreateLoadBalancer\",\"elasticloadbalancing:CreateTargetGroup\""
#define LB_RULES                                                                                   \
    "\"elasticloadbalancing:CreateListener\",\"elasticloadbalancing:DeleteListener\","             \
    "\"elasticloadbalancing:CreateRule\",\"elasticloadbalancing:DeleteRule\","                     \
    "\"elasticloadbalancing:ModifyListener\",\"elasticloadbalancing:ModifyRule\","                 \
    "\"elasticloadbalancing:SetRulePriorities\","                                                  \
    "\"elasticloadbalancing:AddListenerCertificates\","                                            \
    "\"elasticloadbalancing:RemoveListenerCertificates\""
#define LB_CHANGE                                                                                  \
    "\"elasticloadbalancing:ModifyLoadBalancerAttributes\","                                       \
    "\"elasticloadbalancing:ModifyListenerAttributes\","                                           \
    "\"elasticloadbalancing:ModifyCapacityReservation\","                                          \
    "\"elasticloadbalancing:ModifyIpPools\","                                                      \
    "\"elasticloadbalancing:SetIpAddressType\",\"elasticloadbalancing:SetSecurityGroups\","        \
    "\"elasticloadbalancing:SetSubnets\",\"elasticloadbalancing:DeleteLoadBalancer\","             \
    "\"elasticloadbalancing:ModifyTargetGroup\","                                                  \
    "\"elasticloadbalancing:ModifyTargetGroupAttributes\","                                        \
    "\"elasticloadbalancing:DeleteTargetGroup\""

/* Conditions and objects of the controller's rights. */
struct balancing {
    const char *name; /* of the cluster */
    const char *asked, *owned;
    const char *groups, *balancers, *targets, *rules;
};

static struct balancing balancing_of(struct arena *a, const char *arn, const char *name)
{
    return (struct balancing){
        .name = name,
        .asked = arena_printf(
            a, "\"StringEquals\":{\"aws:RequestTag/elbv2.k8s.aws/cluster\":\"%s\"}", name),
        .owned = arena_printf(
            a, "\"StringEquals\":{\"aws:ResourceTag/elbv2.k8s.aws/cluster\":\"%s\"}", name),
        .groups = arena_printf(a, "\"arn:%s:ec2:*:*:security-group/*\"", arn),
        .balancers = arena_printf(a,
                                  "\"arn:%s:elasticloadbalancing:*:*:targetgroup/*/*\","
                                  "\"arn:%s:elasticloadbalancing:*:*:loadbalancer/net/*/*\","
                                  "\"arn:%s:elasticloadbalancing:*:*:loadbalancer/app/*/*\"",
                                  arn, arn, arn),
        .targets = arena_printf(a, "\"arn:%s:elasticloadbalancing:*:*:targetgroup/*/*\"", arn),
        .rules = arena_printf(a,
                              "\"arn:%s:elasticloadbalancing:*:*:listener/*/*/*\","
                              "\"arn:%s:elasticloadbalancing:*:*:listener-rule/*/*/*\"",
                              arn, arn),
    };
}

static void allow_groups(struct buf *b, struct arena *a, const struct balancing *x)
{
    aws_policy_allow(b, "Ingress",
                     "\"ec2:AuthorizeSecurityGroupIngress\",\"ec2:RevokeSecurityGroupIngress\","
                     "\"ec2:CreateSecurityGroup\"",
                     "\"*\"", "");
    aws_policy_allow(b, "TagNewGroup", "\"ec2:CreateTags\"", x->groups,
                     arena_printf(a,
                                  "\"StringEquals\":{\"ec2:CreateAction\":\"CreateSecurityGroup\","
                                  "\"aws:RequestTag/elbv2.k8s.aws/cluster\":\"%s\"}",
                                  x->name));
    aws_policy_allow(b, "TagGroup", "\"ec2:CreateTags\",\"ec2:DeleteTags\"", x->groups, x->owned);
    aws_policy_allow(b, "OwnGroup", "\"ec2:DeleteSecurityGroup\"", "\"*\"", x->owned);
}

static void allow_balancers(struct buf *b, struct arena *a, const struct balancing *x)
{
    static const char tags[] =
        "\"elasticloadbalancing:AddTags\",\"elasticloadbalancing:RemoveTags\"";
    aws_policy_allow(b, "Create", LB_CREATE, "\"*\"", x->asked);
    aws_policy_allow(b, "Rules", LB_RULES, "\"*\"", "");
    aws_policy_allow(b, "TagNew", "\"elasticloadbalancing:AddTags\"", x->balancers,
                     arena_printf(a,
                                  "\"StringEquals\":{\"elasticloadbalancing:CreateAction\":["
                                  "\"CreateTargetGroup\",\"CreateLoadBalancer\"],"
                                  "\"aws:RequestTag/elbv2.k8s.aws/cluster\":\"%s\"}",
                                  x->name));
    aws_policy_allow(b, "Tag", tags, x->balancers, x->owned);
    aws_policy_allow(b, "TagRules", tags, x->rules, "");
    aws_policy_allow(b, "Change", LB_CHANGE, "\"*\"", x->owned);
    aws_policy_allow(
        b, "Targets",
        "\"elasticloadbalancing:RegisterTargets\",\"elasticloadbalancing:DeregisterTargets\"",
        x->targets, "");
}

/* AWS Load Balancer Controller, docs/install/iam_policy.json, with this cluster's name where the
 * published one takes any cluster's. */
const struct value *platform_aws_load_balancer_policy(struct platform_aws *p)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST);
    if (!p->d->name || !p->partition)
        return platform_unknown(p->d);
    const struct balancing x = balancing_of(p->d->a, p->partition, p->d->name);
    aws_policy_begin(&b);
    aws_policy_allow(
        &b, "ServiceRole", "\"iam:CreateServiceLinkedRole\"", "\"*\"",
        "\"StringEquals\":{\"iam:AWSServiceName\":\"elasticloadbalancing.amazonaws.com\"}");
    aws_policy_allow(&b, "Look", LB_LOOK, "\"*\"", "");
    aws_policy_allow(&b, "Protect", LB_PROTECT, "\"*\"", "");
    allow_groups(&b, p->d->a, &x);
    allow_balancers(&b, p->d->a, &x);
    return aws_policy_end(p->d->a, &b);
}

/* ---- registries ---- */

const struct value *platform_aws_lifecycle(struct arena *a, const struct value *registries)
{
    static const char usual[] = "\"v\",\"sha-\",\"main\",\"develop\",\"dev-\"";
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST), prefixes = BUF_INIT(DOCUMENT_MOST);
    const struct value *own = value_get(registries, "tag_prefixes");
    long long keep = value_int_or(value_get(registries, "keep_tagged"), 15),
              days = value_int_or(value_get(registries, "untagged_days"), 7);
    for (size_t i = 0; i < value_count(own); i++) {
        buf_append_str(&prefixes, i ? ",\"" : "\"");
        buf_append_json_escaped(&prefixes, value_slice(value_at(own, i)));
        buf_append_char(&prefixes, '"');
    }
    buf_printf(&b,
               "{\"rules\":[{\"rulePriority\":1,\"description\":\"Keep the last %lld tagged "
               "images\",\"selection\":{\"tagStatus\":\"tagged\",\"tagPrefixList\":[%s],"
               "\"countType\":\"imageCountMoreThan\",\"countNumber\":%lld},\"action\":"
               "{\"type\":\"expire\"}},",
               keep, prefixes.len ? buf_cstr(&prefixes) : usual, keep);
    buf_printf(&b,
               "{\"rulePriority\":2,\"description\":\"Remove untagged images after %lld "
               "days\",\"selection\":{\"tagStatus\":\"untagged\",\"countType\":"
               "\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":%lld},\"action\":"
               "{\"type\":\"expire\"}}]}",
               days, days);
    return prefixes.failed ? NULL : derived_json(a, &b);
}

/* ---- dashboard ---- */

enum { WIDGET_WIDTH = 12, WIDGET_HEIGHT = 6 };

struct board {
    struct buf text;
    size_t count;
    const char *region;
};

/* A graph; `metrics` are members of a JSON list. */
static void add_graph(struct board *d, const char *title, const char *metrics)
{
    size_t x = d->count % 2 * WIDGET_WIDTH, y = d->count / 2 * WIDGET_HEIGHT;
    buf_printf(&d->text,
               "%s{\"type\":\"metric\",\"x\":%zu,\"y\":%zu,\"width\":%d,\"height\":%d,"
               "\"properties\":{\"title\":\"%s\",\"region\":\"%s\",\"view\":\"timeSeries\","
               "\"stacked\":false,\"period\":300,\"metrics\":[%s]}}",
               d->count ? "," : "", x, y, WIDGET_WIDTH, WIDGET_HEIGHT, title, d->region, metrics);
    d->count++;
}

/* What a pool's machines do: its Auto Scaling group has the pool's name in its own. */
static const char *search(struct arena *a, const char *metric, const char *key,
                          const char *statistic)
{
    return arena_printf(a,
                        "[{\"expression\":\"SEARCH('{AWS/EC2,AutoScalingGroupName} "
                        "MetricName=\\\"%s\\\" eks-%s', '%s', 300)\",\"label\":\"%s\"}]",
                        metric, key, statistic, metric);
}

static void add_pools(struct platform_aws *p, struct board *b)
{
    struct platform_pools pools;
    struct arena *a = p->d->a;
    platform_pools(a, p->d->cloud, p->d->config, &pools);
    for (size_t i = 0; i < pools.count; i++) {
        const struct platform_pool *pool = &pools.items[i];
        const char *key = platform_pool_key(a, pool);
        const char *cpu = key ? search(a, "CPUUtilization", key, "Average") : NULL,
                   *in = key ? search(a, "NetworkIn", key, "Sum") : NULL,
                   *out = key ? search(a, "NetworkOut", key, "Sum") : NULL;
        b->text.failed |= !cpu || !in || !out;
        if (b->text.failed)
            return;
        add_graph(b, arena_printf(a, "%.*s: processors (%%)", (int)pool->name.len, pool->name.ptr),
                  cpu);
        add_graph(b, arena_printf(a, "%.*s: network (bytes)", (int)pool->name.len, pool->name.ptr),
                  arena_printf(a, "%s,%s", in, out));
    }
}

static void add_control_plane(struct platform_aws *p, struct board *b)
{
    const char *name = p->d->name;
    add_graph(b, "API server: requests",
              arena_printf(p->d->a,
                           "[\"AWS/EKS\",\"apiserver_request_total\",\"ClusterName\",\"%s\","
                           "{\"stat\":\"Sum\"}],"
                           "[\"AWS/EKS\",\"apiserver_request_total_5XX\",\"ClusterName\",\"%s\","
                           "{\"stat\":\"Sum\"}]",
                           name, name));
    add_graph(b, "Scheduler: pods that wait",
              arena_printf(p->d->a,
                           "[\"AWS/EKS\",\"scheduler_pending_pods\",\"ClusterName\",\"%s\","
                           "{\"stat\":\"Maximum\"}]",
                           name));
    if (platform_aws_bool(p->d, "observability.gpu_metrics", false))
        add_graph(b, "GPUs (%)",
                  arena_printf(p->d->a,
                               "[{\"expression\":\"SEARCH('{ContainerInsights,ClusterName,"
                               "InstanceId,NodeName} MetricName=\\\"node_gpu_utilization\\\" "
                               "ClusterName=\\\"%s\\\"', 'Average', 300)\"}]",
                               name));
}

static bool pools_known(const struct platform_aws *p)
{
    struct platform_pools pools;
    platform_pools(p->d->a, p->d->cloud, p->d->config, &pools);
    bool known = pools.known;
    for (size_t i = 0; i < pools.count; i++)
        known &= pools.items[i].known;
    return known;
}

const struct value *platform_aws_dashboard(struct platform_aws *p)
{
    struct board b = {.text = BUF_INIT(DOCUMENT_MOST), .region = p->region};
    const struct value *wanted = platform_of(p->d, "observability.dashboard"),
                       *metrics = platform_of(p->d, "observability.gpu_metrics");
    if (value_is_known(wanted) && !value_true(wanted))
        return value_bool(p->d->a, false);
    if (value_is_unknown(wanted) || value_is_unknown(metrics) || !p->d->name || !p->region ||
        !pools_known(p))
        return platform_unknown(p->d);
    buf_append_str(&b.text, "{\"widgets\":[");
    add_pools(p, &b);
    add_control_plane(p, &b);
    buf_append_str(&b.text, "]}");
    const struct value *v = derived_json(p->d->a, &b.text);
    buf_clean_up(&b.text);
    return v;
}
