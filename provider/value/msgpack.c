/* The msgpack form of values, as cty's msgpack package defines it. msgpack-c reads and writes; a
 * scan in front of it refuses what would make it allocate without bound. */
#include "value/codec.h"

#include <math.h>
#include <string.h>

#include <msgpack.h>

enum { BYTES_MOST = 64 << 20, MEMBERS_MOST = 4 << 20, DEPTH_MOST = 31 };

/* Extension types of unknown values (cty/msgpack/unknown.go). */
enum { EXT_UNKNOWN = 0, EXT_REFINED = 12 };

/* Keys of a refinement map (cty/msgpack/unknown.go). */
enum {
    REFINE_NULL = 1,
    REFINE_PREFIX = 2,
    REFINE_NUMBER_MIN = 3,
    REFINE_NUMBER_MAX = 4,
    REFINE_LENGTH_MIN = 5,
    REFINE_LENGTH_MAX = 6,
};

/* ---- the scan ---- */

struct scan {
    const unsigned char *at;
    size_t left;
    size_t members;
};

static bool skip_bytes(struct scan *s, uint64_t n)
{
    if (n > s->left)
        return false;
    s->at += n;
    s->left -= (size_t)n;
    return true;
}

static bool read_length(struct scan *s, unsigned bytes, uint64_t *ret)
{
    if (s->left < bytes)
        return false;
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | s->at[i];
    *ret = n;
    return skip_bytes(s, bytes);
}

/* What follows a type byte: a fixed number of bytes, or a length of `length_bytes` bytes and then
 * that many bytes (`extra` more for extensions) or members. */
struct shape {
    unsigned char fixed, length_bytes, extra, members_each;
};

static struct shape shape_of(unsigned char b)
{
    static const struct shape table[32] = {
        /* c0 nil, c1 never used, false, true */
        {0, 0, 0, 0},
        {0, 0, 0, 0},
        {0, 0, 0, 0},
        {0, 0, 0, 0},
        /* bin 8, 16, 32 */
        {0, 1, 0, 0},
        {0, 2, 0, 0},
        {0, 4, 0, 0},
        /* ext 8, 16, 32 */
        {0, 1, 1, 0},
        {0, 2, 1, 0},
        {0, 4, 1, 0},
        /* float 32, 64 */
        {4, 0, 0, 0},
        {8, 0, 0, 0},
        /* uint 8 to 64 */
        {1, 0, 0, 0},
        {2, 0, 0, 0},
        {4, 0, 0, 0},
        {8, 0, 0, 0},
        /* int 8 to 64 */
        {1, 0, 0, 0},
        {2, 0, 0, 0},
        {4, 0, 0, 0},
        {8, 0, 0, 0},
        /* fixext 1 to 16 */
        {2, 0, 0, 0},
        {3, 0, 0, 0},
        {5, 0, 0, 0},
        {9, 0, 0, 0},
        {17, 0, 0, 0},
        /* str 8, 16, 32 */
        {0, 1, 0, 0},
        {0, 2, 0, 0},
        {0, 4, 0, 0},
        /* array 16, 32 */
        {0, 2, 0, 1},
        {0, 4, 0, 1},
        /* map 16, 32 */
        {0, 2, 0, 2},
        {0, 4, 0, 2},
    };
    return table[b & 31];
}

static bool scan_value(struct scan *s, int depth);

static bool scan_members(struct scan *s, uint64_t count, int depth)
{
    /* Each member takes a byte at the least: no count can be larger than what is left. */
    if (depth >= DEPTH_MOST || count > s->left || s->members + count > MEMBERS_MOST)
        return false;
    s->members += (size_t)count;
    for (uint64_t i = 0; i < count; i++)
        if (!scan_value(s, depth + 1))
            return false;
    return true;
}

