/* Encoding requests for the AWS protocols (Smithy, "AWS protocols"). */
#include "aws/protocol.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/buf.h"
#include "value/codec.h"

enum { BODY_MOST = 16 << 20, NAME_MOST = 64 << 10, DEPTH_MOST = 32, REST_HEADERS_MOST = 4 };

/* ---- forms: ec2 and query ---- */

struct form {
    struct buf *out;
    bool members; /* query: lists are "Name.member.1" */
    const char *why;
};

static void form_pair(struct form *f, struct slice name, struct slice value)
{
    buf_append_char(f->out, '&');
    http_encode_uri(f->out, name, false);
    buf_append_char(f->out, '=');
    http_encode_uri(f->out, value, false);
}

static int form_scalar(struct form *f, const struct value *v, struct slice name)
{
    _cleanup_buf_ struct buf text = BUF_INIT(NAME_MOST);
    if (v->type->kind == TYPE_STRING) {
        form_pair(f, name, v->string);
        return 0;
    }
    if (v->type->kind == TYPE_BOOL)
        buf_append_str(&text, v->boolean ? "true" : "false");
    else
        number_format(&text, v->number);
    f->out->failed |= text.failed;
    form_pair(f, name, buf_slice(&text));
    return 0;
}

static int form_value(struct form *f, const struct value *v, struct buf *name, int depth)
{
    if (value_is_null(v))
        return 0;
    if (value_is_unknown(v) || depth > DEPTH_MOST || name->failed) {
        f->why = "a value in the request is not known, or nested too deep";
        return -1;
    }
    if (v->type->kind <= TYPE_STRING)
        return form_scalar(f, v, buf_slice(name));
    bool named = v->type->kind == TYPE_OBJECT || v->type->kind == TYPE_MAP;
    size_t len = name->len;
    for (size_t i = 0; i < v->count; i++) {
        if (len)
            buf_append_char(name, '.');
        if (named)
            buf_append_slice(name, v->members[i].key);
        else
            buf_printf(name, "%s%zu", f->members ? "member." : "", i + 1);
        if (form_value(f, v->members[i].value, name, depth + 1) < 0)
            return -1;
        name->len = len;
        if (name->ptr)
            name->ptr[len] = '\0';
    }
    return 0;
}

static void add_header(struct aws_wire_request *r, const char *name, const char *value)
{
    r->headers[r->header_count].name = slice_str(name);
    r->headers[r->header_count++].value = slice_str(value);
}

static int keep_body(struct arena *a, const struct buf *b, struct aws_wire_request *r,
                     const char **ret_why)
{
    char *copy = arena_buf(a, b);
    if (!copy) {
        *ret_why = "it is over 16 MiB, or memory ran out";
        return -1;
    }
    r->body = slice_from(copy, b->len);
    return 0;
}

static int encode_form(struct arena *a, const struct aws_service *s,
                       const struct cloud_operation *op, const struct value *request,
                       struct aws_wire_request *r, const char **ret_why)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BODY_MOST);
    _cleanup_buf_ struct buf name = BUF_INIT(NAME_MOST);
    struct form f = {&body, s->protocol == AWS_PROTOCOL_QUERY, NULL};
    buf_printf(&body, "Action=%s&Version=%s", op->name, s->version);
    if (request && form_value(&f, request, &name, 0) < 0) {
        *ret_why = f.why;
        return -1;
    }
    r->method = "POST";
    r->path = "/";
    add_header(r, "content-type", "application/x-www-form-urlencoded; charset=utf-8");
    return keep_body(a, &body, r, ret_why);
}

/* ---- JSON ---- */

static int json_body(struct arena *a, const struct value *request, struct aws_wire_request *r,
                     const char **ret_why)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BODY_MOST);
    int rc = request ? value_json_write(&body, request, true) : buf_append_str(&body, "{}");
    if (rc < 0) {
        *ret_why = "a value in the request is not known, or it is over 16 MiB";
        return -1;
    }
    return keep_body(a, &body, r, ret_why);
}

static int encode_json(struct arena *a, const struct aws_service *s,
                       const struct cloud_operation *op, const struct value *request,
                       struct aws_wire_request *r, const char **ret_why)
{
    const char *type = arena_printf(a, "application/x-amz-json-%s", s->version);
    const char *target = arena_printf(a, "%s.%s", s->target, op->name);
    if (!type || !target)
        return -1;
    r->method = "POST";
    r->path = "/";
    add_header(r, "content-type", type);
    add_header(r, "x-amz-target", target);
    return json_body(a, request, r, ret_why);
}

/* ---- REST ---- */

/* A scalar as text; NULL when it is absent or something else. */
static const char *text_of(struct arena *a, const struct value *v)
{
    if (!value_is_known(v) || v->type->kind > TYPE_STRING)
        return NULL;
    struct diags ignored;
    diags_init(&ignored, a);
    return value_cstr(value_convert(a, v, &type_string, NULL, &ignored), NULL);
}

static const char *scalar_text(struct arena *a, const struct value *request, struct slice name)
{
    return text_of(a, value_get_slice(request, name));
}

