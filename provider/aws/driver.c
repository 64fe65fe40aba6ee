/* The functions of the AWS driver. */
#include "aws/driver.h"

#include <string.h>

#include "aws/client.h"
#include "aws/cluster_token.h"
#include "aws/endpoint.h"
#include "aws/errors.h"
#include "base/alloc.h"

static void client_free(struct cloud_client *c)
{
    if (!c)
        return;
    retry_clean_up(&c->retry);
    aws_credential_cache_clean_up(&c->credentials);
    pthread_mutex_destroy(&c->account_lock);
    arena_free(c->arena);
    alloc_table.free(c);
}

static struct cloud_client *configure(const struct value *config, struct http_transport *transport,
                                      const struct clock *clock, const char *user_agent,
                                      struct diags *diags)
{
    struct arena *arena = arena_new();
    struct cloud_client *c = arena ? alloc_table.malloc(sizeof(*c)) : NULL;
    if (!c) {
        arena_free(arena);
        diags_error(diags, NULL, "Out of memory", "The AWS client could not be made.");
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->arena = arena;
    c->transport = transport;
    c->clock = clock;
    c->user_agent = arena_strdup(arena, user_agent);
    pthread_mutex_init(&c->account_lock, NULL);
    aws_credential_cache_init(&c->credentials);
    int rc = aws_config_resolve(arena, config, &c->config, diags);
    retry_init(&c->retry, &c->config.retry);
    if (rc == 0 && c->user_agent)
        return c;
    client_free(c);
    return NULL;
}

static const struct http_settings *http_settings(struct cloud_client *c)
{
    return &c->config.http;
}

static const char *default_region(struct cloud_client *c)
{
    return c->config.region;
}

static int call(struct cloud_client *c, const struct work *w, struct arena *a, const char *region,
                const struct cloud_operation *op, const struct value *request,
                const struct value **ret, struct cloud_error *err)
{
    return aws_call(c, w, a, region ? region : c->config.region, op, request, NULL, ret, err);
}

static int check_credentials(struct cloud_client *c, const struct work *w, struct arena *a,
                             const char *region, struct cloud_error *err)
{
    struct aws_credentials k = AWS_CREDENTIALS_EMPTY;
    memset(err, 0, sizeof(*err));
    int rc = aws_credentials_get(c, w, a, region ? region : c->config.region, &k, err);
    aws_credentials_clean_up(&k);
    return rc;
}

static int refuse_account(struct cloud_client *c, struct arena *a, const char *account,
                          struct cloud_error *err)
{
    bool forbidden = value_has_text(c->config.forbidden_account_ids, account);
    bool missing = value_count(c->config.allowed_account_ids) &&
                   !value_has_text(c->config.allowed_account_ids, account);
    if (!forbidden && !missing)
        return 0;
    memset(err, 0, sizeof(*err));
    err->class_ = CLOUD_ERROR_OTHER;
    err->retry_after_ms = -1;
    err->message = arena_printf(
        a, "the credentials belong to the AWS account %s, which %s", account,
        forbidden ? "forbidden_account_ids names" : "allowed_account_ids does not name");
    if (!err->message)
        err->message = "the credentials belong to an account that is not allowed";
    return -1;
}

static int account(struct cloud_client *c, const struct work *w, struct arena *a,
                   const char *region, const char **ret, struct cloud_error *err)
{
    static const struct cloud_operation op = {
        .service = "sts", .name = "GetCallerIdentity", .idempotent = true};
    const struct value *answer = NULL;
    bool needed =
        value_count(c->config.allowed_account_ids) || value_count(c->config.forbidden_account_ids);
    if (c->config.skip_requesting_account_id && !needed) {
        *ret = "";
        return 0;
    }
    pthread_mutex_lock(&c->account_lock);
    int rc = 0;
    if (!c->account) {
        rc = call(c, w, a, region, &op, NULL, &answer, err);
        const char *id = rc == 0 ? value_cstr(value_get(answer, "Account"), NULL) : NULL;
        c->account = id ? arena_strdup(c->arena, id) : NULL;
        if (rc == 0 && !c->account) {
            memset(err, 0, sizeof(*err));
            err->class_ = CLOUD_ERROR_PROTOCOL;
            err->message = "STS named no account";
            rc = -1;
        }
    }
    *ret = c->account ? arena_strdup(a, c->account) : NULL;
    pthread_mutex_unlock(&c->account_lock);
    if (rc == 0 && !*ret) {
        memset(err, 0, sizeof(*err));
        err->class_ = CLOUD_ERROR_NO_MEMORY;
        err->message = "memory ran out";
        rc = -1;
    }
    return rc < 0 ? -1 : refuse_account(c, a, *ret, err);
}

static const struct value *default_tags(struct cloud_client *c, struct arena *a)
{
    return value_copy(a, c->config.default_tags);
}

static bool ignores_tag(struct cloud_client *c, struct slice key)
{
    /* Tags that AWS sets by itself cannot be changed by anyone; the node's own report is its own.
     */
    if (slice_has_prefix(key, "aws:") || slice_eq_str(key, "llm:status"))
        return true;
    for (size_t i = 0; i < value_count(c->config.ignore_keys); i++)
        if (slice_eq(value_slice(value_at(c->config.ignore_keys, i)), key))
            return true;
    for (size_t i = 0; i < value_count(c->config.ignore_prefixes); i++)
        if (slice_has_prefix(key, value_cstr(value_at(c->config.ignore_prefixes, i), "")))
            return true;
    return false;
}

static const struct value *owner_tags(struct arena *a, const char *resource_type,
                                      const struct value *name, const char *component)
{
    const struct value *owner = NULL, *label = NULL;
    if (value_is_known(name)) {
        char *dashed = arena_printf(a, "%s-%s", value_cstr(name, ""), component);
        for (char *p = dashed; p && *p; p++)
            if (*p == '.' || *p == '_')
                *p = '-';
        label = dashed ? value_str(a, dashed) : NULL;
        owner = value_printf(a, "%s/%s", resource_type, value_cstr(name, ""));
    } else {
        label = owner = value_unknown(a, &type_string);
    }
    const struct value_member m[] = {{SLICE_LIT("Name"), label},
                                     {SLICE_LIT("llm:component"), value_str(a, component)},
                                     {SLICE_LIT("llm:resource"), owner}};
    return value_map(a, &type_string, m, 3);
}

/* EC2's filters: [{Name: "tag:llm:resource", Value: [x]}, …], without the name that users may
 * change. */
static const struct value *owner_filter(struct arena *a, const struct value *tags)
{
    const struct value *filters[4];
    size_t count = 0;
    for (size_t i = 0; i < value_count(tags) && count < 4; i++) {
        if (!slice_has_prefix(tags->members[i].key, "llm:"))
            continue;
        const struct value *v = tags->members[i].value;
        const struct value_member m[] = {
            {SLICE_LIT("Name"),
             value_printf(a, "tag:%.*s", (int)tags->members[i].key.len, tags->members[i].key.ptr)},
            {SLICE_LIT("Value"), value_tuple(a, &v, 1)}};
        filters[count++] = value_object(a, m, 2);
    }
    return value_tuple(a, filters, count);
}

static int validate(struct arena *a, const struct value *config, struct diags *diags)
{
    return aws_config_validate(a, config, diags);
}

const struct cloud_driver aws_driver = {
    .cloud = "aws",
    .validate = validate,
    .configure = configure,
    .free = client_free,
    .http_settings = http_settings,
    .default_region = default_region,
    .check_credentials = check_credentials,
    .account = account,
    .call = call,
    .default_tags = default_tags,
    .ignores_tag = ignores_tag,
    .owner_tags = owner_tags,
    .claim_tag = "llm:claim",
    .owner_filter = owner_filter,
    .classify = aws_classify,
    .partition = aws_partition,
    .region_of_zone = aws_region_of_zone,
    .cluster_token = aws_cluster_token,
};
