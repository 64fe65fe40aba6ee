/* Encoding of requests. Sources: "Kubernetes API Concepts" (resource URIs, field validation),
 * "Server-Side Apply" (content type, fieldManager, force), DeleteOptions of meta/v1. */
#include "kubernetes/call.h"

#include <string.h>

#include "cloud/rest.h"
#include "value/codec.h"

/* A request that is larger than 3 MiB no API server takes; etcd takes 1.5 MiB. */
enum { BODY_MOST = 3 << 20, QUERY_MOST = 1024 };

static const struct verb {
    const char *method, *content_type;
    bool writes_fields; /* has field manager and validation */
    bool applies;
    bool safe; /* once or twice is the same: the object is then as it was asked for, or gone */
} verbs[] = {
    {"GET", NULL, false, false, true},
    {"PATCH", "application/apply-patch+yaml", true, true, true},
    {"POST", "application/json", true, false, false},
    {"PUT", "application/json", true, false, false},
    {"DELETE", "application/json", false, false, true},
};

static const struct verb *verb_of(const char *method)
{
    for (size_t i = 0; method && i < sizeof(verbs) / sizeof(*verbs); i++)
        if (strcmp(verbs[i].method, method) == 0)
            return &verbs[i];
    return NULL;
}

static const char *url_of(const struct cloud_client *c, struct arena *a, const struct verb *verb,
                          const char *path)
{
    _cleanup_buf_ struct buf query = BUF_INIT(QUERY_MOST);
    if (verb->writes_fields) {
        buf_append_char(&query, strchr(path, '?') ? '&' : '?');
        buf_append_str(&query, "fieldManager=");
        http_encode_uri(&query, slice_str(c->field_manager), false);
        buf_append_str(&query, "&fieldValidation=Strict");
    }
    if (verb->applies)
        buf_append_str(&query, "&force=false");
    return query.failed ? NULL : arena_printf(a, "%s%s%s", c->endpoint, path, buf_cstr(&query));
}

/* What is left for the body of a DELETE are options, whose type the body names. */
static const struct value *delete_options(struct arena *a, const struct value *rest)
{
    size_t count = value_count(rest);
    struct value_member *m = arena_new_array(a, count + 2, struct value_member);
    if (!m)
        return NULL;
    if (count)
        memcpy(m, rest->members, count * sizeof(*m));
    m[count++] = (struct value_member){SLICE_LIT("apiVersion"), value_str(a, "v1")};
    m[count++] = (struct value_member){SLICE_LIT("kind"), value_str(a, "DeleteOptions")};
    return value_object(a, m, count);
}

static bool names_a_version(const struct value *body)
{
    return value_is_known(value_path(body, "metadata.resourceVersion")) ||
           value_is_known(value_path(body, "metadata.uid")) ||
           value_is_known(value_get(body, "preconditions"));
}

static const char *object_of(struct arena *a, const struct value *request)
{
    const char *kind = value_cstr(value_get(request, "kind"), NULL),
               *name = value_cstr(value_path(request, "metadata.name"), NULL),
               *namespace = value_cstr(value_get(request, "namespace"), NULL);
    if (!kind || !name)
        return NULL;
    return namespace ? arena_printf(a, "%s \"%s\" in \"%s\"", kind, name, namespace)
                     : arena_printf(a, "%s \"%s\"", kind, name);
}

int kubernetes_request_encode(const struct cloud_client *c, struct arena *a,
                              const struct cloud_operation *op, const struct value *request,
                              struct kubernetes_request *ret, const char **ret_why)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BODY_MOST);
    const struct verb *verb = verb_of(op->method);
    const struct value *rest = NULL;
    struct rest_request wire;
    *ret = (struct kubernetes_request){.method = op->method};
    *ret_why = "the operation has no method that Kubernetes knows, or no path";
    if (!verb || !op->uri || op->uri[0] != '/')
        return -1;
    if (rest_encode_uri(a, op, request, &wire, &rest, ret_why) < 0)
        return -1;
    ret->url = url_of(c, a, verb, wire.path);
    ret->safe = verb->safe || op->idempotent;
    ret->conditional = names_a_version(rest);
    ret->object = object_of(a, request);
    *ret_why = "memory ran out";
    if (!ret->url)
        return -1;
    if (!verb->content_type || (strcmp(verb->method, "DELETE") == 0 && !value_count(rest)))
        return 0;
    if (strcmp(verb->method, "DELETE") == 0 && !(rest = delete_options(a, rest)))
        return -1;
    *ret_why = "a member of the body is not known";
    if (!value_is_wholly_known(rest))
        return -1;
    *ret_why = "the body is larger than 3 MiB, or memory ran out";
    if (value_json_write(&b, rest, true) < 0)
        return -1;
    char *copy = arena_buf(a, &b);
    *ret_why = "memory ran out";
    ret->content_type = verb->content_type;
    ret->body = slice_from(copy, b.len);
    return copy ? 0 : -1;
}
