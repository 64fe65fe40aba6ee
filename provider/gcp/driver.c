/* The functions of the GCP driver. */
#include "gcp/driver.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "gcp/call.h"
#include "gcp/errors.h"
#include "gcp/iam_policy.h"

static void client_free(struct cloud_client *c)
{
    if (!c)
        return;
    retry_clean_up(&c->retry);
    gcp_token_cache_clean_up(&c->tokens);
    pthread_mutex_destroy(&c->project_lock);
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
        diags_error(diags, NULL, "Out of memory", "The GCP client could not be made.");
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->arena = arena;
    c->transport = transport;
    c->clock = clock;
    c->user_agent = arena_strdup(arena, user_agent);
    pthread_mutex_init(&c->project_lock, NULL);
    gcp_token_cache_init(&c->tokens);
    int rc = gcp_config_resolve(arena, config, &c->config, diags);
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

static int check_credentials(struct cloud_client *c, const struct work *w, struct arena *a,
                             const char *region, struct cloud_error *err)
{
    struct gcp_token t = GCP_TOKEN_EMPTY;
    (void)region;
    memset(err, 0, sizeof(*err));
    int rc = gcp_token_get(c, w, a, &t, err);
    gcp_token_clean_up(&t);
    return rc;
}

/* The project, once: of the configuration, else of the credentials. */
static int account(struct cloud_client *c, const struct work *w, struct arena *a,
                   const char *region, const char **ret, struct cloud_error *err)
{
    (void)region;
    memset(err, 0, sizeof(*err));
    pthread_mutex_lock(&c->project_lock);
    if (!c->project) {
        const char *found =
            c->config.project ? c->config.project : gcp_credentials_project(c, w, a, err);
        c->project = found ? arena_strdup(c->arena, found) : NULL;
    }
    *ret = c->project ? arena_strdup(a, c->project) : NULL;
    pthread_mutex_unlock(&c->project_lock);
    if (*ret)
        return 0;
    if (!err->message) {
        err->class_ = CLOUD_ERROR_NO_MEMORY;
        err->message = "memory ran out";
    }
    return -1;
}

static int call(struct cloud_client *c, const struct work *w, struct arena *a, const char *region,
                const struct cloud_operation *op, const struct value *request,
                const struct value **ret, struct cloud_error *err)
{
    (void)region; /* stands in the request's path */
    return gcp_is_iam_member(op) ? gcp_iam_member(c, w, a, op, request, ret, err)
                                 : gcp_call(c, w, a, op, request, ret, err);
}

static const struct value *default_tags(struct cloud_client *c, struct arena *a)
{
    return value_copy(a, c->config.default_labels);
}

/* Labels that Google's own services set. */
static bool ignores_tag(struct cloud_client *c, struct slice key)
{
    (void)c;
    return slice_has_prefix(key, "goog-") || slice_has_prefix(key, "google-");
}

/* Letters, digits, hyphens and underscores: what a label may hold ("Requirements for labels"). */
static const struct value *label(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text);
    for (char *p = copy; p && *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
            *p = '-';
    return copy ? value_str(a, copy) : NULL;
}

static const struct value *owner_tags(struct arena *a, const char *resource_type,
                                      const struct value *name, const char *component)
{
    const struct value *owner = value_unknown(a, &type_string);
    if (value_is_known(name)) {
        const char *text = arena_printf(a, "%s--%s", resource_type, value_cstr(name, ""));
        owner = text ? label(a, text) : NULL;
    }
    const struct value_member m[] = {{SLICE_LIT("llm-component"), label(a, component)},
                                     {SLICE_LIT("llm-resource"), owner}};
    return value_map(a, &type_string, m, 2);
}

/* The filter of list methods: "(labels.llm-resource = x) AND (labels.llm-component = y)". */
static const struct value *owner_filter(struct arena *a, const struct value *tags)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    for (size_t i = 0; i < value_count(tags); i++)
        buf_printf(&b, "%s(labels.%.*s = %s)", b.len ? " AND " : "", (int)tags->members[i].key.len,
                   tags->members[i].key.ptr, value_cstr(tags->members[i].value, ""));
    return value_buf(a, &b);
}

static const char *partition(const char *region)
{
    (void)region;
    return "";
}

/* "us-central1-a" is of "us-central1". */
static const char *region_of_zone(struct arena *a, const char *zone)
{
    const char *dash = strrchr(zone, '-');
    bool is_zone = dash && dash > zone && dash[1] >= 'a' && dash[1] <= 'z' && !dash[2] &&
                   dash[-1] >= '0' && dash[-1] <= '9';
    return is_zone ? arena_strndup(a, zone, (size_t)(dash - zone)) : NULL;
}

/* GKE lets in who has an access token ("Authenticating to the Kubernetes API server"): for any
 * cluster. */
static int cluster_token(struct cloud_client *c, const struct work *w, struct arena *a,
                         const char *region, const char *cluster, bool fresh, const char **ret,
                         int64_t *ret_expires_unix_s, struct cloud_error *err)
{
    struct gcp_token t = GCP_TOKEN_EMPTY;
    (void)region;
    (void)cluster;
    memset(err, 0, sizeof(*err));
    err->retry_after_ms = -1;
    if (gcp_token_get(c, w, a, &t, err) < 0)
        return -1;
    if (fresh) {
        gcp_token_forget(&c->tokens, &t);
        gcp_token_clean_up(&t);
        if (gcp_token_get(c, w, a, &t, err) < 0)
            return -1;
    }
    *ret = arena_strndup(a, t.bearer.ptr, t.bearer.len);
    *ret_expires_unix_s = t.expires_unix_s;
    gcp_token_clean_up(&t);
    if (*ret)
        return 0;
    err->class_ = CLOUD_ERROR_NO_MEMORY;
    err->message = "memory ran out";
    return -1;
}

const struct cloud_driver gcp_driver = {
    .cloud = "gcp",
    .validate = gcp_config_validate,
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
    .claim_tag = "llm-claim",
    .owner_filter = owner_filter,
    .classify = gcp_classify,
    .partition = partition,
    .region_of_zone = region_of_zone,
    .cluster_token = cluster_token,
};
