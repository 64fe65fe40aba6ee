/* Decoding answers and errors of the AWS protocols. */
#include "aws/protocol.h"

#include <string.h>
#include <strings.h>

#include "aws/errors.h"
#include "aws/xml.h"
#include "cloud/template.h"
#include "value/codec.h"

enum { EXCERPT = 200, RETRY_AFTER_MOST_MS = 86400000 };

static bool is_xml(const struct aws_service *s)
{
    return s->protocol != AWS_PROTOCOL_JSON && s->protocol != AWS_PROTOCOL_REST_JSON;
}

static const char *text_of(struct arena *a, struct slice s)
{
    return s.len ? arena_strndup(a, s.ptr, s.len) : NULL;
}

static const char *header_text(struct arena *a, const struct http_response *r, const char *name)
{
    return text_of(a, http_header_get(r, name));
}

static const char *request_id_header(struct arena *a, const struct http_response *r)
{
    static const char *const names[] = {"x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (http_header_get(r, names[i]).len)
            return header_text(a, r, names[i]);
    return NULL;
}

/* The start of a body in one line, for messages. */
static const char *excerpt(struct arena *a, struct slice body)
{
    size_t len = body.len < EXCERPT ? body.len : EXCERPT;
    char *text = arena_strndup(a, body.ptr ? body.ptr : "", len);
    for (char *p = text; p && *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = ' ';
    return text ? text : "";
}

static int not_an_answer(struct arena *a, const struct http_response *r, const char *why,
                         struct cloud_error *err)
{
    const char *type = header_text(a, r, "content-type");
    err->class_ = CLOUD_ERROR_PROTOCOL;
    err->http_status = r->status;
    err->request_id = request_id_header(a, r);
    err->maybe_processed = true;
    err->message = arena_printf(
        a,
        "the answer (HTTP status %d, %s, %zu bytes) is not the API's: %s. It "
        "starts with \"%s\"",
        r->status, type ? type : "no content type", r->body.len, why, excerpt(a, r->body));
    if (!err->message)
        err->message = "the answer is not the API's";
    return -1;
}

static const struct value *empty_object(struct arena *a)
{
    return value_object(a, NULL, 0);
}

static int decode_xml(struct arena *a, const struct aws_service *s,
                      const struct cloud_operation *op, const struct http_response *r,
                      const struct value **ret, struct cloud_error *err)
{
    const struct value *v = NULL;
    const char *root = NULL, *why = NULL;
    if (!r->body.len && s->protocol == AWS_PROTOCOL_REST_XML) {
        *ret = empty_object(a);
        return *ret ? 0 : -1;
    }
    if (aws_xml_parse(a, r->body, &v, &root, &why) < 0)
        return not_an_answer(a, r, why, err);
    bool html = strcasecmp(root, "html") == 0;
    const char *expected = arena_printf(a, "%sResponse", op->name);
    bool named = s->protocol == AWS_PROTOCOL_REST_XML || (expected && strcmp(root, expected) == 0);
    if (html || !named)
        return not_an_answer(
            a, r, arena_printf(a, "its root element is <%s>", root) ?: "wrong root", err);
    if (s->protocol == AWS_PROTOCOL_QUERY) {
        const char *result = arena_printf(a, "%sResult", op->name);
        v = result ? value_get(v, result) : NULL;
    }
    bool object = value_is_known(v) && v->type->kind == TYPE_OBJECT;
    *ret = object ? v : empty_object(a);
    return *ret ? 0 : -1;
}

static int decode_json(struct arena *a, const struct http_response *r, const struct value **ret,
                       struct cloud_error *err)
{
    struct diags d;
    const struct value *v = NULL;
    diags_init(&d, a);
    if (!r->body.len) {
        *ret = empty_object(a);
        return *ret ? 0 : -1;
    }
    if (value_json_parse(a, r->body, &v, &d) < 0)
        return not_an_answer(a, r, d.first ? d.first->detail : "it is no JSON", err);
    if (v->type->kind != TYPE_OBJECT)
        return not_an_answer(a, r, "it is no JSON object", err);
    *ret = v;
    return 0;
}

int aws_protocol_decode(struct arena *a, const struct aws_service *s,
                        const struct cloud_operation *op, const struct http_response *response,
                        const struct value **ret, struct cloud_error *err)
{
    int rc =
        is_xml(s) ? decode_xml(a, s, op, response, ret, err) : decode_json(a, response, ret, err);
    if (rc < 0 && err->class_ == CLOUD_ERROR_NONE) {
        err->class_ = CLOUD_ERROR_NO_MEMORY;
        err->message = "memory ran out";
    }
    return rc;
}

/* ---- errors ---- */

static const char *first_text(const struct value *v, const char *const *paths, struct arena *a)
{
    for (; *paths; paths++) {
        const struct value *found = template_select(a, v, *paths);
        if (value_slice(found).len)
            return value_cstr(found, NULL);
    }
    return NULL;
}

static bool error_xml(struct arena *a, const struct http_response *r, struct cloud_error *err)
{
    /* ec2: Response.Errors.Error, of which there may be many; query: ErrorResponse.Error; S3: Error
     */
    static const char *const code[] = {"Errors.Error.Code", "Errors.Error.0.Code", "Error.Code",
                                       "Code", NULL};
    static const char *const message[] = {"Errors.Error.Message", "Errors.Error.0.Message",
                                          "Error.Message", "Message", NULL};
    static const char *const id[] = {"RequestID", "RequestId", NULL};
    const struct value *v = NULL;
    const char *why = NULL;
    if (aws_xml_parse(a, r->body, &v, NULL, &why) < 0)
        return false;
    err->code = first_text(v, code, a);
    err->message = first_text(v, message, a);
    err->request_id = first_text(v, id, a);
    return err->code != NULL;
}

/* "com.amazonaws.x#ThrottlingException:http://…" is "ThrottlingException". */
static const char *plain_code(struct arena *a, const char *code)
{
    const char *hash = code ? strrchr(code, '#') : NULL;
    const char *start = hash ? hash + 1 : code;
    return start ? arena_strndup(a, start, strcspn(start, ":")) : NULL;
}

static bool error_json(struct arena *a, const struct http_response *r, struct cloud_error *err)
{
    static const char *const code[] = {"__type", "code", "Code", "error", NULL};
    static const char *const message[] = {"message", "Message", "errorMessage", "error_description",
                                          NULL};
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, a);
    const char *type = header_text(a, r, "x-amzn-errortype");
    if (r->body.len && value_json_parse(a, r->body, &v, &d) == 0) {
        err->message = first_text(v, message, a);
        if (!type)
            type = first_text(v, code, a);
    }
    err->code = plain_code(a, type);
    return err->code != NULL;
}

/* What is said of an answer without a code: 5xx and 429 come from something between (a proxy, a
 * load balancer), and an answer to HEAD has no body. */
static void error_without_code(struct arena *a, const struct http_response *r,
                               struct cloud_error *err)
{
    err->code = NULL;
    err->message =
        r->body.len
            ? arena_printf(
                  a, "HTTP status %d with a body that is not the API's; it starts with \"%s\"",
                  r->status, excerpt(a, r->body))
            : arena_printf(a, "HTTP status %d without a message", r->status);
}

/* Milliseconds that the answer asks to wait; -1: it does not. Retry-After may be a date too
 * (RFC 9110, 10.2.3); AWS sends seconds, and x-amz-retry-after in milliseconds. */
static int64_t retry_after_ms(struct arena *a, const struct http_response *r)
{
    struct slice ms = http_header_get(r, "x-amz-retry-after"),
                 s = http_header_get(r, "retry-after");
    const struct number *n = number_parse(a, ms.len ? ms : s);
    int64_t wait = 0;
    if (!n || !number_to_int(n, &wait) || wait < 0 || wait > RETRY_AFTER_MOST_MS)
        return -1;
    return ms.len ? wait : wait * 1000;
}

/* A refusal whose message names no action: most often it is the call's own. */
static void name_permission(struct arena *a, const struct aws_service *s, struct cloud_error *err)
{
    if (!s->actions || err->class_ != CLOUD_ERROR_PERMISSION || !err->operation ||
        strstr(err->message, "perform:"))
        return;
    const char *text = arena_printf(a, "%s (the call needs the permission %s:%s)", err->message,
                                    s->actions, err->operation);
    if (text)
        err->message = text;
}

void aws_protocol_error(struct arena *a, const struct aws_service *s,
                        const struct http_response *response, struct cloud_error *err)
{
    bool decoded = is_xml(s) ? error_xml(a, response, err) : error_json(a, response, err);
    int status = response->status;
    bool between = status >= 500 || status == 429 || !response->body.len;
    if (!decoded && !between) {
        not_an_answer(a, response, "an error without the API's code", err);
        err->maybe_processed = false;
        if (status == 403 || status == 401)
            err->class_ = aws_classify(s->id, NULL, status);
        return;
    }
    err->http_status = status;
    err->class_ = aws_classify(s->id, err->code, status);
    if (!decoded)
        error_without_code(a, response, err);
    if (!err->request_id)
        err->request_id = request_id_header(a, response);
    if (!err->message)
        err->message = arena_printf(a, "HTTP status %d without a message", status);
    if (!err->message)
        err->message = "no message";
    name_permission(a, s, err);
    /* An error that the service decoded was refused, not done; broken ones may have been. */
    err->maybe_processed = err->class_ == CLOUD_ERROR_TRANSIENT;
    err->retry_after_ms = retry_after_ms(a, response);
}
