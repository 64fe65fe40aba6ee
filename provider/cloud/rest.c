/* Encoding of requests. The templates are those of RFC 6570 that Google's discovery documents use
 * (level 1, reserved expansion), and form-style queries. */
#include "cloud/rest.h"

#include <string.h>

#include "base/buf.h"
#include "value/codec.h"

enum { URL_MOST = 64 * 1024, BODY_MOST = 16 << 20, NAMES_MOST = 32 };

struct encoder {
    struct arena *a;
    const struct value *request;
    struct buf path, query;
    struct slice used[NAMES_MOST]; /* members that the URI has */
    size_t used_count;
    const char *why;
};

static int fail(struct encoder *e, const char *why)
{
    e->why = why ? why : "memory ran out";
    return -1;
}

static const struct value *take(struct encoder *e, struct slice name)
{
    if (e->used_count < NAMES_MOST)
        e->used[e->used_count++] = name;
    return value_get_slice(e->request, name);
}

/* Strings, numbers and booleans as they stand in a URL; NULL for anything else. */
static const char *scalar(struct encoder *e, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(URL_MOST);
    if (!value_is_known(v) || v->type->kind >= TYPE_LIST)
        return NULL;
    if (v->type->kind == TYPE_STRING)
        return value_cstr(v, NULL);
    return value_json_write(&b, v, false) == 0 ? arena_buf(e->a, &b) : NULL;
}

static int path_member(struct encoder *e, struct slice name)
{
    bool reserved = name.len && name.ptr[0] == '+';
    if (reserved)
        name = slice_from(name.ptr + 1, name.len - 1);
    const char *text = scalar(e, take(e, name));
    if (!text || !*text)
        return fail(e, arena_printf(e->a, "\"%.*s\", which is part of the path, is missing",
                                    (int)name.len, name.ptr));
    /* A path of dots would be another path. */
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return fail(e, "a part of the path is only dots");
    return http_encode_uri(&e->path, slice_str(text), reserved);
}

static int query_value(struct encoder *e, struct slice name, const struct value *v)
{
    const char *text = scalar(e, v);
    if (!text)
        return fail(e,
                    arena_printf(e->a, "\"%.*s\" cannot be in a query", (int)name.len, name.ptr));
    buf_append_char(&e->query, e->query.len ? '&' : '?');
    http_encode_uri(&e->query, name, false);
    buf_append_char(&e->query, '=');
    return http_encode_uri(&e->query, slice_str(text), false);
}

static int query_member(struct encoder *e, struct slice name)
{
    const struct value *v = take(e, name);
    if (value_is_null(v))
        return 0;
    if (value_is_known(v) && v->type->kind >= TYPE_LIST) {
        for (size_t i = 0; i < value_count(v); i++)
            if (query_value(e, name, value_at(v, i)) < 0)
                return -1;
        return 0;
    }
    return query_value(e, name, v);
}

/* "?a,b" */
static int query(struct encoder *e, struct slice names)
{
    for (names = slice_from(names.ptr + 1, names.len - 1); names.len;) {
        const char *comma = memchr(names.ptr, ',', names.len);
        size_t len = comma ? (size_t)(comma - names.ptr) : names.len;
        if (query_member(e, slice_from(names.ptr, len)) < 0)
            return -1;
        names = comma ? slice_from(comma + 1, names.len - len - 1) : SLICE_EMPTY;
    }
    return 0;
}

static int uri(struct encoder *e, const char *template)
{
    while (*template) {
        if (*template != '{') {
            buf_append_char(&e->path, *template ++);
            continue;
        }
        size_t len = strcspn(++template, "}");
        struct slice inner = slice_from(template, len);
        template += len + (template[len] == '}');
        if ((len && *inner.ptr == '?' ? query(e, inner) : path_member(e, inner)) < 0)
            return -1;
    }
    return 0;
}

static bool is_used(const struct encoder *e, struct slice name)
{
    for (size_t i = 0; i < e->used_count; i++)
        if (slice_eq(e->used[i], name))
            return true;
    return false;
}

/* The members that the URI does not have. */
static const struct value *rest_of(struct encoder *e)
{
    size_t count = value_count(e->request), kept = 0;
    struct value_member *m = arena_new_array(e->a, count, struct value_member);
    for (size_t i = 0; m && i < count; i++)
        if (!is_used(e, e->request->members[i].key))
            m[kept++] = e->request->members[i];
    return m ? value_object(e->a, m, kept) : NULL;
}

int rest_encode_uri(struct arena *a, const struct cloud_operation *op, const struct value *request,
                    struct rest_request *ret, const struct value **ret_rest, const char **ret_why)
{
    struct encoder e = {
        .a = a, .request = request, .path = BUF_INIT(URL_MOST), .query = BUF_INIT(URL_MOST)};
    *ret = (struct rest_request){.body = SLICE_EMPTY};
    *ret_rest = NULL;
    int rc = uri(&e, op->uri);
    if (rc == 0) {
        ret->path = arena_printf(a, "%s%s", buf_cstr(&e.path), buf_cstr(&e.query));
        *ret_rest = rest_of(&e);
        rc = ret->path && *ret_rest && !e.path.failed && !e.query.failed ? 0 : fail(&e, NULL);
    }
    *ret_why = e.why;
    buf_clean_up(&e.path);
    buf_clean_up(&e.query);
    return rc;
}

int rest_encode(struct arena *a, const struct cloud_operation *op, const struct value *request,
                struct rest_request *ret, const char **ret_why)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BODY_MOST);
    const struct value *rest = NULL;
    bool has_body = strcmp(op->method, "GET") != 0 && strcmp(op->method, "DELETE") != 0;
    if (rest_encode_uri(a, op, request, ret, &rest, ret_why) < 0)
        return -1;
    if (!has_body)
        return 0;
    *ret_why = "a member of the body is not known";
    if (value_json_write(&b, rest, true) < 0)
        return -1;
    char *copy = arena_buf(a, &b);
    *ret_why = "memory ran out";
    ret->body = slice_from(copy, b.len);
    return copy ? 0 : -1;
}