static bool scan_value(struct scan *s, int depth)
{
    if (!s->left)
        return false;
    unsigned char b = *s->at;
    skip_bytes(s, 1);
    if (b <= 0x7f || b >= 0xe0)
        return true;
    if (b <= 0x8f)
        return scan_members(s, (uint64_t)(b & 15) * 2, depth);
    if (b <= 0x9f)
        return scan_members(s, b & 15, depth);
    if (b <= 0xbf)
        return skip_bytes(s, b & 31);
    if (b == 0xc1)
        return false;
    struct shape shape = shape_of(b);
    if (!shape.length_bytes)
        return skip_bytes(s, shape.fixed);
    uint64_t n = 0;
    if (!read_length(s, shape.length_bytes, &n))
        return false;
    return shape.members_each ? scan_members(s, n * shape.members_each, depth)
                              : skip_bytes(s, n + shape.extra);
}

/* One complete value without anything behind it. */
static bool scan_bytes(struct slice bytes)
{
    struct scan s = {(const unsigned char *)bytes.ptr, bytes.len, 0};
    return bytes.len <= BYTES_MOST && scan_value(&s, 0) && s.left == 0;
}

/* ---- decoding ---- */

struct decoder {
    struct arena *a;
    struct diags *diags;
};

static const struct value *decode(struct decoder *d, const msgpack_object *o, const struct type *t,
                                  const struct path *path);

static const struct value *wrong(struct decoder *d, const struct type *t, const struct path *path)
{
    diags_error(d->diags, path, "Invalid value on the wire",
                "The value here is not the msgpack form of a %s.", type_string_of(d->a, t));
    return NULL;
}

static const struct number *decode_number(struct arena *a, const msgpack_object *o)
{
    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return number_from_uint(a, o->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return number_from_int(a, o->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return number_from_double(a, o->via.f64);
    case MSGPACK_OBJECT_STR:
        return number_parse(a, slice_from(o->via.str.ptr, o->via.str.size));
    default:
        return NULL;
    }
}

static void refine_bound(struct arena *a, const msgpack_object *o, const struct number **ret,
                         bool *ret_inclusive)
{
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != 2)
        return;
    *ret = decode_number(a, &o->via.array.ptr[0]);
    *ret_inclusive =
        o->via.array.ptr[1].type == MSGPACK_OBJECT_BOOLEAN && o->via.array.ptr[1].via.boolean;
}

static int64_t refine_length(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX
               ? (int64_t)o->via.u64
               : -1;
}

static void refine(struct arena *a, struct refinement *r, const msgpack_object_kv *kv)
{
    if (kv->key.type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return;
    switch (kv->key.via.u64) {
    case REFINE_NULL:
        r->known_null = kv->val.type == MSGPACK_OBJECT_BOOLEAN && kv->val.via.boolean;
        r->not_null = kv->val.type == MSGPACK_OBJECT_BOOLEAN && !kv->val.via.boolean;
        break;
    case REFINE_PREFIX:
        if (kv->val.type == MSGPACK_OBJECT_STR)
            r->prefix = slice_from(kv->val.via.str.ptr, kv->val.via.str.size);
        break;
    case REFINE_NUMBER_MIN:
        refine_bound(a, &kv->val, &r->min, &r->min_inclusive);
        break;
    case REFINE_NUMBER_MAX:
        refine_bound(a, &kv->val, &r->max, &r->max_inclusive);
        break;
    case REFINE_LENGTH_MIN:
        r->length_min = refine_length(&kv->val);
        break;
    case REFINE_LENGTH_MAX:
        r->length_max = refine_length(&kv->val);
        break;
    default: /* a newer promise: passed over, as cty does */
        break;
    }
}

/* Any extension is an unknown value; type 12 carries a map of promises. What cannot be read of them
 * is dropped: a promise is only ever an addition. */
static const struct value *decode_unknown(struct decoder *d, const msgpack_object_ext *ext,
                                          const struct type *t)
{
    struct slice body = slice_from(ext->ptr, ext->size);
    if (ext->type != EXT_REFINED || t->kind == TYPE_DYNAMIC || !scan_bytes(body))
        return value_unknown(d->a, t);
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    struct refinement r = {.length_min = -1, .length_max = -1};
    size_t offset = 0;
    if (msgpack_unpack_next(&result, body.ptr, body.len, &offset) == MSGPACK_UNPACK_SUCCESS &&
        result.data.type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; i < result.data.via.map.size; i++)
            refine(d->a, &r, &result.data.via.map.ptr[i]);
    const struct value *v = value_unknown_refined(d->a, t, &r);
    msgpack_unpacked_destroy(&result);
    return v;
}

static const struct value *decode_dynamic(struct decoder *d, const msgpack_object *o,
                                          const struct path *path)
{
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != 2)
        return wrong(d, &type_dynamic, path);
    const msgpack_object *type = &o->via.array.ptr[0];
    struct slice json =
        type->type == MSGPACK_OBJECT_BIN   ? slice_from(type->via.bin.ptr, type->via.bin.size)
        : type->type == MSGPACK_OBJECT_STR ? slice_from(type->via.str.ptr, type->via.str.size)
                                           : SLICE_EMPTY;
    const struct type *t = type_json_decode(d->a, json, d->diags);
    return t ? decode(d, &o->via.array.ptr[1], t, path) : NULL;
}

