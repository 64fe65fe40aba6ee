/* The rights of the role that a model runs under on SageMaker: no more than it needs. */
#include "resources/endpoint_aws.h"

#include <string.h>

enum { DOCUMENT_MOST = 64 << 10 };

/* ---- lists of ARNs ---- */

/* Adds a member to a JSON list, once. */
static void add(struct buf *list, const char *arn)
{
    list->failed |= !arn;
    if (!arn || strstr(buf_cstr(list), arn))
        return;
    buf_printf(list, "%s%s", list->len ? "," : "", arn);
}

/* "s3://bucket/key": the bucket; *ret_key is what follows, "" for all of it. */
static struct slice bucket_of(const char *uri, const char **ret_key)
{
    const char *at = uri + strlen("s3://"), *slash = strchr(at, '/');
    *ret_key = slash ? slash + 1 : "";
    return slice_from(at, slash ? (size_t)(slash - at) : strlen(at));
}

struct places {
    struct arena *a;
    const char *partition;
    struct buf *objects, *buckets; /* members of lists */
};

/* A folder, or one object (an archive). */
static void add_place(struct places *p, const char *uri)
{
    const char *key = "";
    size_t len = strlen(uri);
    if (strncmp(uri, "s3://", 5) != 0)
        return;
    struct slice bucket = bucket_of(uri, &key);
    bool archive = len > 7 && strcmp(uri + len - 7, ".tar.gz") == 0;
    bool folder = !*key || key[strlen(key) - 1] == '/';
    add(p->objects, arena_printf(p->a, "\"arn:%s:s3:::%.*s/%s%s\"", p->partition, (int)bucket.len,
                                 bucket.ptr, key,
                                 archive  ? ""
                                 : folder ? "*"
                                          : "/*"));
    add(p->buckets,
        arena_printf(p->a, "\"arn:%s:s3:::%.*s\"", p->partition, (int)bucket.len, bucket.ptr));
}

/* ---- statements ---- */

static void allow_files(struct endpoint_aws *e, struct buf *b)
{
    _cleanup_buf_ struct buf objects = BUF_INIT(DOCUMENT_MOST), buckets = BUF_INIT(DOCUMENT_MOST);
    struct places p = {e->d->a, e->partition, &objects, &buckets};
    const struct value *adapters = config_get(e->d->config, "adapters");
    for (size_t i = 0; i < e->count; i++)
        if (e->items[i].model.source == ENDPOINT_S3)
            add_place(&p, e->items[i].model.id);
    for (size_t i = 0; i < value_count(adapters); i++)
        add_place(&p, value_cstr(value_at(adapters, i), ""));
    b->failed |= objects.failed || buckets.failed;
    if (!objects.len)
        return;
    aws_policy_allow(b, "ReadModel", "\"s3:GetObject\"", buf_cstr(&objects), "");
    aws_policy_allow(b, "ListModel", "\"s3:ListBucket\"", buf_cstr(&buckets), "");
}

static void allow_capture(struct endpoint_aws *e, struct buf *b)
{
    const char *uri = value_cstr(config_get(e->d->config, "data_capture.uri"), NULL), *key = "";
    if (!uri || strncmp(uri, "s3://", 5) != 0)
        return;
    struct slice bucket = bucket_of(uri, &key);
    size_t len = strlen(key);
    aws_policy_allow(b, "Capture", "\"s3:PutObject\"",
                     arena_printf(e->d->a, "\"arn:%s:s3:::%.*s/%s%s*\"", e->partition,
                                  (int)bucket.len, bucket.ptr, key,
                                  len && key[len - 1] != '/' ? "/" : ""),
                     "");
}

/* The repository of an image in ECR, of whatever account. */
static const char *repository_arn(struct endpoint_aws *e, const char *image)
{
    const char *ecr = strstr(image, ".dkr.ecr."), *slash = strchr(image, '/');
    if (!ecr || !slash)
        return NULL;
    const char *region = ecr + strlen(".dkr.ecr.");
    size_t name = strcspn(slash + 1, ":@");
    return arena_printf(e->d->a, "\"arn:%s:ecr:%.*s:%.*s:repository/%.*s\"", e->partition,
                        (int)strcspn(region, "."), region, (int)(ecr - image), image, (int)name,
                        slash + 1);
}

