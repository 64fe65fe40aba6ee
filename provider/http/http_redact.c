/* What the log may show of an exchange: names that are known to carry secrets lose their values,
 * and what cannot be taken apart is not shown at all. */
#include "http/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "http/http_names.h"

enum { SHOWN_MOST = 4096, SEEN_MOST = 16384, NAME_MOST = 96 };

static const char hidden[] = "(redacted)";

/* Case and separators of a name do not matter: "user-data", "UserData" and "user_data" are one. */
static size_t fold(struct slice name, char ret[NAME_MOST])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len && n + 1 < NAME_MOST; i++)
        if (isalnum((unsigned char)name.ptr[i]))
            ret[n++] = (char)tolower((unsigned char)name.ptr[i]);
    ret[n] = '\0';
    return n;
}

static bool any_inside(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, parts[i]))
            return true;
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

bool http_header_is_secret(struct slice name)
{
    static const char *const parts[] = {"authorization", "cookie",      "token",    "secret",
                                        "password",      "apikey",      "authkey",  "signature",
                                        "credential",    "customerkey", "assertion"};
    char folded[NAME_MOST];
    fold(name, folded);
    return any_inside(folded, parts, COUNT(parts));
}

bool http_name_is_secret(struct slice name)
{
    static const char *const parts[] = {
        "password",   "passphrase",  "secretstring", "secretbinary", "secretkey",  "secretaccess",
        "token",      "userdata",    "privatekey",   "assertion",    "credential", "authkey",
        "apikey",     "signature",   "clientsecret", "plaintext",    "payload",    "stringdata",
        "kubeconfig", "keymaterial", "devicecode",   "accesskey"};
    /* Names with "token" or "signature" in them that are handles, states and versions. */
    static const char *const harmless[] = {
        "nexttoken",       "clienttoken",       "clientrequesttoken",
        "httptokens",      "paginationtoken",   "nextpagetoken",
        "pagetoken",       "continuationtoken", "nextcontinuationtoken",
        "tokentype",       "signatureversion",  "signaturemethod",
        "httptokensstate", "requesttoken",      "idempotencytoken",
        "maxtokens",       "credentialscope"};
    char folded[NAME_MOST];
    /* EC2's parameters have paths for names: MetadataOptions.HttpTokens. */
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
    size_t last = dot ? (size_t)(dot - name.ptr) + 1 : 0;
    fold(slice_from(name.ptr + last, name.len - last), folded);
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (strcmp(folded, harmless[i]) == 0)
            return false;
    fold(name, folded);
    /* A name that is written with escapes could be any. */
    bool escaped =
        name.len && (memchr(name.ptr, '\\', name.len) || memchr(name.ptr, '%', name.len));
    return escaped || any_inside(folded, parts, COUNT(parts));
}

/* ---- name=value&name=value ---- */

