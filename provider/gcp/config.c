/* Resolving the GCP settings. */
#include "gcp/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "gcp/credential_file.h"
#include "gcp/gcloud.h"
#include "schema/schema.h"

enum { RETRIES_DEFAULT = 25, REQUEST_TIMEOUT_MS = 120000, NAMES_MOST = 5, LABEL_MOST = 63 };

static const char default_universe[] = "googleapis.com";

const char *gcp_env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* ---- validate ---- */

static bool has_space_or_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

/* What stands behind the last slash: regions and zones may be given as self links. */
static struct slice last_segment(struct slice s)
{
    const char *slash = s.len ? memrchr(s.ptr, '/', s.len) : NULL;
    return slash ? slice_from(slash + 1, s.len - (size_t)(slash - s.ptr) - 1) : s;
}

/* "europe-west4" out of "europe-west4-b"; empty when `zone` has no such form. */
static struct slice region_of(struct slice zone)
{
    const char *dash = zone.len ? memrchr(zone.ptr, '-', zone.len) : NULL;
    size_t len = dash ? (size_t)(dash - zone.ptr) : 0;
    return len && memchr(zone.ptr, '-', len) ? slice_from(zone.ptr, len) : SLICE_EMPTY;
}

static bool is_place_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!islower((unsigned char)s.ptr[i]) && !isdigit((unsigned char)s.ptr[i]) &&
            s.ptr[i] != '-')
            return false;
    return s.len && islower((unsigned char)s.ptr[0]);
}

/* Project ids, also those of domains ("example.com:my-project"), and project numbers. */
static bool is_project(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!islower((unsigned char)s.ptr[i]) && !isdigit((unsigned char)s.ptr[i]) &&
            !strchr("-.:", s.ptr[i]))
            return false;
    return s.len && isalnum((unsigned char)s.ptr[0]);
}

struct check {
    struct arena *a;
    const struct value *block;
    struct diags *diags;
};

static const struct path *at(const struct check *k, const char *name)
{
    return path_attribute(k->a, path_attribute(k->a, NULL, "gcp"), name);
}

static void check_project(const struct check *k, const char *name)
{
    const struct value *v = value_get(k->block, name);
    if (value_is_known(v) && value_slice(v).len && !is_project(value_slice(v)))
        diags_error(k->diags, at(k, name), "Invalid project",
                    "\"%s\" is no project id: those have small letters, digits and hyphens, as in "
                    "\"my-project-123\" (gcloud projects list shows them).",
                    value_cstr(v, ""));
}

static void check_place(const struct check *k)
{
    const struct value *region = value_get(k->block, "region"), *zone = value_get(k->block, "zone");
    struct slice r = last_segment(value_slice(region)), z = last_segment(value_slice(zone));
    if (value_slice(region).len && (!is_place_name(r) || !memchr(r.ptr, '-', r.len)))
        diags_error(k->diags, at(k, "region"), "Invalid region",
                    "\"%s\" is no name of a region, such as \"europe-west4\".",
                    value_cstr(region, ""));
    else if (value_slice(zone).len && (!is_place_name(z) || !region_of(z).len))
        diags_error(k->diags, at(k, "zone"), "Invalid zone",
                    "\"%s\" is no name of a zone, such as \"europe-west4-b\".",
                    value_cstr(zone, ""));
    else if (r.len && z.len && !slice_eq(r, region_of(z)))
        diags_error(k->diags, at(k, "zone"), "Zone outside the region",
                    "The zone %s lies in %.*s, not in the region %s. Set one of them only, or make "
                    "them agree.",
                    value_cstr(zone, ""), (int)region_of(z).len, region_of(z).ptr,
                    value_cstr(region, ""));
}

static bool is_service_account(struct slice s)
{
    const char *sign = s.len ? memchr(s.ptr, '@', s.len) : NULL;
    return sign && sign > s.ptr && sign + 1 < s.ptr + s.len && !memchr(s.ptr, '/', s.len) &&
           !has_space_or_control(s);
}

