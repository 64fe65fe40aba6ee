/* Reading JSON: plain, and as cty's json package defines it for a type.
 *
 * jansson parses. It rounds numbers, so they are marked on the way in: outside strings, every run
 * of characters that can be part of a number becomes a string with a prefix that no other string
 * has, because all others get a prefix of their own. On the same way everything is counted, so
 * that what is too deep or too large never reaches jansson. */
#include "value/codec.h"

#include <string.h>

#include <jansson.h>

#include "base/alloc.h"

#include "value/read.h"

enum { BYTES_MOST = 64 << 20, MEMBERS_MOST = 4 << 20, DEPTH_MOST = 128 };

static const char MARK_NUMBER = 'n', MARK_STRING = 's';

static bool in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Where the string literal at `i` ends: behind its closing quote, or at the end of the text. */
static size_t string_end(struct slice in, size_t i)
{
    for (i++; i < in.len && in.ptr[i] != '"'; i++)
        i += in.ptr[i] == '\\';
    return i < in.len ? i + 1 : in.len;
}

static size_t number_end(struct slice in, size_t i)
{
    while (i < in.len && in_number(in.ptr[i]))
        i++;
    return i;
}

static void mark_number(struct buf *out, struct slice in, size_t start, size_t end)
{
    buf_append_char(out, '"');
    buf_append_char(out, MARK_NUMBER);
    buf_append(out, in.ptr + start, end - start);
    buf_append_char(out, '"');
}

/* A string literal with the mark behind its opening quote. */
static void mark_string(struct buf *out, struct slice in, size_t start, size_t end)
{
    buf_append_char(out, '"');
    buf_append_char(out, MARK_STRING);
    buf_append(out, in.ptr + start + 1, end - start - 1);
}

/* Brackets and commas outside strings. */
struct tally {
    size_t depth, deepest, members;
};

static void count(struct tally *t, char c)
{
    if (c == '{' || c == '[') {
        t->members++;
        t->depth++;
        t->deepest = t->depth > t->deepest ? t->depth : t->deepest;
    } else if (c == '}' || c == ']') {
        t->depth -= t->depth > 0;
    } else if (c == ',') {
        t->members++;
    }
}

static struct tally mark(struct buf *out, struct slice in)
{
    struct tally tally = {0};
    size_t i = 0, copied = 0;
    while (i < in.len && !out->failed) {
        char c = in.ptr[i];
        bool string = c == '"', number = c == '-' || (c >= '0' && c <= '9');
        if (!string && !number) {
            count(&tally, c);
            i++;
            continue;
        }
        buf_append(out, in.ptr + copied, i - copied);
        size_t end = string ? string_end(in, i) : number_end(in, i);
        if (string)
            mark_string(out, in, i, end);
        else
            mark_number(out, in, i, end);
        i = copied = end;
    }
    if (copied < in.len)
        buf_append(out, in.ptr + copied, in.len - copied);
    return tally;
}

struct reader {
    struct arena *a;
    struct diags *diags;
    bool lenient;
};

static const struct value *refuse(struct reader *r, const struct path *path, const char *why)
{
    diags_error(r->diags, path, "Invalid JSON", "%s.", why);
    return NULL;
}

/* A key without its mark; a key that was a number has no place in JSON. */
static bool plain_key(struct reader *r, const char *key, const struct path *path, struct slice *ret)
{
    if (*key != MARK_STRING) {
        refuse(r, path, "A member of an object has a number where its name belongs");
        return false;
    }
    *ret = slice_str(key + 1);
    return true;
}

static bool in_json_grammar(struct slice digits)
{
    size_t sign = digits.len && digits.ptr[0] == '-';
    bool leading_zero = digits.len > sign + 1 && digits.ptr[sign] == '0' &&
                        digits.ptr[sign + 1] >= '0' && digits.ptr[sign + 1] <= '9';
    return !leading_zero;
}

