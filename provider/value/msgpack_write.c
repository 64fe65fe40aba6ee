/* Writing the msgpack form of values, byte for byte as cty's msgpack package does (but for the
 * order of a set's elements, which is ours). */
#include "value/codec.h"

#include <string.h>

#include <msgpack.h>

#include "value/msgpack_form.h"

/* cty refuses refinements of more than 1 KiB, and cuts prefixes to this. */
enum { PREFIX_MOST = 256 };

static int write_to_buf(void *data, const char *bytes, size_t len)
{
    return buf_append(data, bytes, len);
}

static int pack_slice(msgpack_packer *p, struct slice s)
{
    msgpack_pack_str(p, s.len);
    return msgpack_pack_str_body(p, s.ptr ? s.ptr : "", s.len);
}

/* Whether who reads the double as we do (number_from_double()) gets this number again; decimals of
 * up to 15 digits are the shortest for their double. */
static bool is_read_back(const struct number *n, double d)
{
    if (n->digits.len <= 15)
        return true;
    _cleanup_arena_ struct arena *a = arena_new();
    const struct number *back = a ? number_from_double(a, d) : NULL;
    return back && number_compare(back, n) == 0;
}

/* An integer that fits, else a fraction that a double holds exactly, else decimal text. */
static int pack_number(msgpack_packer *p, const struct number *n)
{
    int64_t i = 0;
    if (number_to_int(n, &i))
        return msgpack_pack_int64(p, i);
    bool exact = false;
    double d = n->exponent < 0 ? number_to_double(n, &exact) : 0;
    if (exact && is_read_back(n, d))
        return msgpack_pack_double(p, d);
    _cleanup_buf_ struct buf text = BUF_INIT(64 * 1024);
    return number_format(&text, n) < 0 ? -1 : pack_slice(p, buf_slice(&text));
}

static int pack_boolean(msgpack_packer *p, bool b)
{
    return b ? msgpack_pack_true(p) : msgpack_pack_false(p);
}

static int pack_bound(msgpack_packer *p, int key, const struct number *n, bool inclusive)
{
    if (!n)
        return 0;
    msgpack_pack_int(p, key);
    msgpack_pack_array(p, 2);
    return pack_number(p, n) < 0 ? -1 : pack_boolean(p, inclusive);
}

static int pack_length(msgpack_packer *p, int key, int64_t length)
{
    if (length < 0)
        return 0;
    msgpack_pack_int(p, key);
    return msgpack_pack_int64(p, length);
}

/* A long prefix is cut between two ASCII characters: the second cannot combine with the first, so
 * that what is left stays a prefix of the normalised string. */
static struct slice short_prefix(struct slice prefix)
{
    if (prefix.len <= PREFIX_MOST)
        return prefix;
    size_t len = PREFIX_MOST;
    while (len && ((unsigned char)prefix.ptr[len] | (unsigned char)prefix.ptr[len - 1]) >= 0x80)
        len--;
    return slice_from(prefix.ptr, len);
}

/* The map of promises into `out`; returns how many there are. */
static size_t pack_promises(struct buf *out, const struct refinement *r)
{
    bool nullness = r->not_null || r->known_null;
    struct slice prefix = short_prefix(r->prefix);
    size_t count = (size_t)nullness + (prefix.len > 0) + (r->min != NULL) + (r->max != NULL) +
                   (r->length_min >= 0) + (r->length_max >= 0);
    msgpack_packer p;
    msgpack_packer_init(&p, out, write_to_buf);
    msgpack_pack_map(&p, count);
    if (nullness) {
        msgpack_pack_int(&p, REFINE_NULL);
        pack_boolean(&p, !r->not_null);
    }
    if (prefix.len) {
        msgpack_pack_int(&p, REFINE_PREFIX);
        pack_slice(&p, prefix);
    }
    if (pack_bound(&p, REFINE_NUMBER_MIN, r->min, r->min_inclusive) < 0 ||
        pack_bound(&p, REFINE_NUMBER_MAX, r->max, r->max_inclusive) < 0)
        out->failed = true;
    pack_length(&p, REFINE_LENGTH_MIN, r->length_min);
    pack_length(&p, REFINE_LENGTH_MAX, r->length_max);
    return count;
}

static int pack_unknown(msgpack_packer *p, const struct value *v)
{
    _cleanup_buf_ struct buf body = BUF_INIT(64 * 1024);
    if (v->refinement && pack_promises(&body, v->refinement) > 0) {
        msgpack_pack_ext(p, body.len, EXT_REFINED);
        return body.failed ? -1 : msgpack_pack_ext_body(p, buf_cstr(&body), body.len);
    }
    /* One zero byte: two bytes shorter than an extension of none. */
    msgpack_pack_ext(p, 1, EXT_UNKNOWN);
    return msgpack_pack_ext_body(p, "\0", 1);
}

static int pack(msgpack_packer *p, const struct value *v, const struct type *t, int depth);

static int pack_dynamic(msgpack_packer *p, const struct value *v, int depth)
{
    _cleanup_buf_ struct buf json = BUF_INIT(1 << 20);
    if (depth >= MSGPACK_DEPTH_MOST || type_json_encode(&json, v->type) < 0)
        return -1;
    msgpack_pack_array(p, 2);
    msgpack_pack_bin(p, json.len);
    msgpack_pack_bin_body(p, buf_cstr(&json), json.len);
    return pack(p, v, v->type, depth + 1);
}

static int pack_members(msgpack_packer *p, const struct value *v, const struct type *t, int depth)
{
    bool named = t->kind == TYPE_MAP || t->kind == TYPE_OBJECT;
    if (depth >= MSGPACK_DEPTH_MOST || (!t->elem && t->attr_count != v->count))
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
    if (!v)
        return msgpack_pack_nil(p);
    /* Before all else: also a null or unknown value in a dynamic place has its type. */
    if (t->kind == TYPE_DYNAMIC && v->type->kind != TYPE_DYNAMIC)
        return pack_dynamic(p, v, depth);
    if (v->state == VALUE_NULL)
        return msgpack_pack_nil(p);
    if (v->state == VALUE_UNKNOWN)
        return pack_unknown(p, v);
    if (v->type->kind != t->kind)
        return -1;
    switch (t->kind) {
    case TYPE_BOOL:
        return pack_boolean(p, v->boolean);
    case TYPE_NUMBER:
        return pack_number(p, v->number);
    case TYPE_STRING:
        return pack_slice(p, v->string);
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
