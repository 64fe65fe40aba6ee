/* Diagnostics without the configuration's secrets: a cloud may repeat what it was sent. */
#include "plugin/rpc.h"

#include <string.h>

#include "schema/schema.h"

enum { LENGTH_LEAST = 8, TEXT_MOST = 1 << 20 };

static const char hidden[] = "(sensitive value)";

/* `text` with `secret` replaced; the same when it does not have it; NULL when memory is out. */
static const char *without(struct arena *a, const char *text, struct slice secret)
{
    const char *from = text;
    const char *found = memmem(text, strlen(text), secret.ptr, secret.len);
    if (!found)
        return text;
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    for (; found; found = memmem(from, strlen(from), secret.ptr, secret.len)) {
        buf_append(&b, from, (size_t)(found - from));
        buf_append_str(&b, hidden);
        from = found + secret.len;
    }
    buf_append_str(&b, from);
    return arena_buf(a, &b);
}

static int hide(struct rpc *rpc, struct slice secret)
{
    for (struct diag *d = rpc->diags.first; d && secret.len >= LENGTH_LEAST; d = d->next) {
        const char *summary = without(rpc->arena, d->summary, secret);
        const char *detail = without(rpc->arena, d->detail, secret);
        if (!summary || !detail)
            return -1;
        d->summary = summary;
        d->detail = detail;
    }
    return 0;
}

static int hide_all(struct rpc *rpc, const struct value *v, bool sensitive)
{
    if (!v || !value_is_known(v))
        return 0;
    sensitive |= v->sensitive;
    if (v->type->kind == TYPE_STRING)
        return sensitive ? hide(rpc, value_slice(v)) : 0;
    for (size_t i = 0; i < value_count(v); i++)
        if (hide_all(rpc, value_at(v, i), sensitive) < 0)
            return -1;
    return 0;
}

int rpc_hide_secrets(struct rpc *rpc, const struct schema *s, const struct value *config)
{
    if (!rpc->diags.first || value_is_null(config))
        return 0;
    const struct value *marked = schema_mark_sensitive(rpc->arena, s, config);
    return marked ? hide_all(rpc, marked, false) : -1;
}