struct rest {
    struct buf path, query;
    struct slice used[32]; /* members that path or query carry */
    size_t used_count;
};

static int rest_path_param(struct arena *a, struct rest *r, const struct value *request,
                           struct slice name, const char **ret_why)
{
    bool greedy = name.len && name.ptr[name.len - 1] == '+';
    if (greedy)
        name.len--;
    const char *text = scalar_text(a, request, name);
    if (!text || !*text || r->used_count == sizeof(r->used) / sizeof(*r->used)) {
        *ret_why = arena_printf(a, "the path needs %.*s", (int)name.len, name.ptr);
        return -1;
    }
    r->used[r->used_count++] = name;
    return http_encode_uri(&r->path, slice_str(text), greedy);
}

static int rest_query_value(struct rest *r, struct slice name, const char *text)
{
    buf_append_str(&r->query, r->query.len ? "&" : "");
    http_encode_uri(&r->query, name, false);
    buf_append_char(&r->query, '=');
    return http_encode_uri(&r->query, slice_str(text), false);
}

/* A list is its name again for each of its members. */
static int rest_query_param(struct arena *a, struct rest *r, const struct value *request,
                            struct slice name)
{
    const struct value *v = value_get_slice(request, name);
    const char *text = text_of(a, v);
    bool list = value_is_known(v) && v->type->kind > TYPE_STRING;
    if ((!text && !list) || r->used_count == sizeof(r->used) / sizeof(*r->used))
        return 0;
    r->used[r->used_count++] = name;
    if (text)
        return rest_query_value(r, name, text);
    for (size_t i = 0; i < value_count(v); i++) {
        text = text_of(a, value_at(v, i));
        if (!text || rest_query_value(r, name, text) < 0)
            return -1;
    }
    return 0;
}

/* "/{Bucket}/{Key+}?list-type=2{?prefix,max-keys}" */
static int rest_uri(struct arena *a, struct rest *r, const char *uri, const struct value *request,
                    const char **ret_why)
{
    bool in_query = false;
    while (*uri) {
        if (*uri == '?') {
            in_query = true;
            uri++;
        } else if (*uri != '{') {
            buf_append_char(in_query ? &r->query : &r->path, *uri++);
        } else {
            size_t len = strcspn(++uri, "}");
            struct slice inner = slice_from(uri, len);
            uri += len + (uri[len] == '}');
            bool query = inner.len && *inner.ptr == '?';
            if (!query && rest_path_param(a, r, request, inner, ret_why) < 0)
                return -1;
            for (size_t i = 1; query && i < inner.len;) {
                size_t n = 0;
                while (i + n < inner.len && inner.ptr[i + n] != ',')
                    n++;
                if (rest_query_param(a, r, request, slice_from(inner.ptr + i, n)) < 0)
                    return -1;
                i += n + 1;
            }
        }
    }
    return 0;
}

/* Members that are HTTP headers by their wire names. */
static bool is_header_name(struct slice name)
{
    static const char *const names[] = {"Content-MD5", "Content-Type", "If-Match", "If-None-Match"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_eq_str(name, names[i]))
            return true;
    return slice_has_prefix(name, "x-amz-");
}

/* Takes the headers out of the members that path and query have left. 0 or -1. */
static int rest_headers(struct arena *a, struct rest *r, const struct value *request,
                        struct aws_wire_request *ret, const char **ret_why)
{
    for (size_t i = 0; i < value_count(request); i++) {
        struct slice name = request->members[i].key;
        if (!is_header_name(name) || value_is_null(request->members[i].value))
            continue;
        const char *text = scalar_text(a, request, name);
        if (!text || r->used_count == sizeof(r->used) / sizeof(*r->used) ||
            ret->header_count >= REST_HEADERS_MOST) {
            *ret_why = arena_printf(a, "%.*s is no text, or there are too many headers",
                                    (int)name.len, name.ptr);
            return -1;
        }
        r->used[r->used_count++] = name;
        ret->headers[ret->header_count].name = name;
        ret->headers[ret->header_count++].value = slice_str(text);
    }
    return 0;
}

/* What path, query and headers do not carry; NULL when nothing is left. */
static const struct value *rest_rest(struct arena *a, const struct rest *r,
                                     const struct value *request)
{
    struct value_member *m = arena_new_array(a, value_count(request), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(request); i++) {
        bool used = value_is_null(request->members[i].value);
        for (size_t k = 0; k < r->used_count; k++)
            used |= slice_eq(r->used[k], request->members[i].key);
        if (!used)
            m[count++] = request->members[i];
    }
    return m && count ? value_object(a, m, count) : NULL;
}

static void xml_text(struct buf *out, struct slice s)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\r', "&#13;"}};
    for (size_t i = 0; i < s.len; i++) {
        const char *as = NULL;
        for (size_t k = 0; k < sizeof(escapes) / sizeof(*escapes); k++)
            as = escapes[k].c == s.ptr[i] ? escapes[k].as : as;
        if (as)
            buf_append_str(out, as);
        else
            buf_append_char(out, s.ptr[i]);
    }
}