static void allow_images(struct endpoint_aws *e, struct buf *b)
{
    _cleanup_buf_ struct buf list = BUF_INIT(DOCUMENT_MOST);
    for (size_t i = 0; i < e->count; i++) {
        const char *arn = repository_arn(e, e->items[i].image);
        if (arn)
            add(&list, arn);
    }
    if (!list.len)
        return;
    aws_policy_allow(b, "Registry", "\"ecr:GetAuthorizationToken\"", "\"*\"", "");
    aws_policy_allow(b, "Images",
                     "\"ecr:BatchCheckLayerAvailability\",\"ecr:BatchGetImage\","
                     "\"ecr:GetDownloadUrlForLayer\"",
                     buf_cstr(&list), "");
}

static void allow_logs(struct endpoint_aws *e, struct buf *b)
{
    struct arena *a = e->d->a;
    aws_policy_allow(
        b, "Logs",
        "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:DescribeLogStreams\","
        "\"logs:PutLogEvents\"",
        arena_printf(a,
                     "\"arn:%s:logs:%s:%s:log-group:/aws/sagemaker/Endpoints/%s:*\","
                     "\"arn:%s:logs:%s:%s:log-group:/aws/sagemaker/InferenceComponents/%s-*\"",
                     e->partition, e->region, e->account, e->d->name, e->partition, e->region,
                     e->account, e->d->name),
        "");
    aws_policy_allow(b, "Metrics", "\"cloudwatch:PutMetricData\"", "\"*\"",
                     "\"StringLike\":{\"cloudwatch:namespace\":[\"AWS/SageMaker\","
                     "\"/aws/sagemaker/*\"]}");
}

/* Interfaces in the user's subnets (Amazon SageMaker Developer Guide, "Give SageMaker AI hosted
 * endpoints access to resources in your Amazon VPC"). */
static void allow_network(struct endpoint_aws *e, struct buf *b)
{
    if (config_get(e->d->config, "network.subnet_ids"))
        aws_policy_allow(
            b, "Network",
            "\"ec2:CreateNetworkInterface\",\"ec2:CreateNetworkInterfacePermission\","
            "\"ec2:DeleteNetworkInterface\",\"ec2:DeleteNetworkInterfacePermission\","
            "\"ec2:DescribeDhcpOptions\",\"ec2:DescribeNetworkInterfaces\","
            "\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\"",
            "\"*\"", "");
}

/* A secret's ARN ends with six characters that nobody knows before it is made. */
static void allow_secret(struct endpoint_aws *e, struct buf *b)
{
    struct arena *a = e->d->a;
    const char *own = value_cstr(config_get(e->d->config, "huggingface_token_secret"), NULL);
    bool made = config_get(e->d->config, "huggingface_token_wo_version");
    if (!own && !made)
        return;
    const char *arn =
        own && strncmp(own, "arn:", 4) == 0
            ? arena_printf(a, "\"%s\"", own)
            : arena_printf(a, "\"arn:%s:secretsmanager:%s:%s:secret:%s-*\"", e->partition,
                           e->region, e->account, own ? own : e->names.secret);
    aws_policy_allow(b, "Token", "\"secretsmanager:GetSecretValue\"", arn, "");
}

static void allow_keys(struct endpoint_aws *e, struct buf *b)
{
    static const char *const paths[] = {"kms_key", "data_capture.kms_key"};
    _cleanup_buf_ struct buf list = BUF_INIT(DOCUMENT_MOST);
    for (size_t i = 0; i < 2; i++) {
        const char *key = value_cstr(config_get(e->d->config, paths[i]), NULL);
        if (key && strncmp(key, "arn:", 4) == 0)
            add(&list, arena_printf(e->d->a, "\"%s\"", key));
        else if (key)
            add(&list, arena_printf(e->d->a, "\"arn:%s:kms:%s:%s:key/%s\"", e->partition, e->region,
                                    e->account, key));
    }
    if (list.len)
        aws_policy_allow(b, "Keys",
                         "\"kms:CreateGrant\",\"kms:Decrypt\",\"kms:DescribeKey\","
                         "\"kms:GenerateDataKey\"",
                         buf_cstr(&list), "");
}

const struct value *endpoint_aws_policy(struct endpoint_aws *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST);
    const struct value *secret = config_get(e->d->config, "huggingface_token_secret");
    if (!e->known || !e->account || value_is_unknown(secret))
        return endpoint_unknown(e->d);
    aws_policy_begin(&b);
    allow_logs(e, &b);
    allow_images(e, &b);
    allow_files(e, &b);
    allow_capture(e, &b);
    allow_network(e, &b);
    allow_secret(e, &b);
    allow_keys(e, &b);
    return aws_policy_end(e->d->a, &b);
}
