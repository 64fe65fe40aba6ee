/* Between the protocol's messages and values, paths and diagnostics. */
#include "plugin/rpc.h"

#include <string.h>

#include "value/codec.h"

enum { VALUE_MOST = 64 << 20 };

struct slice rpc_slice(ProtobufCBinaryData b)
{
    return slice_from(b.data, b.len);
}

ProtobufCBinaryData rpc_bytes(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.ptr};
}

int rpc_value(struct rpc *rpc, const Tfplugin6__DynamicValue *m, const struct type *t,
              const struct value **ret)
{
    if (m && m->msgpack.len)
        return value_msgpack_decode(rpc->arena, rpc_slice(m->msgpack), t, ret, &rpc->diags);
    if (m && m->json.len)
        return value_json_decode(rpc->arena, rpc_slice(m->json), t, false, ret, &rpc->diags);
    *ret = value_null(rpc->arena, t);
    return *ret ? 0 : -1;
}

Tfplugin6__DynamicValue *rpc_dynamic_quietly(struct rpc *rpc, const struct value *v,
                                             const struct type *t)
{
    _cleanup_buf_ struct buf b = BUF_INIT(VALUE_MOST);
    Tfplugin6__DynamicValue *m = arena_new_object(rpc->arena, Tfplugin6__DynamicValue);
    char *copy = m && value_msgpack_encode(&b, v, t) == 0 ? arena_buf(rpc->arena, &b) : NULL;
    if (!copy)
        return NULL;
    tfplugin6__dynamic_value__init(m);
    m->msgpack = rpc_bytes(slice_from(copy, b.len));
    return m;
}

Tfplugin6__DynamicValue *rpc_dynamic(struct rpc *rpc, const struct value *v, const struct type *t)
{
    Tfplugin6__DynamicValue *m = v ? rpc_dynamic_quietly(rpc, v, t) : NULL;
    if (v && !m)
        diags_error(
            &rpc->diags, NULL, "A value could not be sent to the core",
            "Memory ran out, it is over 64 MiB, or it does not fit its schema. This is a defect of "
            "the provider if the value is small.");
    return m;
}

Tfplugin6__ResourceIdentityData *rpc_identity(struct rpc *rpc, const struct value *v,
                                              const struct schema_identity *s)
{
    Tfplugin6__ResourceIdentityData *m =
        v && s ? arena_new_object(rpc->arena, Tfplugin6__ResourceIdentityData) : NULL;
    if (!m)
        return NULL;
    tfplugin6__resource_identity_data__init(m);
    m->identity_data = rpc_dynamic(rpc, v, s->type);
    return m->identity_data ? m : NULL;
}

int rpc_identity_value(struct rpc *rpc, const Tfplugin6__ResourceIdentityData *m,
                       const struct schema_identity *s, const struct value **ret)
{
    const struct value *v = NULL;
    *ret = NULL;
    if (!m || !m->identity_data || !s)
        return 0;
    if (rpc_value(rpc, m->identity_data, s->type, &v) < 0)
        return -1;
    *ret = value_is_null(v) ? NULL : v;
    return 0;
}

static Tfplugin6__AttributePath__Step *path_step(struct rpc *rpc, const struct path *p)
{
    Tfplugin6__AttributePath__Step *s =
        arena_new_object(rpc->arena, Tfplugin6__AttributePath__Step);
    if (!s)
        return NULL;
    tfplugin6__attribute_path__step__init(s);
    char *name = (char *)(uintptr_t)p->name.ptr;
    switch (p->step) {
    case PATH_ATTRIBUTE:
        s->selector_case = TFPLUGIN6__ATTRIBUTE_PATH__STEP__SELECTOR_ATTRIBUTE_NAME;
        s->attribute_name = name;
        break;
    case PATH_KEY:
        s->selector_case = TFPLUGIN6__ATTRIBUTE_PATH__STEP__SELECTOR_ELEMENT_KEY_STRING;
        s->element_key_string = name;
        break;
    case PATH_INDEX:
        s->selector_case = TFPLUGIN6__ATTRIBUTE_PATH__STEP__SELECTOR_ELEMENT_KEY_INT;
        s->element_key_int = p->index;
        break;
    }
    return s;
}

Tfplugin6__AttributePath *rpc_path(struct rpc *rpc, const struct path *p)
{
    Tfplugin6__AttributePath *m = arena_new_object(rpc->arena, Tfplugin6__AttributePath);
    size_t n = path_length(p);
    if (!m)
        return NULL;
    tfplugin6__attribute_path__init(m);
    m->steps = arena_calloc(rpc->arena, n, sizeof(*m->steps));
    m->n_steps = n;
    for (; m->steps && p; p = p->parent)
        if (!(m->steps[--n] = path_step(rpc, p)))
            return NULL;
    return m->steps ? m : NULL;
}

/* Length of the character at `p`; 0 for what is none. */
static size_t character(const char *p, size_t left)
{
    unsigned char lead = (unsigned char)*p;
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return n <= left && utf8_is_valid(slice_from(p, n)) ? n : 0;
}

char *rpc_text(struct rpc *rpc, const char *s)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    struct slice all = slice_str(s);
    if (utf8_is_valid(all))
        return (char *)(uintptr_t)s;
    /* Each wrong byte becomes three. */
    char *text = arena_alloc(rpc->arena, 3 * all.len + 1), *end = text;
    for (size_t i = 0, n; text && i < all.len; i += n ? n : 1) {
        n = character(all.ptr + i, all.len - i);
        size_t len = n ? n : sizeof(replacement) - 1;
        memcpy(end, n ? all.ptr + i : replacement, len);
        end += len;
    }
    if (text)
        *end = '\0';
    return text;
}

int rpc_diags(struct rpc *rpc, size_t *ret_count, Tfplugin6__Diagnostic ***ret)
{
    size_t count = 0;
    for (const struct diag *d = rpc->diags.first; d; d = d->next)
        count++;
    /* Diagnostics that memory was too short for must not be lost. */
    if (count < diags_count(&rpc->diags))
        return -1;
    Tfplugin6__Diagnostic **list = arena_calloc(rpc->arena, count, sizeof(*list));
    size_t i = 0;
    for (const struct diag *d = rpc->diags.first; list && d; d = d->next, i++) {
        list[i] = arena_new_object(rpc->arena, Tfplugin6__Diagnostic);
        if (!list[i])
            return -1;
        tfplugin6__diagnostic__init(list[i]);
        list[i]->severity = d->severity == DIAG_ERROR ? TFPLUGIN6__DIAGNOSTIC__SEVERITY__ERROR
                                                      : TFPLUGIN6__DIAGNOSTIC__SEVERITY__WARNING;
        list[i]->summary = rpc_text(rpc, d->summary);
        list[i]->detail = rpc_text(rpc, d->detail);
        if (!list[i]->summary || !list[i]->detail)
            return -1;
        list[i]->attribute = d->path ? rpc_path(rpc, d->path) : NULL;
    }
    if (!list)
        return -1;
    *ret_count = count;
    *ret = list;
    return 0;
}

int rpc_unknown_type(struct rpc *rpc, const char *what, const char *name)
{
    return diags_error(&rpc->diags, NULL, "Unknown type",
                       "This version of the provider has no %s \"%s\".", what, name ? name : "");
}
