/* Answers that refuse a request and repeat its secrets: a cloud that quotes what it was sent (AWS
 * does so with the session token, in the canonical request of a SignatureDoesNotMatch) must not
 * bring a secret into messages and logs. */
#include "http/http.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "http/http_names.h"

enum { SECRETS_MOST = 64, LENGTH_LEAST = 8, PLAIN_LEAST = 16 };

static const char hidden[] = "(redacted)";

struct secrets {
    struct slice items[SECRETS_MOST];
    size_t count;
    struct buf decoded; /* has its maximum from the start, so that slices of it stay */
};

/* The longest piece of `s` that is written the same in JSON, XML, forms and URLs. */
static struct slice longest_plain(struct slice s)
{
    struct slice best = SLICE_EMPTY;
    for (size_t i = 0; i < s.len; i++) {
        size_t from = i;
        while (i < s.len && (isalnum((unsigned char)s.ptr[i]) || strchr("-._~", s.ptr[i])))
            i++;
        if (i - from > best.len)
            best = slice_from(s.ptr + from, i - from);
    }
    return best;
}

/* Short values are no secrets, and would make holes in words. What may come back in another writing
 * than it was sent in is known by its longest plain piece. */
static void add(struct secrets *s, struct slice value)
{
    if (value.len < LENGTH_LEAST || s->count + 2 > SECRETS_MOST)
        return;
    struct slice plain = longest_plain(value);
    s->items[s->count++] = value;
    if (plain.len >= PLAIN_LEAST && plain.len < value.len)
        s->items[s->count++] = plain;
}

/* ---- what is secret in a request ---- */

/* "Bearer TOKEN", and the key id of "AWS4-HMAC-SHA256 Credential=ID/DATE/…". */
static void add_header(struct secrets *s, struct slice value)
{
    static const char credential[] = "Credential=";
    const char *space = value.len ? memchr(value.ptr, ' ', value.len) : NULL;
    add(s, value);
    if (!space)
        return;
    struct slice rest = slice_from(space + 1, value.len - (size_t)(space - value.ptr) - 1);
    add(s, rest);
    if (slice_has_prefix(rest, credential)) {
        size_t from = sizeof(credential) - 1;
        const char *slash = memchr(rest.ptr, '/', rest.len);
        if (slash && slash > rest.ptr + from)
            add(s, slice_from(rest.ptr + from, (size_t)(slash - rest.ptr) - from));
    }
}

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : (tolower((unsigned char)c) - 'a') + 10;
}

/* A form's value as it is, and as it was before it was encoded. */
static void add_form_value(struct secrets *s, struct slice value)
{
    size_t start = s->decoded.len;
    add(s, value);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '%' && i + 2 < value.len && isxdigit((unsigned char)value.ptr[i + 1]) &&
            isxdigit((unsigned char)value.ptr[i + 2])) {
            c = (char)(digit(value.ptr[i + 1]) * 16 + digit(value.ptr[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        buf_append_char(&s->decoded, c);
    }
    if (!s->decoded.failed)
        add(s, slice_from(s->decoded.ptr + start, s->decoded.len - start));
}

static void add_form(struct secrets *s, struct slice body)
{
    for (size_t i = 0; i < body.len;) {
        const char *end = memchr(body.ptr + i, '&', body.len - i);
        size_t len = end ? (size_t)(end - body.ptr) - i : body.len - i;
        const char *equals = memchr(body.ptr + i, '=', len);
        size_t name = equals ? (size_t)(equals - body.ptr) - i : len;
        if (equals && http_name_is_secret(slice_from(body.ptr + i, name)))
            add_form_value(s, slice_from(equals + 1, len - name - 1));
        i += len + 1;
    }
}

/* The strings of a JSON text that stand below a secret name, as they are written there. */
static void add_json(struct secrets *s, struct slice body)
{
    size_t depth = 0, secret_depth = 0; /* 0: not inside a secret member */
    bool secret_value = false;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];
        if (c == '{' || c == '[') {
            depth++;
            if (secret_value && !secret_depth)
                secret_depth = depth;
        } else if (c == '}' || c == ']') {
            if (depth == secret_depth)
                secret_depth = 0;
            depth -= depth > 0;
            secret_value = false;
        } else if (c == ',' && !secret_depth) {
            secret_value = false;
        } else if (c == '"') {
            size_t end = http_json_string_end(body, i), next = end;
            while (next < body.len && isspace((unsigned char)body.ptr[next]))
                next++;
            struct slice text = slice_from(body.ptr + i + 1, end - i > 1 ? end - i - 2 : 0);
            bool name = next < body.len && body.ptr[next] == ':';
            if (name && !secret_depth)
                secret_value = http_name_is_secret(text);
            else if (!name && (secret_value || secret_depth))
                add(s, text);
            i = end - 1;
        }
    }
}

static void collect(struct secrets *s, const struct http_request *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (http_header_is_secret(r->headers[i].name))
            add_header(s, r->headers[i].value);
    size_t start = 0;
    while (start < r->body.len && isspace((unsigned char)r->body.ptr[start]))
        start++;
    if (start == r->body.len)
        return;
    if (r->body.ptr[start] == '{' || r->body.ptr[start] == '[')
        add_json(s, r->body);
    else
        add_form(s, r->body);
}

/* ---- the answer ---- */

/* The longest secret that stands at `at`; 0: none does. */
static size_t secret_at(const struct secrets *s, struct slice at)
{
    size_t longest = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].len > longest && s->items[i].len <= at.len &&
            memcmp(s->items[i].ptr, at.ptr, s->items[i].len) == 0)
            longest = s->items[i].len;
    return longest;
}

static bool has_any(const struct secrets *s, struct slice text)
{
    for (size_t i = 0; i < s->count; i++)
        if (text.len && memmem(text.ptr, text.len, s->items[i].ptr, s->items[i].len))
            return true;
    return false;
}

int http_hide_echo(const struct http_request *r, struct buf *text)
{
    struct secrets s = {.count = 0, .decoded = BUF_INIT(r->body.len)};
    struct buf out = BUF_INIT(text->max < SIZE_MAX / 2 ? 2 * text->max : text->max);
    if (buf_append_slice(&s.decoded, r->body) == 0)
        buf_reset(&s.decoded); /* it is large enough now, and does not move */
    collect(&s, r);
    if (has_any(&s, buf_slice(text))) {
        for (size_t i = 0; i < text->len;) {
            size_t len = secret_at(&s, slice_from(text->ptr + i, text->len - i));
            if (len)
                buf_append_str(&out, hidden);
            else
                buf_append_char(&out, text->ptr[i]);
            i += len ? len : 1;
        }
        struct buf with = *text;
        size_t max = text->max;
        *text = out;
        text->max = max;
        out = with;
    }
    int rc = text->failed || s.decoded.failed ? -1 : 0;
    buf_clean_up(&out);
    buf_clean_up(&s.decoded);
    return rc;
}
