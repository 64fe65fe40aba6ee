/* The ephemeral resource llm_cluster_auth: how a cluster is reached, and a token for it. */
#include "resources/data_sources.h"

#include <string.h>
#include <time.h>

#include "cloud/template.h"
#include "resources/cluster_access.h"
#include "resources/reading.h"
#include "resources/tables.h"
#include "schema/tables.h"

enum { TIME_MOST = 32 };

/* How a cloud shows its clusters: by the table of the component. */
struct kind {
    const char *cloud, *title;
    const struct component *component;
    const char *ca;              /* the attribute with the authority */
    const char *const usable[4]; /* states in which the cluster answers; NULL-terminated */
};

static const struct kind kinds[] = {
    {"aws", "EKS", &component_aws_eks_cluster, "certificate_authority", {"ACTIVE", "UPDATING"}},
    {"gcp",
     "GKE",
     &component_gcp_cluster,
     "ca_certificate",
     {"RUNNING", "RECONCILING", "DEGRADED"}},
};

/* One that is opened. */
struct auth {
    struct reading reading;
    const struct kind *kind;
    const char *location, *name;
};

static const struct kind *kind_of(const char *cloud)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i].cloud, cloud) == 0)
            return &kinds[i];
    return NULL;
}

static int validate(const struct ephemeral_type *e, struct request *rq, const struct value *config)
{
    const struct value *cloud = value_get(config, "cloud");
    if (schema_validate(e->schema, config, rq->diags) < 0)
        return -1;
    if (strcmp(value_cstr(cloud, ""), "aws") == 0 && !value_is_null(value_get(config, "location")))
        return diags_error(rq->diags, path_attribute(rq->arena, NULL, "location"),
                           "Not on this cloud",
                           "A cluster on AWS has a region alone: `location` is for Google Cloud.");
    return 0;
}

/* ---- the cluster ---- */

static int describe(struct auth *x, const struct value **ret)
{
    struct arena *a = x->reading.c.arena;
    const char *account = x->reading.c.account;
    const struct value_member own[] = {{SLICE_LIT("name"), value_str(a, x->name)},
                                       {SLICE_LIT("location"), value_str(a, x->location)}};
    struct cloud_error err;
    int rc =
        reading_object(&x->reading, &x->kind->component->read, value_object(a, own, 2), ret, &err);
    if (rc > 0)
        return diags_error(x->reading.c.diags, reading_path(&x->reading, "name"),
                           "Cluster not found", "There is no %s cluster \"%s\" in %s%s%s.",
                           x->kind->title, x->name, x->location, *account ? " of " : "", account);
    return rc == 0 ? 0
                   : cloud_error_report(x->reading.c.diags, NULL, "looking for the cluster", &err);
}

static bool is_usable(const struct kind *kind, const char *state)
{
    for (size_t i = 0; kind->usable[i]; i++)
        if (strcmp(kind->usable[i], state) == 0)
            return true;
    return false;
}

static const char *shown(const struct auth *x, const struct value *cluster, const char *attribute)
{
    return value_cstr(reading_attr(&x->reading, x->kind->component, attribute, cluster), NULL);
}

static int reach(struct auth *x, const struct value *cluster, const char **ret_endpoint,
                 const char **ret_ca)
{
    struct arena *a = x->reading.c.arena;
    const struct component_states *states = &x->kind->component->states;
    const char *state = value_cstr(template_select(a, cluster, states->path), "unknown");
    if (!is_usable(x->kind, state))
        return diags_error(x->reading.c.diags, reading_path(&x->reading, "name"),
                           "The cluster is not ready",
                           "The state of the %s cluster \"%s\" is %s: nobody can work in it now.",
                           x->kind->title, x->name, state);
    *ret_endpoint = cluster_endpoint_url(a, shown(x, cluster, "endpoint"));
    *ret_ca = cluster_ca_pem(a, shown(x, cluster, x->kind->ca));
    if (*ret_endpoint && *ret_ca)
        return 0;
    return diags_error(x->reading.c.diags, reading_path(&x->reading, "name"),
                       "The cluster cannot be reached",
                       "The answer of the cloud has no %s of the %s cluster \"%s\".",
                       *ret_endpoint ? "certificate" : "endpoint", x->kind->title, x->name);
}

