/* The functions of the Kubernetes driver. */
#include "kubernetes/driver.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "kubernetes/call.h"
#include "kubernetes/errors.h"
#include "kubernetes/labels.h"
#include "kubernetes/token.h"

/* "Server-Side Apply", "Field management": what a manager's name may be. */
enum { MANAGER_MOST = 128, FOREIGN_MOST = 8192 };

static void client_free(struct cloud_client *c)
{
    if (!c)
        return;
    retry_clean_up(&c->retry);
    pthread_mutex_destroy(&c->renewal);
    arena_free(c->arena);
    alloc_table.free(c);
}

/* ---- making a client ---- */

static bool is_endpoint(const char *url)
{
    if (!url || strncasecmp(url, "https://", 8) != 0 || !url[8] || url[8] == '/')
        return false;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~' || strchr("?#@", *p))
            return false;
    return true;
}

static bool is_manager(const char *name)
{
    size_t len = name ? strnlen(name, MANAGER_MOST + 1) : 0;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < ' ' || (unsigned char)name[i] > '~')
            return false;
    return len > 0 && len <= MANAGER_MOST;
}

static const char *what_is_wrong(const struct cloud_cluster *cluster)
{
    if (!is_endpoint(cluster->endpoint))
        return "The cluster's endpoint is not an https:// URL without user, query and fragment.";
    if (!cluster->system_trust &&
        (!cluster->ca_pem || !strstr(cluster->ca_pem, "-----BEGIN CERTIFICATE-----")))
        return "The cluster's certificate authority is not a certificate in PEM form.";
    if (!is_manager(cluster->field_manager))
        return "The field manager's name is not one of 1 to 128 printable characters.";
    return cluster->token ? NULL : "The cluster has no source of tokens.";
}

/* Trust is the cluster's alone, and never left out. */
static void set_http(struct cloud_client *c, const struct cloud_cluster *cluster)
{
    if (cluster->http)
        c->http = *cluster->http;
    c->http.proxy = arena_strdup(c->arena, c->http.proxy);
    c->http.no_proxy = arena_strdup(c->arena, c->http.no_proxy);
    c->http.ca_bundle = arena_strdup(c->arena, c->http.ca_bundle); /* of an https:// proxy */
    c->http.client_cert_pem = NULL;
    c->http.client_key_pem = NULL;
    c->http.insecure = false;
    c->http.http1 = true; /* API servers answer 401 at once, and close the connection */
    c->http.ca_pem = cluster->system_trust ? NULL : arena_strdup(c->arena, cluster->ca_pem);
}

static bool set_texts(struct cloud_client *c, const struct cloud_cluster *cluster,
                      const char *user_agent)
{
    size_t len = strlen(cluster->endpoint);
    while (len > sizeof("https://") && cluster->endpoint[len - 1] == '/')
        len--;
    c->endpoint = arena_strndup(c->arena, cluster->endpoint, len);
    c->field_manager = arena_strdup(c->arena, cluster->field_manager);
    c->user_agent = arena_strdup(c->arena, user_agent);
    set_http(c, cluster);
    return !arena_failed(c->arena);
}

