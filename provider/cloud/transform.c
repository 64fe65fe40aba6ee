/* The named transformations of templates. */
#include "cloud/template.h"

#include <string.h>

#include <openssl/evp.h>

#include "cloud/plain.h"
#include "value/codec.h"

enum { TEXT_MOST = 4 << 20 };

static bool is_named(const struct value *v)
{
    return value_is_known(v) && (v->type->kind == TYPE_MAP || v->type->kind == TYPE_OBJECT);
}

static bool is_sequence(const struct value *v)
{
    return value_is_known(v) &&
           (v->type->kind == TYPE_LIST || v->type->kind == TYPE_SET || v->type->kind == TYPE_TUPLE);
}

/* [{Key, Value}], in the map's order (sorted). `value_name` NULL: keys alone. */
static const struct value *entries(struct arena *a, const struct value *v, const char *key_name,
                                   const char *value_name)
{
    if (!is_named(v))
        return NULL;
    const struct value **elems = arena_calloc(a, v->count, sizeof(struct value *));
    for (size_t i = 0; elems && i < v->count; i++) {
        const struct value_member m[] = {{slice_str(key_name), value_string(a, v->members[i].key)},
                                         {slice_str(value_name), v->members[i].value}};
        elems[i] = value_object(a, m, value_name ? 2 : 1);
    }
    return elems ? value_tuple(a, elems, v->count) : NULL;
}

static const struct value *keys(struct arena *a, const struct value *v)
{
    if (!is_named(v))
        return NULL;
    const struct value **elems = arena_calloc(a, v->count, sizeof(struct value *));
    for (size_t i = 0; elems && i < v->count; i++)
        elems[i] = value_string(a, v->members[i].key);
    return elems ? value_tuple(a, elems, v->count) : NULL;
}

static const struct value *values(struct arena *a, const struct value *v)
{
    if (!is_named(v))
        return NULL;
    const struct value **elems = arena_calloc(a, v->count, sizeof(struct value *));
    for (size_t i = 0; elems && i < v->count; i++)
        elems[i] = v->members[i].value;
    return elems ? value_tuple(a, elems, v->count) : NULL;
}

static const struct value *tags_map(struct arena *a, const struct value *v)
{
    /* An empty XML list is an empty string. */
    size_t count = is_sequence(v) ? v->count : 0;
    struct value_member *m = arena_new_array(a, count, struct value_member);
    for (size_t i = 0; m && i < count; i++) {
        const struct value *e = v->members[i].value, *key = value_get(e, "key"),
                           *value = value_get(e, "value");
        m[i].key = value_slice(key ? key : value_get(e, "Key"));
        value = value ? value : value_get(e, "Value");
        m[i].value = value_is_null(value) ? value_str(a, "") : value;
    }
    return m ? value_map(a, &type_string, m, count) : NULL;
}

static const struct value *json_text(struct arena *a, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    return value_json_write(&b, v, false) < 0 ? NULL : value_buf(a, &b);
}

static const struct value *json_parsed(struct arena *a, struct slice text)
{
    struct diags ignored; /* the caller says what did not fit */
    const struct value *v = NULL;
    diags_init(&ignored, a);
    return value_json_parse(a, text, &v, &ignored) < 0 ? NULL : v;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static const struct value *json_document(struct arena *a, const struct value *v)
{
    struct slice in = value_slice(v);
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    bool encoded = in.len && in.ptr[0] == '%';
    for (size_t i = 0; i < in.len; i++) {
        int high = encoded && in.ptr[i] == '%' && i + 2 < in.len ? hex_digit(in.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(in.ptr[i + 2]) : -1;
        buf_append_char(&b, (char)(low >= 0 ? high << 4 | low : in.ptr[i]));
        i += low >= 0 ? 2 : 0;
    }
    if (b.failed)
        return NULL;
    const struct value *parsed = json_parsed(a, buf_slice(&b));
    /* What is no JSON is compared as it is. */
    return parsed ? json_text(a, parsed) : value_buf(a, &b);
}

static const struct value *base64(struct arena *a, struct slice in)
{
    if (in.len > TEXT_MOST)
        return NULL;
    unsigned char *out = arena_alloc(a, (in.len + 2) / 3 * 4 + 1);
    if (!out)
        return NULL;
    int len = EVP_EncodeBlock(out, (const unsigned char *)in.ptr, (int)in.len);
    return value_string(a, slice_from(out, (size_t)len));
}

/* Of a text; of a map, the same with each text in it. */
static const struct value *base64_of(struct arena *a, const struct value *v)
{
    if (!is_named(v))
        return v->type->kind == TYPE_STRING ? base64(a, v->string) : NULL;
    struct value_member *m = arena_new_array(a, v->count, struct value_member);
    for (size_t i = 0; m && i < v->count; i++) {
        const struct value *text = v->members[i].value;
        bool is_text = value_is_known(text) && text->type->kind == TYPE_STRING;
        m[i] = (struct value_member){v->members[i].key, is_text ? base64(a, text->string) : NULL};
        if (!m[i].value)
            return NULL;
    }
    return m ? value_object(a, m, v->count) : NULL;
}

static bool is_base64(struct slice in)
{
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '+' && c != '/')
            return false;
    }
    return true;
}