static const struct value *decode_sequence(struct decoder *d, const msgpack_object *o,
                                           const struct type *t, const struct path *path)
{
    if (o->type != MSGPACK_OBJECT_ARRAY ||
        (t->kind == TYPE_TUPLE && o->via.array.size != t->attr_count))
        return wrong(d, t, path);
    size_t count = o->via.array.size;
    const struct value **elems = arena_calloc(d->a, count, sizeof(struct value *));
    for (size_t i = 0; elems && i < count; i++) {
        const struct type *elem = t->kind == TYPE_TUPLE ? t->attrs[i].type : t->elem;
        const struct path *at = t->kind == TYPE_SET ? path : path_index(d->a, path, (int64_t)i);
        elems[i] = decode(d, &o->via.array.ptr[i], elem, at);
        if (!elems[i])
            return NULL;
    }
    if (!elems)
        return NULL;
    if (t->kind == TYPE_TUPLE)
        return value_tuple(d->a, elems, count);
    return t->kind == TYPE_LIST ? value_list(d->a, t->elem, elems, count)
                                : value_set(d->a, t->elem, elems, count);
}

static const struct value *decode_members(struct decoder *d, const msgpack_object *o,
                                          const struct type *t, const struct path *path)
{
    if (o->type != MSGPACK_OBJECT_MAP)
        return wrong(d, t, path);
    size_t count = o->via.map.size;
    struct value_member *m = arena_new_array(d->a, count, struct value_member);
    for (size_t i = 0; m && i < count; i++) {
        const msgpack_object *key = &o->via.map.ptr[i].key;
        if (key->type != MSGPACK_OBJECT_STR)
            return wrong(d, t, path);
        m[i].key = slice_from(key->via.str.ptr, key->via.str.size);
        const struct type_attr *attr = t->kind == TYPE_OBJECT ? type_attr(t, m[i].key) : NULL;
        if (t->kind == TYPE_OBJECT && !attr)
            return wrong(d, t, path);
        const struct path *at =
            attr ? path_attribute(d->a, path, attr->name) : path_key(d->a, path, m[i].key);
        m[i].value = decode(d, &o->via.map.ptr[i].val, attr ? attr->type : t->elem, at);
        if (!m[i].value)
            return NULL;
    }
    if (!m)
        return NULL;
    return t->kind == TYPE_OBJECT ? value_object_of(d->a, t, m, count)
                                  : value_map(d->a, t->elem, m, count);
}

static const struct value *decode_primitive(struct decoder *d, const msgpack_object *o,
                                            const struct type *t, const struct path *path)
{
    if (t->kind == TYPE_BOOL && o->type == MSGPACK_OBJECT_BOOLEAN)
        return value_bool(d->a, o->via.boolean);
    if (t->kind == TYPE_STRING && o->type == MSGPACK_OBJECT_STR)
        return value_string(d->a, slice_from(o->via.str.ptr, o->via.str.size));
    const struct number *n = t->kind == TYPE_NUMBER ? decode_number(d->a, o) : NULL;
    return n ? value_number(d->a, n) : wrong(d, t, path);
}

