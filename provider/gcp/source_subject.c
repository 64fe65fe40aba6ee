/* Subject tokens from files and URLs, as GitHub, GitLab, Kubernetes and Azure give them. */
#include <ctype.h>
#include <string.h>

#include "gcp/source.h"
#include "gcp/text_file.h"
#include "value/codec.h"

enum { HEADERS_MOST = 32 };

/* The token in the text, of which `where` says what it is. */
static int take(struct gcp_source *s, struct slice text, const char *json_field, const char *what,
                const char **ret)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, s->a);
    if (json_field) {
        if (value_json_parse(s->a, text, &v, &d) < 0)
            return gcp_source_fail(s, "%s, which %s names, does not hold JSON", what, s->where);
        text = value_slice(value_get(v, json_field));
        if (!text.len)
            return gcp_source_fail(s, "%s, which %s names, has no member %s that is a string", what,
                                   s->where, json_field);
    }
    while (text.len && isspace((unsigned char)text.ptr[text.len - 1]))
        text.len--;
    if (!text.len)
        return gcp_source_fail(s, "%s, which %s names, is empty: there is no subject token", what,
                               s->where);
    *ret = arena_strndup(s->a, text.ptr, text.len);
    return *ret && strlen(*ret) == text.len
               ? 0
               : gcp_source_fail(s, "%s, which %s names, holds no text", what, s->where);
}

int gcp_subject_file(struct gcp_source *s, const struct gcp_subject *from, const char **ret)
{
    struct slice text;
    const char *why = NULL;
    const char *what = arena_printf(s->a, "the token's file %s", from->file);
    if (!what)
        return gcp_source_fail(s, "memory ran out");
    if (gcp_read_text_file(s->a, from->file, &text, &why) != 0)
        return gcp_source_fail(s, "%s, which %s names, cannot be read: %s", what, s->where, why);
    return take(s, text, from->json_field, what, ret);
}

int gcp_subject_url(struct gcp_source *s, const struct gcp_subject *from, const char **ret)
{
    struct http_header headers[HEADERS_MOST];
    struct http_response r;
    size_t count = 0;
    for (size_t i = 0; i < value_count(from->headers) && count < HEADERS_MOST; i++) {
        headers[count].name = from->headers->members[i].key;
        headers[count++].value = value_slice(from->headers->members[i].value);
    }
    const struct gcp_ask ask = {.method = "GET",
                                .url = from->url,
                                .headers = headers,
                                .header_count = count,
                                .name = "subject_token",
                                .purpose = "the source of the subject token",
                                .secret_bodies = true};
    struct slice shown = http_redact_url(s->a, from->url);
    const char *what = arena_printf(s->a, "the answer of %.*s", (int)shown.len, shown.ptr);
    if (!what)
        return gcp_source_fail(s, "memory ran out");
    if (gcp_source_send(s, &ask, &r) < 0)
        return -1;
    if (r.status != 200)
        return gcp_source_fail(s, "%s, which %s names, has HTTP status %d instead of a token", what,
                               s->where, r.status);
    return take(s, r.body, from->json_field, what, ret);
}
