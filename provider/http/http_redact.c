/* What the log may show of an exchange. */
#include "http/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

enum { SHOWN_MOST = 4096 };

bool http_header_is_secret(struct slice name)
{
    static const char *const secret[] = {
        "authorization", "x-amz-security-token", "x-aws-ec2-metadata-token", "cookie",
        "set-cookie",    "proxy-authorization",  "x-amz-sso_bearer_token"};
    for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
        if (strlen(secret[i]) == name.len && strncasecmp(secret[i], name.ptr, name.len) == 0)
            return true;
    return false;
}

/* Names of members whose values are secret, compared without case and separators. */
static bool name_is_secret(struct slice name)
{
    static const char *const parts[] = {
        "password", "secretstring", "secretbinary", "secretkey",    "secretaccess",
        "token",    "userdata",     "privatekey",   "assertion",    "credential",
        "authkey",  "clientsecret", "signature",    "samlassertion"};
    static const char *const harmless[] = {"nexttoken", "clienttoken", "clientrequesttoken",
                                           "httptokens", "paginationtoken"};
    char folded[64];
    size_t n = 0;
    for (size_t i = 0; i < name.len && n + 1 < sizeof(folded); i++)
        if (isalnum((unsigned char)name.ptr[i]))
            folded[n++] = (char)tolower((unsigned char)name.ptr[i]);
    folded[n] = '\0';
    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (strcmp(folded, harmless[i]) == 0)
            return false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (strstr(folded, parts[i]))
            return true;
    return false;
}

static const char hidden[] = "(redacted)";

/* name=value&name=value */
static void redact_form(struct buf *out, struct slice body)
{
    size_t i = 0;
    while (i < body.len) {
        const char *end = memchr(body.ptr + i, '&', body.len - i);
        size_t len = end ? (size_t)(end - body.ptr) - i : body.len - i;
        const char *equals = memchr(body.ptr + i, '=', len);
        size_t name_len = equals ? (size_t)(equals - (body.ptr + i)) : len;
        if (equals && name_is_secret(slice_from(body.ptr + i, name_len))) {
            buf_append(out, body.ptr + i, name_len + 1);
            buf_append_str(out, hidden);
        } else {
            buf_append(out, body.ptr + i, len);
        }
        i += len;
        if (end) {
            buf_append_char(out, '&');
            i++;
        }
    }
}

/* The end of the JSON string that starts at `i`, behind its closing quote. */
static size_t string_end(struct slice s, size_t i)
{
    for (i++; i < s.len && s.ptr[i] != '"'; i++)
        if (s.ptr[i] == '\\')
            i++;
    return i < s.len ? i + 1 : s.len;
}

/* JSON is walked by its strings: one that is followed by a colon is a name. */
static void redact_json(struct buf *out, struct slice body)
{
    size_t i = 0;
    bool secret = false;
    while (i < body.len) {
        if (body.ptr[i] != '"') {
            if (body.ptr[i] == ',' || body.ptr[i] == '}' || body.ptr[i] == '{')
                secret = false;
            buf_append_char(out, body.ptr[i++]);
            continue;
        }
        size_t end = string_end(body, i), after = end;
        while (after < body.len && isspace((unsigned char)body.ptr[after]))
            after++;
        bool is_name = after < body.len && body.ptr[after] == ':';
        if (is_name)
            secret = name_is_secret(slice_from(body.ptr + i + 1, end - i - 1));
        if (!is_name && secret)
            buf_printf(out, "\"%s\"", hidden);
        else
            buf_append(out, body.ptr + i, end - i);
        i = end;
    }
}

/* <name>text</name> */
static void redact_xml(struct buf *out, struct slice body)
{
    size_t i = 0;
    while (i < body.len) {
        if (body.ptr[i] != '<') {
            buf_append_char(out, body.ptr[i++]);
            continue;
        }
        const char *end = memchr(body.ptr + i, '>', body.len - i);
        size_t len = end ? (size_t)(end - (body.ptr + i)) + 1 : body.len - i;
        buf_append(out, body.ptr + i, len);
        bool opening = len > 2 && body.ptr[i + 1] != '/' && body.ptr[i + len - 2] != '/';
        bool secret = opening && name_is_secret(slice_from(body.ptr + i + 1, len - 2));
        i += len;
        size_t text = i;
        while (i < body.len && body.ptr[i] != '<')
            i++;
        if (secret && i > text)
            buf_append_str(out, hidden);
        else
            buf_append(out, body.ptr + text, i - text);
    }
}

struct slice http_redact_body(struct arena *a, struct slice content_type, struct slice body)
{
    bool cut = body.len > 4 * SHOWN_MOST;
    struct slice seen = cut ? slice_from(body.ptr, 4 * SHOWN_MOST) : body;
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    const char *type = arena_strndup(a, content_type.ptr ? content_type.ptr : "", content_type.len);
    if (!type)
        return SLICE_EMPTY;
    if (strstr(type, "json") || (seen.len && seen.ptr[0] == '{'))
        redact_json(&b, seen);
    else if (strstr(type, "x-www-form-urlencoded"))
        redact_form(&b, seen);
    else if (strstr(type, "xml") || (seen.len && seen.ptr[0] == '<'))
        redact_xml(&b, seen);
    else if (seen.len)
        buf_printf(&b, "(%zu bytes)", body.len);
    cut = cut || b.len > SHOWN_MOST;
    size_t len = b.len > SHOWN_MOST ? SHOWN_MOST : b.len;
    const char *text = arena_printf(a, "%.*s%s", (int)len, buf_cstr(&b), cut ? "…" : "");
    return slice_str(text);
}
