/* What resources on Google Cloud share. */
#include "resources/gcp.h"

#include <string.h>

#include "cloud/template.h"

enum {
    PAGES_MOST = 64,
    PAGE_SIZE = 500,
    NAME_MOST = 63,
    LABEL_BYTES_MOST = 128,
    TEXT_MOST = 4096,
    CONDITION_MOST = 4096
};

/* ---- names ---- */

/* RFC 1035 names, as Compute Engine wants them ("Naming resources"). */
static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        bool letter = ch >= 'a' && ch <= 'z', digit = ch >= '0' && ch <= '9';
        if (!letter && (i == 0 || (!digit && ch != '-')))
            return false;
    }
    return s.len && s.len <= NAME_MOST && s.ptr[s.len - 1] != '-';
}

const char *gcp_full_name(struct arena *a, struct slice given, const char *parent)
{
    const char *text = arena_strndup(a, given.ptr, given.len);
    const char *projects = text ? strstr(text, "projects/") : NULL;
    if (!text || !parent)
        return NULL;
    return projects ? projects : arena_printf(a, "%s/%s", parent, text);
}

bool gcp_is_resource(struct arena *a, struct slice s, const char *middle, bool shortly)
{
    const char *text = arena_strndup(a, s.ptr, s.len);
    const char *at = text ? strstr(text, "projects/") : NULL;
    if (!at)
        return shortly && s.len && !memchr(s.ptr, '/', s.len);
    at += strlen("projects/");
    size_t project = strcspn(at, "/");
    if (!project || at[project] != '/')
        return false;
    for (at += project + 1; *middle; middle += strcspn(middle, "/"), middle += *middle == '/') {
        size_t len = strcspn(at, "/"), want = strcspn(middle, "/");
        bool any = want == 1 && *middle == '*';
        if (!len || at[len] != '/' || (!any && (len != want || strncmp(at, middle, len) != 0)))
            return false;
        at += len + 1;
    }
    return *at && !strchr(at, '/');
}

/* FNV-1a: tells the accounts of long names apart. */
static unsigned short_hash(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

const char *gcp_account_id(struct arena *a, const char *name, const char *base)
{
    return arena_printf(a, "llm-%.17s-%08x", name, short_hash(base));
}

/* ---- objects ---- */

/* A part of a string literal of the Common Expression Language, in which IAM conditions are. */
static void append_literal(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_append_char(b, '\\');
        buf_append_char(b, s.ptr[i]);
    }
}

void gcp_split_uri(struct slice uri, struct slice *ret_bucket, struct slice *ret_prefix)
{
    struct slice rest = uri.len > 5 ? slice_from(uri.ptr + 5, uri.len - 5) : SLICE_EMPTY;
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    size_t bucket = slash ? (size_t)(slash - rest.ptr) : rest.len;
    struct slice prefix = slash ? slice_from(slash + 1, rest.len - bucket - 1) : SLICE_EMPTY;
    while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    *ret_bucket = slice_from(rest.ptr, bucket);
    *ret_prefix = prefix;
}

const struct value *gcp_objects_condition(struct arena *a, const char *title, struct slice uri)
{
    _cleanup_buf_ struct buf b = BUF_INIT(CONDITION_MOST);
    struct slice bucket, prefix;
    gcp_split_uri(uri, &bucket, &prefix);
    buf_printf(&b,
               "resource.name == \"projects/_/buckets/%.*s\" || "
               "resource.name.startsWith(\"projects/_/buckets/%.*s/objects/",
               (int)bucket.len, bucket.ptr, (int)bucket.len, bucket.ptr);
    append_literal(&b, prefix);
    buf_append_str(&b, prefix.len ? "/\")" : "\")");
    const struct value_member m[] = {{SLICE_LIT("title"), value_str(a, title)},
                                     {SLICE_LIT("expression"), value_buf(a, &b)}};
    return value_object(a, m, 2);
}

/* ---- places ---- */

bool gcp_is_zone_of(struct slice zone, const char *region)
{
    size_t len = strlen(region);
    return zone.len == len + 2 && slice_has_prefix(zone, region) && zone.ptr[len] == '-';
}

int gcp_check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    struct slice r = value_slice(config_get(config, "region"));
    bool zone =
        r.len > 2 && r.ptr[r.len - 2] == '-' && r.ptr[r.len - 1] >= 'a' && r.ptr[r.len - 1] <= 'z';
    if (!r.len)
        return 0;
    if (zone)
        return diags_error(diags, path_attribute(a, NULL, "region"), "A zone, not a region",
                           "\"%.*s\" is a zone. Its region is \"%.*s\".", (int)r.len, r.ptr,
                           (int)r.len - 2, r.ptr);
    if (!is_name(r))
        return diags_error(diags, path_attribute(a, NULL, "region"), "Invalid region",
                           "\"%.*s\" is no region's name; they are like us-central1.", (int)r.len,
                           r.ptr);
    return 0;
}

