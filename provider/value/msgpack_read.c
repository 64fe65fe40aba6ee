/* Reading the msgpack form of values, as cty's msgpack package defines it. msgpack-c reads; a scan
 * in front of it refuses what would make it allocate without bound. */
#include "value/codec.h"

#include <string.h>

#include <msgpack.h>

#include "value/msgpack_form.h"
#include "value/read.h"

enum { BYTES_MOST = 64 << 20, MEMBERS_MOST = 4 << 20 };

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
    if (depth >= MSGPACK_DEPTH_MOST || s->members + count > MEMBERS_MOST)
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

/* How many bytes the value at the start takes; 0 when it is not complete, or passes a limit. */
static size_t scan_bytes(struct slice bytes)
{
    struct scan s = {(const unsigned char *)bytes.ptr, bytes.len, 0};
    return bytes.len <= BYTES_MOST && scan_value(&s, 0) ? bytes.len - s.left : 0;
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
    const char *name = type_string_of(d->a, t);
    diags_error(d->diags, path, "Invalid value on the wire",
                "What stands here is not the msgpack form of type %s.", name ? name : "");
    return NULL;
}

/* The text of a str object. cty's strings are UTF-8, and so is all that the protocol's messages may
 * quote of them. */
static bool text_of(const msgpack_object *o, struct slice *ret)
{
    if (o->type != MSGPACK_OBJECT_STR)
        return false;
    *ret = slice_from(o->via.str.ptr, o->via.str.size);
    return utf8_is_valid(*ret);
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

/* The kind of values that a refinement key is about: only those may carry it. */
static bool refines(uint64_t key, enum type_kind kind)
{
    switch (key) {
    case REFINE_PREFIX:
        return kind == TYPE_STRING;
    case REFINE_NUMBER_MIN:
    case REFINE_NUMBER_MAX:
        return kind == TYPE_NUMBER;
    case REFINE_LENGTH_MIN:
    case REFINE_LENGTH_MAX:
        return kind == TYPE_LIST || kind == TYPE_SET || kind == TYPE_MAP;
    default:
        return true;
    }
}

static void refine(struct arena *a, struct refinement *r, const msgpack_object_kv *kv,
                   enum type_kind kind)
{
    if (kv->key.type != MSGPACK_OBJECT_POSITIVE_INTEGER || !refines(kv->key.via.u64, kind))
        return;
    struct slice prefix;
    switch (kv->key.via.u64) {
    case REFINE_NULL:
        r->known_null = kv->val.type == MSGPACK_OBJECT_BOOLEAN && kv->val.via.boolean;
        r->not_null = kv->val.type == MSGPACK_OBJECT_BOOLEAN && !kv->val.via.boolean;
        break;
    case REFINE_PREFIX:
        if (text_of(&kv->val, &prefix))
            r->prefix = prefix;
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
 * is dropped: a promise is only ever an addition. The promise to be null makes it null, as in cty.
 */
static const struct value *decode_unknown(struct decoder *d, const msgpack_object_ext *ext,
                                          const struct type *t)
{
    struct slice body = slice_from(ext->ptr, ext->size);
    if (ext->type != EXT_REFINED || t->kind == TYPE_DYNAMIC || scan_bytes(body) == 0)
        return value_unknown(d->a, t);
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    struct refinement r = {.length_min = -1, .length_max = -1};
    size_t offset = 0;
    if (msgpack_unpack_next(&result, body.ptr, body.len, &offset) == MSGPACK_UNPACK_SUCCESS &&
        result.data.type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; i < result.data.via.map.size; i++)
            refine(d->a, &r, &result.data.via.map.ptr[i], t->kind);
    const struct value *v = r.known_null ? value_null(d->a, t) : value_unknown_refined(d->a, t, &r);
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
    struct diags ignored;
    diags_init(&ignored, d->a);
    const struct type *t = type_json_decode(d->a, json, &ignored);
    return t ? decode(d, &o->via.array.ptr[1], t, path) : wrong(d, &type_dynamic, path);
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

static bool decode_member(struct decoder *d, const msgpack_object_kv *kv, const struct type *t,
                          const struct path *path, struct value_member *ret)
{
    if (!text_of(&kv->key, &ret->key)) {
        wrong(d, t, path);
        return false;
    }
    const struct type_attr *attr = type_attr(t, ret->key);
    if (t->kind == TYPE_OBJECT && !attr) {
        refuse_attribute(d->diags, path, ret->key);
        return false;
    }
    const struct path *at =
        attr ? path_attribute(d->a, path, attr->name) : path_key(d->a, path, ret->key);
    ret->value = decode(d, &kv->val, attr ? attr->type : t->elem, at);
    return ret->value != NULL;
}

/* Maps and objects. As in cty, an object has each of its attributes once, and nothing else. */
static const struct value *decode_members(struct decoder *d, const msgpack_object *o,
                                          const struct type *t, const struct path *path)
{
    if (o->type != MSGPACK_OBJECT_MAP ||
        (t->kind == TYPE_OBJECT && o->via.map.size != t->attr_count))
        return wrong(d, t, path);
    size_t count = o->via.map.size;
    struct value_member *m = arena_new_array(d->a, count, struct value_member);
    for (size_t i = 0; m && i < count; i++)
        if (!decode_member(d, &o->via.map.ptr[i], t, path, &m[i]))
            return NULL;
    if (!m)
        return NULL;
    /* A map drops what appears twice, so its count tells. */
    const struct type *elem = t->kind == TYPE_OBJECT ? &type_dynamic : t->elem;
    const struct value *map = value_map(d->a, elem, m, count);
    if (map && map->count != count)
        return wrong(d, t, path);
    return t->kind == TYPE_OBJECT && map ? value_object_of(d->a, t, m, count) : map;
}

static const struct value *decode_primitive(struct decoder *d, const msgpack_object *o,
                                            const struct type *t, const struct path *path)
{
    if (t->kind == TYPE_BOOL && o->type == MSGPACK_OBJECT_BOOLEAN)
        return value_bool(d->a, o->via.boolean);
    struct slice text;
    if (t->kind == TYPE_STRING && text_of(o, &text))
        return value_string(d->a, text);
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
    if (scan_bytes(bytes) != bytes.len || bytes.len == 0)
        return diags_error(diags, NULL, "Invalid value on the wire",
                           "%zu bytes are not one msgpack value within the limits (64 MiB, %d "
                           "levels, %d members).",
                           bytes.len, MSGPACK_DEPTH_MOST, MEMBERS_MOST);
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