static void check_impersonation(const struct check *k)
{
    const struct value *who = value_get(k->block, "impersonate_service_account");
    const struct value *delegates = value_get(k->block, "impersonate_service_account_delegates");
    if (value_slice(who).len && !is_service_account(value_slice(who)))
        diags_error(k->diags, at(k, "impersonate_service_account"), "Invalid service account",
                    "\"%s\" is no e-mail address of a service account, such as "
                    "\"deployer@my-project.iam.gserviceaccount.com\".",
                    value_cstr(who, ""));
    const struct path *base = at(k, "impersonate_service_account_delegates");
    for (size_t i = 0; i < value_count(delegates); i++) {
        struct slice d = value_slice(value_at(delegates, i));
        if (value_is_known(value_at(delegates, i)) && (!d.len || has_space_or_control(d)))
            diags_error(k->diags, path_index(k->a, base, (int64_t)i), "Invalid service account",
                        "A delegate is the e-mail address of a service account.");
    }
    if (value_count(delegates) && value_is_null(who) &&
        !gcp_env("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"))
        diags_error(k->diags, base, "Delegates without a service account",
                    "Delegates are a way to a service account, but "
                    "impersonate_service_account names none.");
}

static void check_scopes(const struct check *k)
{
    const struct value *scopes = value_get(k->block, "scopes");
    for (size_t i = 0; i < value_count(scopes); i++) {
        const struct value *v = value_at(scopes, i);
        struct slice s = value_slice(v);
        bool short_name =
            slice_eq_str(s, "openid") || slice_eq_str(s, "email") || slice_eq_str(s, "profile");
        if (value_is_known(v) && !short_name &&
            (!slice_has_prefix(s, "https://") || has_space_or_control(s)))
            diags_error(k->diags, path_index(k->a, at(k, "scopes"), (int64_t)i), "Invalid scope",
                        "\"%s\" is no OAuth scope: those are URLs, such as "
                        "\"https://www.googleapis.com/auth/cloud-platform\".",
                        value_cstr(v, ""));
    }
}

static void check_endpoints(const struct check *k)
{
    const struct value *endpoints = value_get(k->block, "endpoints");
    for (size_t i = 0; i < value_count(endpoints); i++) {
        const struct value *v = value_at(endpoints, i);
        struct slice s = value_slice(v);
        bool url = slice_has_prefix(s, "http://") || slice_has_prefix(s, "https://");
        bool plain = url && !has_space_or_control(s) && !memchr(s.ptr, '?', s.len) &&
                     !memchr(s.ptr, '#', s.len) && !memchr(s.ptr, '@', s.len);
        if (s.len && !plain)
            diags_error(
                k->diags, path_attribute(k->a, at(k, "endpoints"), endpoints->type->attrs[i].name),
                "Invalid endpoint", "An endpoint is a URL of the form https://host[:port][/path].");
    }
}

/* "Requirements for labels": characters beyond ASCII are allowed, capital letters are not. */
static bool is_label_text(struct slice s)
{
    size_t characters = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        characters += (c & 0xC0) != 0x80;
        if (c < 0x80 && !islower(c) && !isdigit(c) && c != '-' && c != '_')
            return false;
    }
    return characters <= LABEL_MOST;
}

static void check_labels(const struct check *k)
{
    const struct value *labels = value_get(k->block, "default_labels");
    for (size_t i = 0; i < value_count(labels); i++) {
        struct slice key = labels->members[i].key, v = value_slice(labels->members[i].value);
        bool starts = key.len && !isdigit((unsigned char)key.ptr[0]) && key.ptr[0] != '-' &&
                      key.ptr[0] != '_';
        if (!starts || !is_label_text(key) || !is_label_text(v))
            diags_error(k->diags, path_key(k->a, at(k, "default_labels"), key), "Invalid label",
                        "Keys and values of labels have at most 63 small letters, digits, hyphens "
                        "and underscores; a key starts with a letter.");
    }
}

static bool is_domain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '.')
            return false;
    return s.len && s.ptr[0] != '.' && s.ptr[0] != '-' && memchr(s.ptr, '.', s.len);
}

static bool is_one_line(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return false;
    return true;
}

static void check_texts(const struct check *k)
{
    struct slice universe = value_slice(value_get(k->block, "universe_domain"));
    struct slice reason = value_slice(value_get(k->block, "request_reason"));
    struct slice token = value_slice(value_get(k->block, "access_token"));
    if (universe.len && !is_domain(universe))
        diags_error(k->diags, at(k, "universe_domain"), "Invalid universe domain",
                    "\"%.*s\" is no domain name, such as \"googleapis.com\".", (int)universe.len,
                    universe.ptr);
    if (!is_one_line(reason))
        diags_error(k->diags, at(k, "request_reason"), "Invalid request reason",
                    "The reason is sent in a header: it may not hold line breaks or control "
                    "characters.");
    if (token.len && has_space_or_control(token))
        diags_error(k->diags, at(k, "access_token"), "Invalid access token",
                    "The access token holds white space or control characters: it is perhaps the "
                    "output of a command with its line break. Use trimspace() on it.");
}