/* A string, or a number; *ret_text is either without its mark. */
static const struct value *marked(struct reader *r, const json_t *j, const struct path *path,
                                  struct slice *ret_text)
{
    const char *text = json_string_value(j);
    *ret_text = slice_from(text + 1, json_string_length(j) - 1);
    if (text[0] == MARK_STRING)
        return value_string(r->a, *ret_text);
    const struct number *n = in_json_grammar(*ret_text) ? number_parse(r->a, *ret_text) : NULL;
    return n ? value_number(r->a, n)
             : refuse(r, path, "A number is malformed, or has more than 1100 digits or 4096 zeros");
}

/* ---- without a schema ---- */

static const struct value *plain(struct reader *r, const json_t *j, const struct path *path);

static const struct value *plain_object(struct reader *r, const json_t *j, const struct path *path)
{
    struct value_member *m = arena_new_array(r->a, json_object_size(j), struct value_member);
    size_t count = 0;
    for (void *it = json_object_iter((json_t *)(uintptr_t)j); m && it;
         it = json_object_iter_next((json_t *)(uintptr_t)j, it), count++) {
        if (!plain_key(r, json_object_iter_key(it), path, &m[count].key))
            return NULL;
        m[count].value = plain(r, json_object_iter_value(it), path_key(r->a, path, m[count].key));
        if (!m[count].value)
            return NULL;
    }
    return m ? value_object(r->a, m, count) : NULL;
}

static const struct value *plain_array(struct reader *r, const json_t *j, const struct path *path)
{
    size_t count = json_array_size(j);
    const struct value **elems = arena_calloc(r->a, count, sizeof(struct value *));
    for (size_t i = 0; elems && i < count; i++) {
        elems[i] = plain(r, json_array_get(j, i), path_index(r->a, path, (int64_t)i));
        if (!elems[i])
            return NULL;
    }
    return elems ? value_tuple(r->a, elems, count) : NULL;
}

static const struct value *plain(struct reader *r, const json_t *j, const struct path *path)
{
    struct slice text;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return plain_object(r, j, path);
    case JSON_ARRAY:
        return plain_array(r, j, path);
    case JSON_STRING:
        return marked(r, j, path, &text);
    case JSON_TRUE:
    case JSON_FALSE:
        return value_bool(r->a, json_is_true(j));
    case JSON_NULL:
        return value_null(r->a, &type_dynamic);
    default:
        return refuse(r, path, "Unexpected token");
    }
}

/* ---- with a type ---- */

static const struct value *typed(struct reader *r, const json_t *j, const struct type *t,
                                 const struct path *path);

static const struct value *typed_sequence(struct reader *r, const json_t *j, const struct type *t,
                                          const struct path *path)
{
    size_t count = json_array_size(j);
    if (!json_is_array(j) || (t->kind == TYPE_TUPLE && count != t->attr_count))
        return refuse(r, path, "An array of another length, or none, stands where a list belongs");
    const struct value **elems = arena_calloc(r->a, count, sizeof(struct value *));
    for (size_t i = 0; elems && i < count; i++) {
        const struct type *elem = t->kind == TYPE_TUPLE ? t->attrs[i].type : t->elem;
        const struct path *at = t->kind == TYPE_SET ? path : path_index(r->a, path, (int64_t)i);
        elems[i] = typed(r, json_array_get(j, i), elem, at);
        if (!elems[i])
            return NULL;
    }
    if (!elems)
        return NULL;
    if (t->kind == TYPE_TUPLE)
        return value_tuple(r->a, elems, count);
    return t->kind == TYPE_LIST ? value_list(r->a, t->elem, elems, count)
                                : value_set(r->a, t->elem, elems, count);
}

/* The member of a map or object that `it` stands at: 1 when there is one, 0 when it is passed over,
 * -1 with an error. */