int gcp_check_subnetwork(struct arena *a, const struct value *given, const struct path *path,
                         struct slice region, const char *what, struct diags *diags)
{
    struct slice id = value_slice(given);
    if (!id.len)
        return 0;
    if (!gcp_is_resource(a, id, "regions/*/subnetworks", true))
        return diags_error(diags, path, "Invalid value",
                           "\"%.*s\" is not a subnetwork: its name, or "
                           "projects/…/regions/…/subnetworks/….",
                           (int)id.len, id.ptr);
    const char *text = arena_strndup(a, id.ptr, id.len);
    const char *of = text ? strstr(text, "/regions/") : NULL;
    size_t len = of ? strcspn(of + 9, "/") : 0;
    if (of && region.len && (len != region.len || strncmp(of + 9, region.ptr, len) != 0))
        return diags_error(diags, path, "A subnetwork of another region",
                           "It is in %.*s, and the %s in %.*s.", (int)len, of + 9, what,
                           (int)region.len, region.ptr);
    return 0;
}

/* ---- labels ---- */

/* "Requirements for labels" (Compute Engine documentation); the bytes: Secret Manager API,
 * Secret.labels. */
static bool is_label_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.ptr[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_' ||
                     ch == '-' || ch >= 0x80;
        if (!plain)
            return false;
    }
    return true;
}

int gcp_check_labels(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *tags = config_get(config, "tags");
    int rc = 0;
    for (size_t i = 0; i < value_count(tags); i++) {
        struct slice key = tags->members[i].key, value = value_slice(tags->members[i].value);
        const struct path *path = path_key(a, path_attribute(a, NULL, "tags"), key);
        bool start = key.len && ((key.ptr[0] >= 'a' && key.ptr[0] <= 'z') ||
                                 (unsigned char)key.ptr[0] >= 0x80);
        if (slice_has_prefix(key, "llm-") || slice_has_prefix(key, "goog"))
            rc = diags_error(diags, path, "Reserved label",
                             "Keys that start with llm- or goog are set by this provider and "
                             "Google.");
        if (utf8_length(key) > NAME_MOST || utf8_length(value) > NAME_MOST ||
            key.len > LABEL_BYTES_MOST || value.len > LABEL_BYTES_MOST)
            rc = diags_error(diags, path, "The label is too long",
                             "Google Cloud allows %d characters, and %d bytes in UTF-8, in a key "
                             "and in a value.",
                             NAME_MOST, LABEL_BYTES_MOST);
        if (!start || !is_label_text(key) || !is_label_text(value))
            rc = diags_error(diags, path, "Invalid label",
                             "On Google Cloud tags are labels: lower-case letters, digits, _ and - "
                             "are allowed, and a key starts with a letter.");
    }
    return rc;
}

/* ---- APIs ---- */

const struct cloud_operation gcp_get_services = {
    .service = "serviceusage",
    .name = "services.batchGet",
    .method = "GET",
    .uri = "/v1/projects/{project}/services:batchGet{?names}",
    .idempotent = true};
const struct value *gcp_service_names(const struct composite_context *c, const char *const *names,
                                      size_t count)
{
    const struct value **items = arena_new_array(c->arena, count + 1, const struct value *);
    for (size_t i = 0; items && i < count; i++)
        items[i] =
            value_printf(c->arena, "projects/%s/services/%s.googleapis.com", c->account, names[i]);
    return items ? value_tuple(c->arena, items, count) : NULL;
}

int gcp_check_services(const struct composite_context *c, int rc, const struct value *answer,
                       const struct cloud_error *err)
{
    _cleanup_buf_ struct buf missing = BUF_INIT(TEXT_MOST);
    if (rc < 0 && err->class_ != CLOUD_ERROR_PERMISSION && err->class_ != CLOUD_ERROR_NOT_FOUND)
        return cloud_error_report(c->diags, NULL, "looking up which APIs are enabled", err);
    if (rc < 0) {
        diags_warning(c->diags, NULL, "Whether the APIs are enabled was not checked", "%s",
                      err->message);
        return 0;
    }
    const struct value *list = value_get(answer, "services");
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *item = value_at(list, i);
        const struct value *name =
            template_transform(c->arena, TRANSFORM_BASENAME, value_get(item, "name"));
        if (!slice_eq_str(value_slice(value_get(item, "state")), "ENABLED"))
            buf_printf(&missing, "%s%s", missing.len ? " " : "", value_cstr(name, ""));
    }
    if (!missing.len)
        return 0;
    return diags_error(c->diags, path_attribute(c->arena, NULL, "cloud"), "An API is disabled",
                       "The project %s has not enabled: %s. Enable with: gcloud services enable %s "
                       "--project %s",
                       c->account, buf_cstr(&missing), buf_cstr(&missing), c->account);
}

/* ---- lists ---- */

int gcp_list(const struct composite_context *c, const struct cloud_operation *op,
             const struct value *request, const char *path, const struct value **ret,
             struct cloud_error *err)
{
    struct arena *a = c->arena;
    const struct value *answer = NULL, *all = value_tuple(a, NULL, 0);
    request = request ? value_with(a, request, "maxResults", value_int(a, PAGE_SIZE)) : NULL;
    for (int page = 0; page < PAGES_MOST; page++) {
        if (composite_call(c, a, op, request, &answer, err) < 0)
            return -1;
        all = value_tuple_join(a, all, template_select(a, answer, path));
        const struct value *token = value_get(answer, "nextPageToken");
        if (!all || !value_slice(token).len)
            break;
        request = value_with(a, request, "pageToken", token);
    }
    *ret = all;
    return all ? 0 : -1;
}