struct cloud_client *kubernetes_client_new(const struct cloud_cluster *cluster,
                                           struct http_transport *transport,
                                           const struct clock *clock, const char *user_agent,
                                           struct diags *diags)
{
    const char *wrong = what_is_wrong(cluster);
    if (wrong) {
        diags_error(diags, NULL, "Cluster cannot be used", "%s", wrong);
        return NULL;
    }
    struct arena *arena = arena_new();
    struct cloud_client *c = arena ? alloc_table.malloc(sizeof(*c)) : NULL;
    if (!c) {
        arena_free(arena);
        diags_error(diags, NULL, "Out of memory", "The Kubernetes client could not be made.");
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->arena = arena;
    c->token = cluster->token;
    c->token_self = cluster->token_self;
    c->transport = transport;
    c->clock = clock;
    retry_init(&c->retry, &cluster->retry);
    pthread_mutex_init(&c->renewal, NULL);
    if (set_texts(c, cluster, user_agent ? user_agent : ""))
        return c;
    client_free(c);
    diags_error(diags, NULL, "Out of memory", "The Kubernetes client could not be made.");
    return NULL;
}

/* ---- the table ---- */

static int validate(struct arena *a, const struct value *config, struct diags *diags)
{
    (void)a;
    (void)config;
    (void)diags;
    return 0;
}

static struct cloud_client *configure(const struct value *config, struct http_transport *transport,
                                      const struct clock *clock, const char *user_agent,
                                      struct diags *diags)
{
    (void)config;
    (void)transport;
    (void)clock;
    (void)user_agent;
    diags_error(diags, NULL, "No Kubernetes cluster is configured",
                "Clusters are reached through the resources that make them, not through the "
                "provider's configuration.");
    return NULL;
}

static const char *default_region(struct cloud_client *c)
{
    (void)c;
    return NULL;
}

static int check_credentials(struct cloud_client *c, const struct work *w, struct arena *a,
                             const char *region, struct cloud_error *err)
{
    struct secret token _cleanup_secret_ = SECRET_EMPTY;
    const struct secret none = SECRET_EMPTY;
    (void)region;
    memset(err, 0, sizeof(*err));
    err->retry_after_ms = -1;
    return kubernetes_token_get(c, w, a, &none, &token, err);
}

static int account(struct cloud_client *c, const struct work *w, struct arena *a,
                   const char *region, const char **ret, struct cloud_error *err)
{
    (void)c;
    (void)w;
    (void)a;
    (void)region;
    memset(err, 0, sizeof(*err));
    *ret = "";
    return 0;
}

static int call(struct cloud_client *c, const struct work *w, struct arena *a, const char *region,
                const struct cloud_operation *op, const struct value *request,
                const struct value **ret, struct cloud_error *err)
{
    (void)region;
    return kubernetes_call(c, w, a, op, request, ret, err);
}

static const struct value *default_tags(struct cloud_client *c, struct arena *a)
{
    (void)c;
    return value_map(a, &type_string, NULL, 0);
}

/* The label that the API server gives to every namespace ("Well-Known Labels"). */
static bool ignores_tag(struct cloud_client *c, struct slice key)
{
    (void)c;
    return slice_eq_str(key, "kubernetes.io/metadata.name");
}

/* ---- whose an object is ---- */

/* "Recommended Labels", and those of this provider: what may say whose it is. */
static void append_labels(struct buf *b, const struct value *labels)
{
    static const char *const names[] = {"app.kubernetes.io/managed-by", "llm-resource",
                                        "llm-component"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *text = value_cstr(value_get(labels, names[i]), NULL);
        if (text)
            buf_printf(b, "; its label %s is \"%s\"", names[i], text);
    }
}

static const char *describe_foreign(struct arena *a, const struct value *item)
{
    _cleanup_buf_ struct buf b = BUF_INIT(FOREIGN_MOST);
    const struct value *managers = value_get(item, "managers");
    const char *namespace = value_cstr(value_path(item, "metadata.namespace"), NULL);
    buf_printf(&b, "the %s \"%s\"%s%s%s was made by ",
               value_cstr(value_get(item, "kind"), "object"),
               value_cstr(value_path(item, "metadata.name"), ""), namespace ? " in \"" : "",
               namespace ? namespace : "", namespace ? "\"" : "");
    for (size_t i = 0; i < value_count(managers); i++)
        buf_printf(&b, "%s\"%s\"", i ? ", " : "", value_cstr(value_at(managers, i), ""));
    if (!value_count(managers))
        buf_append_str(&b, "somebody else");
    append_labels(&b, value_path(item, "metadata.labels"));
    return arena_buf(a, &b);
}

static const char *partition(const char *region)
{
    (void)region;
    return "";
}

static const char *region_of_zone(struct arena *a, const char *zone)
{
    (void)a;
    (void)zone;
    return NULL;
}

const struct cloud_driver kubernetes_driver = {
    .cloud = "kubernetes",
    .validate = validate,
    .configure = configure,
    .free = client_free,
    .default_region = default_region,
    .check_credentials = check_credentials,
    .account = account,
    .call = call,
    .default_tags = default_tags,
    .ignores_tag = ignores_tag,
    .owner_tags = kubernetes_owner_tags,
    .claim_tag = "llm-claim",
    .owner_filter = kubernetes_owner_filter,
    .describe_foreign = describe_foreign,
    .classify = kubernetes_classify,
    .partition = partition,
    .region_of_zone = region_of_zone,
    .cluster_token = NULL,
};

const struct cloud_clusters kubernetes_clusters = {&kubernetes_driver, kubernetes_client_new};