/* ---- the token ---- */

/* "2026-11-21T14:00:00Z"; null when it is not known. */
static const struct value *time_text(struct arena *a, int64_t unix_s)
{
    char text[TIME_MOST];
    time_t t = (time_t)unix_s;
    struct tm tm;
    if (unix_s == INT64_MAX || !gmtime_r(&t, &tm) ||
        !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        return value_null(a, &type_string);
    return value_str(a, text);
}

static int make_token(struct auth *x, const char **ret, int64_t *ret_expires)
{
    const struct composite_context *c = &x->reading.c;
    struct cloud_error err;
    if (c->driver->cluster_token(c->client, c->work, c->arena, c->region, x->name, false, ret,
                                 ret_expires, &err) < 0)
        return cloud_error_report(c->diags, NULL, "making a token for the cluster", &err);
    return 0;
}

static const struct value *result(struct auth *x, const char *endpoint, const char *ca,
                                  const char *token, int64_t expires)
{
    const struct composite_context *c = &x->reading.c;
    struct arena *a = c->arena;
    bool has_location = strcmp(x->kind->cloud, "gcp") == 0;
    const struct value *secret = value_str(a, token);
    const struct value_member m[] = {
        {SLICE_LIT("cloud"), value_get(c->config, "cloud")},
        {SLICE_LIT("name"), value_get(c->config, "name")},
        {SLICE_LIT("region"), value_str(a, c->region)},
        {SLICE_LIT("location"), value_str(a, has_location ? x->location : NULL)},
        {SLICE_LIT("endpoint"), value_str(a, endpoint)},
        {SLICE_LIT("ca_certificate"), value_str(a, ca)},
        {SLICE_LIT("token"), secret ? value_with_sensitive(a, secret) : NULL},
        {SLICE_LIT("expires_at"), time_text(a, expires)},
    };
    return value_object_of(a, schema_ephemeral_llm_cluster_auth.type, m, sizeof(m) / sizeof(*m));
}

static int open_auth(const struct ephemeral_type *e, struct request *rq, const struct value *config,
                     const struct value **ret, struct slice *ret_private,
                     int64_t *ret_renew_at_unix_s)
{
    struct auth x = {.kind = kind_of(value_cstr(value_get(config, "cloud"), "")),
                     .name = value_cstr(value_get(config, "name"), "")};
    const struct value *cluster = NULL;
    const char *endpoint = NULL, *ca = NULL, *token = NULL;
    int64_t expires = 0;
    if (validate(e, rq, config) < 0 ||
        reading_begin(&x.reading, rq, config, "there are no credentials to make a token from") < 0)
        return -1;
    x.location = value_cstr(value_get(config, "location"), x.reading.c.region);
    if (describe(&x, &cluster) < 0 || reach(&x, cluster, &endpoint, &ca) < 0 ||
        make_token(&x, &token, &expires) < 0)
        return -1;
    *ret = result(&x, endpoint, ca, token, expires);
    *ret_private = SLICE_EMPTY;
    *ret_renew_at_unix_s = 0;
    return *ret ? 0 : diags_error(rq->diags, NULL, "Out of memory", "No token was made.");
}

/* The protocol's renewal has no place for another token, so that none is asked for. */
static int renew(const struct ephemeral_type *e, struct request *rq, struct slice private,
                 struct slice *ret_private, int64_t *ret_renew_at_unix_s)
{
    (void)e;
    (void)rq;
    *ret_private = private;
    *ret_renew_at_unix_s = 0;
    return 0;
}

/* A token cannot be taken back: it ends by itself. */
static int close_auth(const struct ephemeral_type *e, struct request *rq, struct slice private)
{
    (void)e;
    (void)rq;
    (void)private;
    return 0;
}

const struct ephemeral_type ephemeral_cluster_auth = {.schema = &schema_ephemeral_llm_cluster_auth,
                                                      .validate = validate,
                                                      .open = open_auth,
                                                      .renew = renew,
                                                      .close = close_auth};