static const struct value *decode(struct decoder *d, const msgpack_object *o, const struct type *t,
                                  const struct path *path)
{
    if (o->type == MSGPACK_OBJECT_EXT)
        return decode_unknown(d, &o->via.ext, t);
    if (o->type == MSGPACK_OBJECT_NIL)
        return value_null(d->a, t);
    switch (t->kind) {
    case TYPE_DYNAMIC:
        return decode_dynamic(d, o, path);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_TUPLE:
        return decode_sequence(d, o, t, path);
    case TYPE_MAP:
    case TYPE_OBJECT:
        return decode_members(d, o, t, path);
    default:
        return decode_primitive(d, o, t, path);
    }
}

int value_msgpack_decode(struct arena *a, struct slice bytes, const struct type *t,
                         const struct value **ret, struct diags *diags)
{
    if (!scan_bytes(bytes))
        return diags_error(diags, NULL, "Invalid value on the wire",
                           "%zu bytes are not one msgpack value within the limits (64 MiB, %d "
                           "levels, %d members).",
                           bytes.len, DEPTH_MOST, MEMBERS_MOST);
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    size_t offset = 0, before = diags->errors;
    struct decoder d = {a, diags};
    const struct value *v = NULL;
    if (msgpack_unpack_next(&result, bytes.ptr, bytes.len, &offset) == MSGPACK_UNPACK_SUCCESS)
        v = decode(&d, &result.data, t, NULL);
    msgpack_unpacked_destroy(&result);
    if (!v && diags->errors == before)
        diags_error(diags, NULL, "Invalid value on the wire",
                    "It could not be decoded: memory ran out, or it is not msgpack.");
    if (!v)
        return -1;
    *ret = v;
    return 0;
}

/* ---- encoding ---- */

static int write_to_buf(void *data, const char *bytes, size_t len)
{
    return buf_append(data, bytes, len);
}

static void pack_slice(msgpack_packer *p, struct slice s)
{
    msgpack_pack_str(p, s.len);
    msgpack_pack_str_body(p, s.ptr ? s.ptr : "", s.len);
}

static void pack_number(msgpack_packer *p, const struct number *n)
{
    int64_t i = 0;
    uint64_t u = 0;
    bool exact = false;
    if (number_to_int(n, &i)) {
        msgpack_pack_int64(p, i);
        return;
    }
    if (number_to_uint(n, &u)) {
        msgpack_pack_uint64(p, u);
        return;
    }
    double d = number_to_double(n, &exact);
    if (exact && isfinite(d)) {
        msgpack_pack_double(p, d);
        return;
    }
    _cleanup_buf_ struct buf text = BUF_INIT(64 * 1024);
    number_format(&text, n);
    pack_slice(p, buf_slice(&text));
}

static void pack_bound(msgpack_packer *p, int key, const struct number *n, bool inclusive)
{
    if (!n)
        return;
    msgpack_pack_int(p, key);
    msgpack_pack_array(p, 2);
    pack_number(p, n);
    if (inclusive)
        msgpack_pack_true(p);
    else
        msgpack_pack_false(p);
}