static int typed_member(struct reader *r, void *it, const struct type *t, const struct path *path,
                        struct value_member *ret)
{
    if (!plain_key(r, json_object_iter_key(it), path, &ret->key))
        return -1;
    const struct type_attr *attr = type_attr(t, ret->key);
    if (t->kind == TYPE_OBJECT && !attr)
        return r->lenient ? 0 : refuse_attribute(r->diags, path, ret->key);
    const struct path *at =
        attr ? path_attribute(r->a, path, attr->name) : path_key(r->a, path, ret->key);
    ret->value = typed(r, json_object_iter_value(it), attr ? attr->type : t->elem, at);
    return ret->value ? 1 : -1;
}

static const struct value *typed_members(struct reader *r, const json_t *j, const struct type *t,
                                         const struct path *path)
{
    if (!json_is_object(j))
        return refuse(r, path, "No object stands where one belongs");
    struct value_member *m = arena_new_array(r->a, json_object_size(j), struct value_member);
    size_t count = 0;
    for (void *it = json_object_iter((json_t *)(uintptr_t)j); m && it;
         it = json_object_iter_next((json_t *)(uintptr_t)j, it)) {
        int found = typed_member(r, it, t, path, &m[count]);
        if (found < 0)
            return NULL;
        count += (size_t)found;
    }
    if (!m)
        return NULL;
    return t->kind == TYPE_OBJECT ? value_object_of(r->a, t, m, count)
                                  : value_map(r->a, t->elem, m, count);
}

/* The type that stands in a document, through its text: the one reader of types is type.c. */
static const struct type *described_type(struct reader *r, const json_t *j, const struct path *path)
{
    const struct value *described = plain(r, j, path);
    if (!described)
        return NULL;
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
    struct diags ignored;
    diags_init(&ignored, r->a);
    const struct type *t = value_json_write(&text, described, false) < 0
                               ? NULL
                               : type_json_decode(r->a, buf_slice(&text), &ignored);
    if (!t)
        refuse(r, path, "A value carries a type that is not one of the protocol's");
    return t;
}

static const struct value *typed_dynamic(struct reader *r, const json_t *j, const struct path *path)
{
    const json_t *type = json_object_get(j, "stype"), *value = json_object_get(j, "svalue");
    if (!type || !value || json_object_size(j) != 2)
        return refuse(r, path, "A value of any type needs the members \"type\" and \"value\"");
    const struct type *t = described_type(r, type, path);
    return t ? typed(r, value, t, path) : NULL;
}

static const struct value *typed_primitive(struct reader *r, const json_t *j, const struct type *t,
                                           const struct path *path)
{
    if (t->kind == TYPE_BOOL && json_is_boolean(j))
        return value_bool(r->a, json_is_true(j));
    if (t->kind == TYPE_STRING && json_is_boolean(j))
        return value_str(r->a, json_is_true(j) ? "true" : "false");
    if (!json_is_string(j))
        return refuse(r, path, "A value of another type stands here");
    struct slice text;
    const struct value *v = marked(r, j, path, &text);
    if (!v || v->type->kind == t->kind)
        return v;
    /* cty's json package reads a number as the string that stands there, and converts strings; so
     * may a state from an older version need. */
    if (t->kind == TYPE_STRING)
        return value_string(r->a, text);
    return value_convert(r->a, v, t, path, r->diags);
}

static const struct value *typed(struct reader *r, const json_t *j, const struct type *t,
                                 const struct path *path)
{
    if (json_is_null(j))
        return value_null(r->a, t);
    switch (t->kind) {
    case TYPE_DYNAMIC:
        return typed_dynamic(r, j, path);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_TUPLE:
        return typed_sequence(r, j, t, path);
    case TYPE_MAP:
    case TYPE_OBJECT:
        return typed_members(r, j, t, path);
    default:
        return typed_primitive(r, j, t, path);
    }
}

/* ---- entry ---- */

