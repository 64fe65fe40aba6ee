/* Helpers for requests and answers that no transport is needed for. */
#include "http/http.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

struct slice http_header_get(const struct http_response *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name.len == strlen(name) &&
            strncasecmp(r->headers[i].name.ptr, name, r->headers[i].name.len) == 0)
            return r->headers[i].value;
    return SLICE_EMPTY;
}

int http_encode_uri(struct buf *out, struct slice s, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/');
        if (plain) {
            buf_append_char(out, (char)c);
        } else {
            const char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_append(out, escape, sizeof(escape));
        }
    }
    return out->failed ? -1 : 0;
}

void http_transport_free(struct http_transport *t)
{
    if (t)
        t->free(t->self);
}