static const struct value *base64_decoded(struct arena *a, struct slice in)
{
    size_t padding = 0;
    while (padding < 2 && padding < in.len && in.ptr[in.len - 1 - padding] == '=')
        padding++;
    if (in.len % 4 || in.len > TEXT_MOST || !is_base64(slice_from(in.ptr, in.len - padding)))
        return NULL;
    unsigned char *out = arena_alloc(a, in.len / 4 * 3 + 1);
    int len = out ? EVP_DecodeBlock(out, (const unsigned char *)in.ptr, (int)in.len) : -1;
    if (len < (int)padding)
        return NULL;
    /* The bytes that padding stands for are counted. */
    struct slice text = slice_from(out, (size_t)len - padding);
    return utf8_is_valid(text) ? value_string(a, text) : NULL;
}

static const struct value *to_type(struct arena *a, const struct value *v, const struct type *t)
{
    struct diags ignored;
    diags_init(&ignored, a);
    return value_convert(a, v, t, NULL, &ignored);
}

/* Google's links: "https://compute.googleapis.com/compute/v1/projects/p/zones/z", or parts of it.
 */
static const struct value *relative(struct arena *a, struct slice s)
{
    static const char key[] = "/projects/";
    const char *at = s.len ? memmem(s.ptr, s.len, key, sizeof(key) - 1) : NULL;
    return value_string(a, at ? slice_from(at + 1, s.len - (size_t)(at + 1 - s.ptr)) : s);
}

static const struct value *without_scheme(struct arena *a, struct slice s)
{
    const char *at = s.len ? memmem(s.ptr, s.len, "://", 3) : NULL;
    return value_string(a, at ? slice_from(at + 3, s.len - (size_t)(at + 3 - s.ptr)) : s);
}

static const struct value *basename_of(struct arena *a, struct slice s)
{
    const char *slash = s.len ? memrchr(s.ptr, '/', s.len) : NULL;
    return value_string(a, slash ? slice_from(slash + 1, s.len - (size_t)(slash + 1 - s.ptr)) : s);
}

static bool is_empty(const struct value *v)
{
    return v->type->kind == TYPE_STRING ? !v->string.len : v->type->kind >= TYPE_LIST && !v->count;
}

const struct value *template_transform(struct arena *a, enum template_transform tr,
                                       const struct value *v)
{
    if (!v || tr == TRANSFORM_NONE)
        return v;
    /* Lists and maps of tags may be absent altogether. */
    if (value_is_null(v))
        return tr == TRANSFORM_TAGS_MAP ? value_map(a, &type_string, NULL, 0)
                                        : value_null(a, &type_dynamic);
    /* A list of one is known to be that; the first of a list, and the values of a map, need it
     * alone to be known. */
    bool shallow = tr == TRANSFORM_FIRST_OF || tr == TRANSFORM_VALUES;
    bool missing = shallow ? value_is_unknown(v) : !value_is_wholly_known(v);
    if (missing && tr != TRANSFORM_LIST)
        return value_unknown(a, &type_dynamic);
    switch (tr) {
    case TRANSFORM_TAGS:
        return entries(a, v, "Key", "Value");
    case TRANSFORM_TAGS_LOWER:
        return entries(a, v, "key", "value");
    case TRANSFORM_TAG_KEYS:
        return entries(a, v, "Key", NULL);
    case TRANSFORM_KEYS:
        return keys(a, v);
    case TRANSFORM_JSON:
        return json_text(a, v);
    case TRANSFORM_JSON_PARSE:
        return json_parsed(a, value_slice(v));
    case TRANSFORM_JSON_DOCUMENT:
        return json_document(a, v);
    case TRANSFORM_BASE64:
        return base64_of(a, v);
    case TRANSFORM_BASE64_DECODE:
        return v->type->kind == TYPE_STRING ? base64_decoded(a, v->string) : NULL;
    case TRANSFORM_STRING:
        return to_type(a, v, &type_string);
    case TRANSFORM_NUMBER:
        return to_type(a, v, &type_number);
    case TRANSFORM_BOOL:
        return to_type(a, v, &type_bool);
    case TRANSFORM_TAGS_MAP:
        return tags_map(a, v);
    case TRANSFORM_LIST:
        return value_tuple(a, &v, 1);
    case TRANSFORM_VALUES:
        return values(a, v);
    case TRANSFORM_FIRST_OF:
        return value_count(v) ? value_at(v, 0) : value_null(a, &type_dynamic);
    case TRANSFORM_BASENAME:
        return v->type->kind == TYPE_STRING ? basename_of(a, v->string) : NULL;
    case TRANSFORM_WITHOUT_SCHEME:
        return v->type->kind == TYPE_STRING ? without_scheme(a, v->string) : NULL;
    case TRANSFORM_RELATIVE:
        return v->type->kind == TYPE_STRING ? relative(a, v->string) : NULL;
    case TRANSFORM_UNLESS_EMPTY:
        return is_empty(v) ? value_null(a, &type_dynamic) : v;
    case TRANSFORM_PLAIN:
    case TRANSFORM_QUANTITIES:
        return plain_value(a, v, tr == TRANSFORM_QUANTITIES);
    case TRANSFORM_FLOAT32:
        return plain_float32(a, v);
    default:
        return NULL;
    }
}