/* jansson's own texts quote the document, which may hold secrets, and our marks. */
static const char *syntax_error(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return "memory ran out";
    case json_error_invalid_utf8:
        return "the text is not UTF-8";
    case json_error_premature_end_of_input:
        return "the document ends too early";
    case json_error_end_of_input_expected:
        return "something stands behind the end of the document";
    case json_error_null_byte_in_key:
        return "a name holds a NUL character";
    case json_error_duplicate_key:
        return "a name appears twice in one object";
    default:
        return "the text is not JSON";
    }
}

/* Jansson's memory. Its reader passes over an allocation that fails in the middle of a text, and
 * goes on without the rest of it: the failure is remembered here. What it frees is zeroed:
 * documents hold tokens and keys. */
static _Thread_local bool memory_failed;

union header {
    size_t size;
    max_align_t aligned;
};

static void *json_alloc(size_t size)
{
    union header *h = size < SIZE_MAX - sizeof(*h) ? alloc_table.malloc(sizeof(*h) + size) : NULL;
    memory_failed |= !h;
    if (!h)
        return NULL;
    h->size = size;
    return h + 1;
}

static void json_release(void *ptr)
{
    union header *h = ptr ? (union header *)ptr - 1 : NULL;
    if (!h)
        return;
    explicit_bzero(ptr, h->size);
    alloc_table.free(h);
}

/* Before anything could have used jansson: what one allocator gave, another cannot take back. */
__attribute__((constructor)) static void use_own_memory(void)
{
    json_set_alloc_funcs(json_alloc, json_release);
}

static json_t *parse_marked(struct slice text, struct diags *diags)
{
    json_error_t error;
    memory_failed = false;
    json_t *j = json_loadb(text.ptr, text.len,
                           JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (memory_failed) {
        json_decref(j);
        diags_error(diags, NULL, "Invalid JSON", "Memory ran out.");
        return NULL;
    }
    if (!j)
        diags_error(diags, NULL, "Invalid JSON", "Line %d: %s.", error.line, syntax_error(&error));
    return j;
}

static json_t *load(struct slice json, struct diags *diags)
{
    if (json.len > BYTES_MOST) {
        diags_error(diags, NULL, "Invalid JSON", "The document is over 64 MiB.");
        return NULL;
    }
    /* The worst case is a row of one-digit numbers: three bytes are added to each. */
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)4 * BYTES_MOST);
    struct tally tally = mark(&text, json);
    if (text.failed) {
        diags_error(diags, NULL, "Invalid JSON", "Memory ran out.");
        return NULL;
    }
    if (tally.deepest > DEPTH_MOST || tally.members > MEMBERS_MOST) {
        diags_error(diags, NULL, "Invalid JSON",
                    "The document is nested more than %d levels deep, or has over %d members.",
                    DEPTH_MOST, MEMBERS_MOST);
        return NULL;
    }
    return parse_marked(buf_slice(&text), diags);
}

/* Reads with type `t`, or plainly when it is NULL. */
static int read_document(struct reader *r, struct slice json, const struct type *t,
                         const struct value **ret)
{
    size_t before = r->diags->errors;
    json_t *j = load(json, r->diags);
    if (!j)
        return -1;
    const struct value *v = t ? typed(r, j, t, NULL) : plain(r, j, NULL);
    json_decref(j);
    if (!v && r->diags->errors == before)
        refuse(r, NULL, "Memory ran out");
    if (!v)
        return -1;
    *ret = v;
    return 0;
}

int value_json_parse(struct arena *a, struct slice json, const struct value **ret,
                     struct diags *diags)
{
    struct reader r = {a, diags, false};
    return read_document(&r, json, NULL, ret);
}

int value_json_decode(struct arena *a, struct slice json, const struct type *t, bool lenient,
                      const struct value **ret, struct diags *diags)
{
    struct reader r = {a, diags, lenient};
    return read_document(&r, json, t, ret);
}