/* Content is checked whole; whether a path exists is known where it is used. */
static void check_credentials(const struct check *k)
{
    const struct value *v = value_get(k->block, "credentials");
    struct gcp_credential_file file;
    const char *why = NULL;
    if (value_is_known(v) && gcp_credentials_are_content(value_slice(v)) &&
        gcp_credential_file_read(k->a, value_slice(v), &file, &why) < 0)
        diags_error(k->diags, at(k, "credentials"), "Invalid credentials",
                    "The content of credentials cannot be used: %s.", why);
}

int gcp_config_validate(struct arena *a, const struct value *block, struct diags *diags)
{
    const struct check k = {a, block, diags};
    size_t before = diags->errors;
    check_project(&k, "project");
    check_project(&k, "billing_project");
    check_place(&k);
    check_credentials(&k);
    check_impersonation(&k);
    check_scopes(&k);
    check_endpoints(&k);
    check_labels(&k);
    check_texts(&k);
    return diags->errors > before ? -1 : 0;
}

/* ---- resolve ---- */

/* Where a setting came from: a smaller number comes first. */
enum level { LEVEL_BLOCK, LEVEL_ENVIRONMENT, LEVEL_GCLOUD, LEVEL_NONE };

struct source {
    struct arena *a;
    const struct value *block;
};

/* A known, non-empty attribute of the block; NULL otherwise. */
static const char *own(const struct source *s, const char *name)
{
    const char *v = value_cstr(value_get(s->block, name), NULL);
    return v && *v ? arena_strdup(s->a, v) : NULL;
}

/* The first of the variables that is set; *ret_name its name. */
static const char *environment(const struct source *s, const char *const names[NAMES_MOST],
                               const char **ret_name)
{
    for (size_t i = 0; i < NAMES_MOST && names[i]; i++) {
        const char *v = gcp_env(names[i]);
        if (v) {
            if (ret_name)
                *ret_name = names[i];
            return arena_strdup(s->a, v);
        }
    }
    return NULL;
}

static const char *setting(const struct source *s, const char *attr,
                           const char *const names[NAMES_MOST])
{
    const char *v = own(s, attr);
    return v ? v : environment(s, names, NULL);
}