static void pack_refinement(struct buf *out, const struct refinement *r)
{
    msgpack_packer p;
    msgpack_packer_init(&p, out, write_to_buf);
    msgpack_pack_map(&p, (size_t)(r->not_null || r->known_null) + (r->prefix.len > 0) +
                             (r->min != NULL) + (r->max != NULL) + (r->length_min >= 0) +
                             (r->length_max >= 0));
    if (r->not_null || r->known_null) {
        msgpack_pack_int(&p, REFINE_NULL);
        if (r->not_null)
            msgpack_pack_false(&p);
        else
            msgpack_pack_true(&p);
    }
    if (r->prefix.len) {
        msgpack_pack_int(&p, REFINE_PREFIX);
        pack_slice(&p, r->prefix);
    }
    pack_bound(&p, REFINE_NUMBER_MIN, r->min, r->min_inclusive);
    pack_bound(&p, REFINE_NUMBER_MAX, r->max, r->max_inclusive);
    if (r->length_min >= 0) {
        msgpack_pack_int(&p, REFINE_LENGTH_MIN);
        msgpack_pack_int64(&p, r->length_min);
    }
    if (r->length_max >= 0) {
        msgpack_pack_int(&p, REFINE_LENGTH_MAX);
        msgpack_pack_int64(&p, r->length_max);
    }
}

static bool promises_anything(const struct refinement *r)
{
    return r && (r->not_null || r->known_null || r->prefix.len || r->min || r->max ||
                 r->length_min >= 0 || r->length_max >= 0);
}

static void pack_unknown(msgpack_packer *p, const struct value *v)
{
    if (!promises_anything(v->refinement)) {
        /* cty writes fixext 1 with one zero byte. */
        msgpack_pack_ext(p, 1, EXT_UNKNOWN);
        msgpack_pack_ext_body(p, "\0", 1);
        return;
    }
    _cleanup_buf_ struct buf body = BUF_INIT(64 * 1024);
    pack_refinement(&body, v->refinement);
    msgpack_pack_ext(p, body.len, EXT_REFINED);
    msgpack_pack_ext_body(p, buf_cstr(&body), body.len);
}

static int pack(msgpack_packer *p, const struct value *v, const struct type *t, int depth);

static int pack_dynamic(msgpack_packer *p, const struct value *v, int depth)
{
    _cleanup_buf_ struct buf json = BUF_INIT(1 << 20);
    if (type_json_encode(&json, v->type) < 0)
        return -1;
    msgpack_pack_array(p, 2);
    msgpack_pack_bin(p, json.len);
    msgpack_pack_bin_body(p, buf_cstr(&json), json.len);
    return pack(p, v, v->type, depth + 1);
}

static int pack_members(msgpack_packer *p, const struct value *v, const struct type *t, int depth)
{
    bool named = t->kind == TYPE_MAP || t->kind == TYPE_OBJECT;
    if (t->attr_count && t->attr_count != v->count)
        return -1;
    if (named)
        msgpack_pack_map(p, v->count);
    else
        msgpack_pack_array(p, v->count);
    for (size_t i = 0; i < v->count; i++) {
        if (t->kind == TYPE_OBJECT && !slice_eq_str(v->members[i].key, t->attrs[i].name))
            return -1;
        if (named)
            pack_slice(p, v->members[i].key);
        const struct type *member = t->elem ? t->elem : t->attrs[i].type;
        if (pack(p, v->members[i].value, member, depth + 1) < 0)
            return -1;
    }
    return 0;
}

static int pack(msgpack_packer *p, const struct value *v, const struct type *t, int depth)
{
    if (depth > DEPTH_MOST)
        return -1;
    if (!v || v->state == VALUE_NULL)
        return msgpack_pack_nil(p);
    if (v->state == VALUE_UNKNOWN) {
        pack_unknown(p, v);
        return 0;
    }
    if (t->kind == TYPE_DYNAMIC)
        return pack_dynamic(p, v, depth);
    if (v->type->kind != t->kind)
        return -1;
    switch (t->kind) {
    case TYPE_BOOL:
        return v->boolean ? msgpack_pack_true(p) : msgpack_pack_false(p);
    case TYPE_NUMBER:
        pack_number(p, v->number);
        return 0;
    case TYPE_STRING:
        pack_slice(p, v->string);
        return 0;
    default:
        return pack_members(p, v, t, depth);
    }
}

int value_msgpack_encode(struct buf *out, const struct value *v, const struct type *t)
{
    msgpack_packer p;
    msgpack_packer_init(&p, out, write_to_buf);
    return pack(&p, v, t, 0) < 0 || out->failed ? -1 : 0;
}
