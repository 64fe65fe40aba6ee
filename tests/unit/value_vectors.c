/* See value_vectors.h. */
#include "value_vectors.h"

#include <stdio.h>

#include <jansson.h>

static struct slice text_at(struct arena *a, const json_t *o, const char *key)
{
    const json_t *s = json_object_get(o, key);
    size_t len = json_string_length(s);
    return s ? slice_from(arena_strndup(a, json_string_value(s), len), len) : SLICE_EMPTY;
}

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct slice bytes_at(struct arena *a, const json_t *o, const char *key)
{
    struct slice hex = text_at(a, o, key);
    char *bytes = arena_alloc(a, hex.len / 2 + 1);
    for (size_t i = 0; bytes && i + 1 < hex.len; i += 2)
        bytes[i / 2] = (char)(hex_digit(hex.ptr[i]) * 16 + hex_digit(hex.ptr[i + 1]));
    return slice_from(bytes, hex.len / 2);
}

static int read_vector(struct arena *a, const json_t *o, bool refused, struct vector *ret)
{
    struct diags diags;
    diags_init(&diags, a);
    ret->name = text_at(a, o, "name").ptr;
    ret->type_json = text_at(a, o, "type");
    ret->type = type_json_decode(a, ret->type_json, &diags);
    ret->msgpack = bytes_at(a, o, "msgpack");
    ret->from = json_object_get(o, "from") ? bytes_at(a, o, "from") : ret->msgpack;
    ret->json = text_at(a, o, "json");
    ret->json_from = json_object_get(o, "json_from") ? text_at(a, o, "json_from") : ret->json;
    ret->reordered = json_is_true(json_object_get(o, "reordered"));
    ret->refused = refused;
    if (ret->type)
        return 0;
    fprintf(stderr, "%s: type %s: %s\n", ret->name, ret->type_json.ptr, diags.first->detail);
    return -1;
}

const struct vector *vectors_load(struct arena *a, const char *file, size_t *ret_count)
{
    json_error_t error;
    json_t *doc = json_load_file(file, JSON_ALLOW_NUL, &error);
    if (!doc) {
        fprintf(stderr, "%s: %s\n", file, error.text);
        return NULL;
    }
    const json_t *lists[] = {json_object_get(doc, "vectors"), json_object_get(doc, "refusals")};
    size_t count = json_array_size(lists[0]) + json_array_size(lists[1]), filled = 0;
    struct vector *all = arena_new_array(a, count, struct vector);
    for (size_t l = 0; l < 2 && all; l++)
        for (size_t i = 0; i < json_array_size(lists[l]); i++, filled++)
            if (read_vector(a, json_array_get(lists[l], i), l == 1, &all[filled]) < 0) {
                json_decref(doc);
                return NULL;
            }
    json_decref(doc);
    *ret_count = count;
    return all;
}