static void redact_form(struct buf *out, struct slice body)
{
    size_t i = 0;
    while (i < body.len) {
        const char *end = memchr(body.ptr + i, '&', body.len - i);
        size_t len = end ? (size_t)(end - body.ptr) - i : body.len - i;
        const char *equals = memchr(body.ptr + i, '=', len);
        size_t name_len = equals ? (size_t)(equals - (body.ptr + i)) : len;
        if (equals && http_name_is_secret(slice_from(body.ptr + i, name_len))) {
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

/* ---- JSON ---- */

static size_t skip_space(struct slice s, size_t i)
{
    while (i < s.len && isspace((unsigned char)s.ptr[i]))
        i++;
    return i;
}

size_t http_json_string_end(struct slice s, size_t i)
{
    for (i++; i < s.len && s.ptr[i] != '"'; i++)
        if (s.ptr[i] == '\\')
            i++;
    return i < s.len ? i + 1 : s.len;
}

/* The end of the JSON value at `i`, with everything inside it; the end of the text when it is cut
 * off there. */
static size_t value_end(struct slice s, size_t i)
{
    size_t depth = 0;
    while (i < s.len) {
        char c = s.ptr[i];
        if (c == '"') {
            i = http_json_string_end(s, i);
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            return i;
        } else {
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
            i++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return i;
    }
    return s.len;
}

static bool contains(struct slice s, const char *needle)
{
    return s.len && memmem(s.ptr, s.len, needle, strlen(needle)) != NULL;
}

/* JSON is walked by its strings: one that is followed by a colon is a name. Two kinds of document
 * give a harmless name to their secret: parameters of SSM ("Value" beside "SecureString") and
 * Secrets of Kubernetes and Google ("data"). */
static void redact_json(struct buf *out, struct slice body)
{
    bool secure_value = contains(body, "SecureString");
    bool secret_data = contains(body, "\"Secret\"") || contains(body, "dataCrc32c");
    size_t i = 0;
    while (i < body.len) {
        if (body.ptr[i] != '"') {
            buf_append_char(out, body.ptr[i++]);
            continue;
        }
        size_t end = http_json_string_end(body, i), colon = skip_space(body, end);
        buf_append(out, body.ptr + i, end - i);
        struct slice name = slice_from(body.ptr + i + 1, end - i - 1);
        name.len -= name.len > 0;
        i = end;
        if (colon >= body.len || body.ptr[colon] != ':')
            continue;
        size_t value = skip_space(body, colon + 1);
        buf_append(out, body.ptr + end, value - end);
        i = value;
        if (http_name_is_secret(name) || (secure_value && slice_eq_str(name, "Value")) ||
            (secret_data && slice_eq_str(name, "data"))) {
            buf_printf(out, "\"%s\"", hidden);
            i = value_end(body, value);
        }
    }
}

/* ---- XML ---- */

/* The name of the element whose start tag is at `i`; empty for other markup. */
static struct slice element_name(struct slice s, size_t i)
{
    size_t from = i + 1, to = from;
    while (to < s.len && !strchr(" \t\r\n/>?!", s.ptr[to]))
        to++;
    return slice_from(s.ptr + from, to - from);
}

/* Where the element `name` ends whose content starts at `i`: at its end tag. */
static size_t content_end(struct slice s, size_t i, struct slice name)
{
    for (; i + 2 + name.len <= s.len; i++)
        if (s.ptr[i] == '<' && s.ptr[i + 1] == '/' &&
            memcmp(s.ptr + i + 2, name.ptr, name.len) == 0)
            return i;
    return s.len;
}

static void redact_xml(struct buf *out, struct slice body)
{
    size_t i = 0;
    while (i < body.len) {
        const char *tag = memchr(body.ptr + i, '<', body.len - i);
        size_t at = tag ? (size_t)(tag - body.ptr) : body.len;
        buf_append(out, body.ptr + i, at - i);
        if (!tag)
            return;
        const char *end = memchr(tag, '>', body.len - at);
        size_t after = end ? (size_t)(end - body.ptr) + 1 : body.len;
        buf_append(out, tag, after - at);
        struct slice name = element_name(body, at);
        i = after;
        if (name.len && end && end[-1] != '/' && http_name_is_secret(name)) {
            buf_append_str(out, hidden);
            i = content_end(body, after, name);
        }
    }
}

/* ---- what callers use ---- */

static bool contains_fold(struct slice s, const char *needle)
{
    size_t len = strlen(needle);
    for (size_t i = 0; i + len <= s.len; i++)
        if (strncasecmp(s.ptr + i, needle, len) == 0)
            return true;
    return false;
}

/* `b` as text, cut at 4 KiB but never inside a character. */
static struct slice shown(struct arena *a, const struct buf *b, bool cut)
{
    size_t len = b->len;
    if (len > SHOWN_MOST) {
        cut = true;
        len = SHOWN_MOST;
        while (len && ((unsigned char)b->ptr[len] & 0xc0) == 0x80)
            len--;
    }
    const char *text = arena_printf(a, "%.*s%s", (int)len, buf_cstr(b), cut ? "…" : "");
    return slice_str(text);
}

struct slice http_redact_body(struct arena *a, struct slice content_type, struct slice body)
{
    bool cut = body.len > SEEN_MOST;
    struct slice seen = slice_from(body.ptr, cut ? SEEN_MOST : body.len);
    size_t start = skip_space(seen, 0);
    int first = start < seen.len ? seen.ptr[start] : '\0';
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    if (contains_fold(content_type, "json") || first == '{' || first == '[')
        redact_json(&b, seen);
    else if (contains_fold(content_type, "x-www-form-urlencoded"))
        redact_form(&b, seen);
    else if (contains_fold(content_type, "xml") || first == '<')
        redact_xml(&b, seen);
    else if (body.len)
        buf_printf(&b, "(%zu bytes)", body.len);
    return shown(a, &b, cut && b.len > 64);
}

struct slice http_redact_url(struct arena *a, const char *url)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    const char *scheme_end = strstr(url, "://");
    const char *host = scheme_end ? scheme_end + 3 : url;
    size_t host_len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', host_len);
    buf_append(&b, url, (size_t)(host - url));
    if (at) {
        buf_append_str(&b, hidden);
        host_len -= (size_t)(at - host);
        host = at;
    }
    size_t path_len = strcspn(host + host_len, "?#");
    buf_append(&b, host, host_len + path_len);
    const char *query = host + host_len + path_len;
    if (*query) {
        buf_append_char(&b, *query);
        redact_form(&b, slice_str(query + 1));
    }
    return shown(a, &b, false);
}
