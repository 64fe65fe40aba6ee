/* The IAM documents of a node: who may assume its role, and what the role may do.
 *
 * Resources name no account, so that the document is the same with and without credentials;
 * the condition aws:ResourceAccount says that they must be the role's own. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "resources/derived.h"

enum { DOCUMENT_MOST = 16384 };

const struct value *gpu_node_aws_trust_policy(struct arena *a, const char *partition)
{
    return aws_trust_policy(a, aws_ec2_principal(partition));
}

struct statement {
    const char *sid, *actions; /* actions: members of a JSON list */
    const char *resource;      /* escaped where it is the user's */
    const char *condition; /* members of a JSON object; NULL: the role's own account; "": none */
};

static void statement(struct buf *b, const struct statement *s)
{
    buf_printf(b, ",{\"Sid\":\"%s\",\"Effect\":\"Allow\",\"Action\":[%s],\"Resource\":\"", s->sid,
               s->actions);
    buf_append_json_escaped(b, slice_str(s->resource));
    if (!s->condition)
        buf_append_str(b, "\",\"Condition\":{\"StringEquals\":{\"aws:ResourceAccount\":"
                          "\"${aws:PrincipalAccount}\"}}}");
    else if (*s->condition)
        buf_printf(b, "\",\"Condition\":{%s}}", s->condition);
    else
        buf_append_str(b, "\"}");
}

/* A secret by name or ARN; AWS adds six characters to the ARN of a secret. */
static const char *secret_arn(const struct composite_context *c, const char *partition,
                              const char *secret)
{
    if (strncmp(secret, "arn:", 4) == 0)
        return secret;
    return arena_printf(c->arena, "arn:%s:secretsmanager:%s:*:secret:%s-??????", partition,
                        c->region, secret);
}

static void secret_statements(const struct composite_context *c, struct buf *b,
                              const char *partition, const struct gpu_node_aws_names *names)
{
    const struct value *t = value_get(c->config, "tailscale");
    const char *existing = value_cstr(value_get(t, "auth_key_secret"), NULL);
    const char *token = value_cstr(value_get(c->config, "huggingface_token_secret"), NULL);
    const char *secrets[] = {existing, token,
                             value_is_known(value_get(t, "auth_key_wo_version")) ? names->secret
                                                                                 : NULL};
    static const char *const sids[] = {"TailscaleSecret", "HuggingFaceSecret", "NodeSecret"};
    bool any = false;
    for (size_t i = 0; i < 3; i++) {
        if (!secrets[i])
            continue;
        bool foreign = strncmp(secrets[i], "arn:", 4) == 0;
        statement(b,
                  &(struct statement){sids[i], "\"secretsmanager:GetSecretValue\"",
                                      secret_arn(c, partition, secrets[i]), foreign ? "" : NULL});
        any = true;
    }
    const char *key = value_cstr(value_path(c->config, "disk.kms_key"), NULL);
    const char *via = arena_printf(c->arena,
                                   "\"StringEquals\":{\"kms:ViaService\":"
                                   "\"secretsmanager.%s.amazonaws.com%s\"}",
                                   c->region, strcmp(partition, "aws-cn") == 0 ? ".cn" : "");
    bool arn = key && strncmp(key, "arn:", 4) == 0 && strstr(key, ":key/");
    if (any && (key || existing || token))
        statement(b, &(struct statement){"SecretKey", "\"kms:Decrypt\"", arn ? key : "*", via});
}

/* s3://bucket/prefix */
static void cache_statements(const struct composite_context *c, struct buf *b,
                             const char *partition)
{
    const char *uri = value_cstr(value_path(c->config, "model_cache.s3_uri"), NULL);
    if (!uri || strncmp(uri, "s3://", 5) != 0)
        return;
    const char *bucket = uri + 5;
    int len = (int)strcspn(bucket, "/");
    const char *prefix = bucket + len + (bucket[len] == '/');
    size_t end = strlen(prefix);
    while (end && prefix[end - 1] == '/')
        end--;
    const char *objects = arena_printf(c->arena, "arn:%s:s3:::%.*s/%.*s%s*", partition, len, bucket,
                                       (int)end, prefix, end ? "/" : "");
    const char *whole = arena_printf(c->arena, "arn:%s:s3:::%.*s", partition, len, bucket);
    statement(b,
              &(struct statement){"ModelCache", "\"s3:GetObject\",\"s3:PutObject\"", objects, ""});
    statement(b, &(struct statement){"ModelCacheList", "\"s3:ListBucket\"", whole, ""});
}

/* The status tag on its own instance: the tag of the owner says which one that is. */
static const char *status_condition(const struct composite_context *c)
{
    const struct value *owner =
        c->driver->owner_tags(c->arena, GPU_NODE_TYPE, value_get(c->config, "name"), "instance");
    return arena_printf(c->arena,
                        "\"StringEquals\":{\"aws:ResourceTag/llm:resource\":\"%s\"},"
                        "\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"llm:status\"]}",
                        value_cstr(value_get(owner, "llm:resource"), ""));
}

const struct value *gpu_node_aws_policy(const struct composite_context *c,
                                        const struct gpu_node_aws_names *names)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST);
    const char *partition = c->driver->partition(c->region);
    const char *logs = arena_printf(c->arena, "arn:%s:logs:%s:*:log-group:%s:*", partition,
                                    c->region, names->log_group);
    const char *instances =
        arena_printf(c->arena, "arn:%s:ec2:%s:*:instance/*", partition, c->region);
    buf_append_str(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Settings\","
                       "\"Effect\":\"Allow\",\"Action\":\"ec2:DescribeTags\",\"Resource\":\"*\"}");
    statement(&b, &(struct statement){"Logs",
                                      "\"logs:CreateLogStream\",\"logs:PutLogEvents\","
                                      "\"logs:DescribeLogStreams\"",
                                      logs, NULL});
    statement(&b,
              &(struct statement){"Status", "\"ec2:CreateTags\"", instances, status_condition(c)});
    secret_statements(c, &b, partition, names);
    cache_statements(c, &b, partition);
    buf_append_str(&b, "]}");
    return derived_json(c->arena, &b);
}