/* An object member is an element of its name, the members of a tuple are elements of the tuple's
 * name. */
static int xml_element(struct arena *a, struct buf *out, struct slice name, const struct value *v,
                       const char *xmlns, int depth)
{
    bool list = value_is_known(v) && (v->type->kind == TYPE_TUPLE || v->type->kind == TYPE_LIST ||
                                      v->type->kind == TYPE_SET);
    if (value_is_unknown(v) || depth > DEPTH_MOST)
        return -1;
    if (value_is_null(v))
        return 0;
    for (size_t i = 0; list && i < v->count; i++)
        if (xml_element(a, out, name, v->members[i].value, xmlns, depth + 1) < 0)
            return -1;
    if (list)
        return 0;
    buf_printf(out, "<%.*s", (int)name.len, name.ptr);
    if (xmlns)
        buf_printf(out, " xmlns=\"%s\"", xmlns);
    buf_append_char(out, '>');
    if (v->type->kind > TYPE_STRING) {
        for (size_t i = 0; i < v->count; i++)
            if (xml_element(a, out, v->members[i].key, v->members[i].value, NULL, depth + 1) < 0)
                return -1;
    } else {
        struct diags ignored;
        diags_init(&ignored, a);
        xml_text(out, value_slice(value_convert(a, v, &type_string, NULL, &ignored)));
    }
    return buf_printf(out, "</%.*s>", (int)name.len, name.ptr);
}

/* S3 refuses many documents without a checksum (S3 User Guide, "Checking object integrity"). */
static int add_checksum(struct arena *a, struct aws_wire_request *ret)
{
    unsigned char digest[SHA256_DIGEST_LENGTH], *text = arena_alloc(a, 48);
    if (!text)
        return -1;
    SHA256((const unsigned char *)ret->body.ptr, ret->body.len, digest);
    EVP_EncodeBlock(text, digest, sizeof(digest));
    add_header(ret, "x-amz-checksum-sha256", (const char *)text);
    return 0;
}

/* The one member that is left is the document: its name is the root element's; or, when it is a
 * text, the body as it is. */
static int rest_xml_body(struct arena *a, const struct aws_service *s, const struct value *rest,
                         struct aws_wire_request *ret, const char **ret_why)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BODY_MOST);
    const struct value_member *m = rest->members;
    if (rest->count != 1) {
        *ret_why = "more than one member is left for the body";
        return -1;
    }
    if (value_is_known(m->value) && m->value->type->kind == TYPE_STRING)
        buf_append_slice(&body, m->value->string);
    else if (!value_is_known(m->value) || m->value->type->kind != TYPE_OBJECT ||
             xml_element(a, &body, m->key, m->value, s->xmlns, 0) < 0) {
        *ret_why = "the body is no object, or a value in it is not known";
        return -1;
    } else {
        add_header(ret, "content-type", "application/xml");
    }
    if (keep_body(a, &body, ret, ret_why) < 0)
        return -1;
    return add_checksum(a, ret);
}

static int rest_body(struct arena *a, const struct aws_service *s, const struct value *rest,
                     struct aws_wire_request *ret, const char **ret_why)
{
    if (!rest)
        return 0;
    if (s->protocol == AWS_PROTOCOL_REST_XML)
        return rest_xml_body(a, s, rest, ret, ret_why);
    add_header(ret, "content-type", "application/json");
    return json_body(a, rest, ret, ret_why);
}

static int encode_rest(struct arena *a, const struct aws_service *s,
                       const struct cloud_operation *op, const struct value *request,
                       struct aws_wire_request *ret, const char **ret_why)
{
    struct rest r = {.path = BUF_INIT(64 * 1024), .query = BUF_INIT(64 * 1024)};
    int rc = op->uri && op->method ? rest_uri(a, &r, op->uri, request, ret_why) : -1;
    if (rc == 0)
        rc = rest_headers(a, &r, request, ret, ret_why);
    ret->method = op->method;
    ret->path = arena_buf(a, &r.path);
    ret->query = arena_buf(a, &r.query);
    if (r.path.failed || r.query.failed || !ret->path || !ret->query)
        rc = -1;
    if (rc == 0)
        rc = rest_body(a, s, rest_rest(a, &r, request), ret, ret_why);
    buf_clean_up(&r.path);
    buf_clean_up(&r.query);
    return rc;
}

int aws_protocol_encode(struct arena *a, const struct aws_service *s,
                        const struct cloud_operation *op, const struct value *request,
                        struct aws_wire_request *ret, const char **ret_why)
{
    memset(ret, 0, sizeof(*ret));
    ret->query = "";
    *ret_why = "memory ran out, or the operation has no path";
    switch (s->protocol) {
    case AWS_PROTOCOL_EC2:
    case AWS_PROTOCOL_QUERY:
        return encode_form(a, s, op, request, ret, ret_why);
    case AWS_PROTOCOL_JSON:
        return encode_json(a, s, op, request, ret, ret_why);
    default:
        return encode_rest(a, s, op, request, ret, ret_why);
    }
}