static bool flag(const struct source *s, const char *attr, const char *env)
{
    const struct value *v = value_get(s->block, attr);
    const char *text = env ? gcp_env(env) : NULL;
    return value_is_known(v) ? value_true(v)
                             : text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

static const struct value *own_value(const struct source *s, const char *name)
{
    const struct value *v = value_get(s->block, name);
    return value_is_known(v) ? value_copy(s->a, v) : NULL;
}

static const char *const *own_list(const struct source *s, const char *name, size_t *ret_count)
{
    const struct value *list = value_get(s->block, name);
    size_t count = value_count(list), used = 0;
    const char **all = arena_new_array(s->a, count, const char *);
    for (size_t i = 0; all && i < count; i++) {
        const char *v = value_cstr(value_at(list, i), NULL);
        if (v && *v)
            all[used++] = arena_strdup(s->a, v);
    }
    *ret_count = all ? used : 0;
    return all;
}

/* ---- region and zone ---- */

struct place {
    const char *name;
    enum level level;
};

static struct place read_place(const struct source *s, const char *attr,
                               const char *const names[NAMES_MOST], const char *gcloud)
{
    struct place p = {own(s, attr), LEVEL_BLOCK};
    if (!p.name)
        p = (struct place){environment(s, names, NULL), LEVEL_ENVIRONMENT};
    if (!p.name)
        p = (struct place){gcloud, LEVEL_GCLOUD};
    if (!p.name)
        return (struct place){NULL, LEVEL_NONE};
    struct slice last = last_segment(slice_str(p.name));
    p.name = arena_strndup(s->a, last.ptr, last.len);
    return p;
}

/* A name that cannot be one: an error, unless it is only gcloud's. */
static int refuse_place(const struct source *s, struct place *p, const char *attr,
                        const char *example, struct diags *diags)
{
    const char *path = arena_printf(s->a, "gcp.%s", attr), *name = p->name;
    p->name = NULL;
    if (p->level == LEVEL_GCLOUD || !path)
        return 0;
    return diags_error(diags, path_parse(s->a, path), "Invalid setting",
                       "\"%s\" is no name of a %s, such as \"%s\"%s.", name, attr, example,
                       p->level == LEVEL_ENVIRONMENT ? "; it comes from the environment" : "");
}

/* A zone outside the region is an error where both come from one place; otherwise what comes later
 * in the order gives way: gcloud's zone is of no use to a configuration that names a region. */
static int read_places(const struct source *s, const struct gcloud_properties *gcloud,
                       struct gcp_config *c, struct diags *diags)
{
    static const char *const regions[NAMES_MOST] = {"GOOGLE_REGION", "GCLOUD_REGION",
                                                    "CLOUDSDK_COMPUTE_REGION"};
    static const char *const zones[NAMES_MOST] = {"GOOGLE_ZONE", "GCLOUD_ZONE",
                                                  "CLOUDSDK_COMPUTE_ZONE"};
    struct place region = read_place(s, "region", regions, gcloud->region);
    struct place zone = read_place(s, "zone", zones, gcloud->zone);
    struct slice implied = region_of(slice_str(zone.name));
    bool bad_region =
        region.name && (!is_place_name(slice_str(region.name)) || !strchr(region.name, '-'));
    bool bad_zone = zone.name && (!is_place_name(slice_str(zone.name)) || !implied.len);
    if ((bad_region && refuse_place(s, &region, "region", "europe-west4", diags) < 0) ||
        (bad_zone && refuse_place(s, &zone, "zone", "europe-west4-b", diags) < 0))
        return -1;
    if (zone.name && region.name && !slice_eq_str(implied, region.name)) {
        if (zone.level == region.level && zone.level != LEVEL_GCLOUD)
            return diags_error(diags, path_parse(s->a, "gcp.zone"), "Zone outside the region",
                               "The zone %s does not lie in the region %s. Set one of them only, "
                               "or make them agree%s.",
                               zone.name, region.name,
                               zone.level == LEVEL_ENVIRONMENT ? " (GOOGLE_ZONE and GOOGLE_REGION)"
                                                               : "");
        log_at(LOG_DEBUG, "Zone and region disagree: the one that is set first decides",
               LOG_STR("zone", zone.name), LOG_STR("region", region.name));
        if (zone.level < region.level)
            region.name = NULL;
        else
            zone.name = NULL;
    }
    c->zone = zone.name;
    c->region =
        region.name || !zone.name ? region.name : arena_strndup(s->a, implied.ptr, implied.len);
    return 0;
}

/* ---- the rest ---- */

/* What the block says comes before what the environment says, whichever of the two it sets. */
static void read_credentials(const struct source *s, struct gcp_config *c)
{
    static const char *const contents[NAMES_MOST] = {
        "GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON"};
    static const char *const tokens[NAMES_MOST] = {"GOOGLE_OAUTH_ACCESS_TOKEN"};
    static const char *const accounts[NAMES_MOST] = {"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"};
    c->access_token = own(s, "access_token");
    c->credentials = own(s, "credentials");
    c->access_token_name = "access_token";
    c->credentials_name = "credentials";
    if (!c->access_token && !c->credentials) {
        c->access_token = environment(s, tokens, &c->access_token_name);
        c->credentials = environment(s, contents, &c->credentials_name);
    }
    const char *adc = gcp_env("GOOGLE_APPLICATION_CREDENTIALS");
    c->adc_path = adc ? arena_strdup(s->a, adc) : NULL;
    c->impersonate = setting(s, "impersonate_service_account", accounts);
    c->delegates = own_list(s, "impersonate_service_account_delegates", &c->delegate_count);
    c->scopes = own_list(s, "scopes", &c->scope_count);
    if (c->scope_count == 0) {
        static const char *const defaults[] = {"https://www.googleapis.com/auth/cloud-platform",
                                               "https://www.googleapis.com/auth/userinfo.email"};
        c->scopes = defaults;
        c->scope_count = 2;
    }
    static const char *const hosts[NAMES_MOST] = {"GCE_METADATA_HOST", "GCE_METADATA_ROOT"};
    c->metadata_host = environment(s, hosts, NULL);
    c->skip_metadata = flag(s, "", "NO_GCE_CHECK");
}

static void read_projects(const struct source *s, struct gcp_config *c)
{
    static const char *const projects[NAMES_MOST] = {"GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT",
                                                     "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"};
    static const char *const billing[NAMES_MOST] = {"GOOGLE_BILLING_PROJECT"};
    static const char *const quota[NAMES_MOST] = {"GOOGLE_CLOUD_QUOTA_PROJECT"};
    static const char *const reasons[NAMES_MOST] = {"CLOUDSDK_CORE_REQUEST_REASON"};
    static const char *const universes[NAMES_MOST] = {"GOOGLE_CLOUD_UNIVERSE_DOMAIN"};
    c->project = setting(s, "project", projects);
    c->billing_project = setting(s, "billing_project", billing);
    c->user_project_override = flag(s, "user_project_override", "USER_PROJECT_OVERRIDE");
    c->env_quota_project = environment(s, quota, NULL);
    c->request_reason = setting(s, "request_reason", reasons);
    c->universe_domain = setting(s, "universe_domain", universes);
    if (!c->universe_domain)
        c->universe_domain = default_universe;
}

/* What the environment sets is checked here; the block has been checked already. */
static int check_texts_of_environment(const struct source *s, struct gcp_config *c,
                                      struct diags *diags)
{
    const struct {
        const char *path, *value;
    } projects[] = {{"gcp.project", c->project}, {"gcp.billing_project", c->billing_project}};
    for (size_t i = 0; i < 2; i++)
        if (projects[i].value && !is_project(slice_str(projects[i].value)))
            return diags_error(diags, path_parse(s->a, projects[i].path), "Invalid project",
                               "\"%s\" is no project id: those have small letters, digits and "
                               "hyphens. Check the provider block, or GOOGLE_PROJECT and its like "
                               "in the environment.",
                               projects[i].value);
    if (c->env_quota_project && !is_project(slice_str(c->env_quota_project)))
        return diags_error(diags, path_parse(s->a, "gcp.billing_project"), "Invalid project",
                           "GOOGLE_CLOUD_QUOTA_PROJECT is no project id.");
    if (!is_domain(slice_str(c->universe_domain)))
        return diags_error(diags, path_parse(s->a, "gcp.universe_domain"),
                           "Invalid universe domain", "\"%s\" is no domain name.",
                           c->universe_domain);
    if (c->request_reason && !is_one_line(slice_str(c->request_reason)))
        return diags_error(diags, path_parse(s->a, "gcp.request_reason"), "Invalid request reason",
                           "The reason is sent in a header: it may not hold line breaks or "
                           "control characters. Check CLOUDSDK_CORE_REQUEST_REASON.");
    return 0;
}

static void read_connection(const struct source *s, struct gcp_config *c)
{
    const char *https = own(s, "https_proxy"), *http = own(s, "http_proxy");
    int64_t ms = 0;
    /* One proxy for both, as in the aws block; the environment is libcurl's to read. */
    c->http.proxy = https ? https : http;
    c->http.no_proxy = own(s, "no_proxy");
    c->http.ca_bundle = own(s, "custom_ca_bundle");
    c->http.insecure = flag(s, "insecure", NULL);
    const struct value *timeout = value_get(s->block, "request_timeout");
    if (!value_is_known(timeout) || schema_duration_parse(value_slice(timeout), &ms) < 0 || ms <= 0)
        ms = REQUEST_TIMEOUT_MS;
    c->http.request_timeout_ms = ms;
    int64_t retries = value_int_or(value_get(s->block, "max_retries"), RETRIES_DEFAULT);
    const char *mode = own(s, "retry_mode");
    c->retry.mode = mode && strcmp(mode, "adaptive") == 0 ? RETRY_ADAPTIVE : RETRY_STANDARD;
    c->retry.max_attempts = (int)(retries < 0 ? 0 : retries > 1000 ? 1000 : retries) + 1;
}

int gcp_config_resolve(struct arena *a, const struct value *block, struct gcp_config *ret,
                       struct diags *diags)
{
    const struct source s = {a, block};
    struct gcloud_properties gcloud = {NULL, NULL, NULL};
    memset(ret, 0, sizeof(*ret));
    read_credentials(&s, ret);
    read_projects(&s, ret);
    read_connection(&s, ret);
    const char *directory = gcloud_directory(a);
    if (directory) {
        gcloud_properties_read(a, directory, &gcloud, diags);
        ret->well_known_path =
            arena_printf(a, "%s/application_default_credentials.json", directory);
    }
    if (gcloud.project && is_project(slice_str(gcloud.project)))
        ret->gcloud_project = gcloud.project;
    ret->endpoints = own_value(&s, "endpoints");
    ret->default_labels = own_value(&s, "default_labels");
    if (!ret->default_labels)
        ret->default_labels = value_map(a, &type_string, NULL, 0);
    if (check_texts_of_environment(&s, ret, diags) < 0 || read_places(&s, &gcloud, ret, diags) < 0)
        return -1;
    if (arena_failed(a) || !ret->default_labels)
        return diags_error(diags, NULL, "Out of memory", "The GCP settings could not be kept.");
    return 0;
}
