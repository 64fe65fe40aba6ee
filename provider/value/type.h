/* Types of values, as the protocol's cty types: primitive, collection, structural, dynamic.
 *
 * Types are immutable. They are const tables compiled from the schemas, or made in an arena while
 * decoding. Two types are compared by structure (type_equal()), never by address. */
#ifndef LLM_VALUE_TYPE_H
#define LLM_VALUE_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum type_kind {
    TYPE_DYNAMIC,
    TYPE_BOOL,
    TYPE_NUMBER,
    TYPE_STRING,
    TYPE_LIST,
    TYPE_SET,
    TYPE_MAP,
    TYPE_TUPLE,
    TYPE_OBJECT,
};

struct type;

struct type_attr {
    const char *name; /* NULL for the members of a tuple */
    const struct type *type;
    bool optional;
};

struct type {
    enum type_kind kind;
    const struct type *elem;       /* list, set, map */
    const struct type_attr *attrs; /* tuple: in order; object: sorted by name (strcmp) */
    size_t attr_count;
};

extern const struct type type_dynamic, type_bool, type_number, type_string;
extern const struct type type_list_of_string, type_set_of_string, type_map_of_string;

/* New types owned by `a`; NULL when memory is out or a child is NULL. */
const struct type *type_list(struct arena *a, const struct type *elem);
const struct type *type_set(struct arena *a, const struct type *elem);
const struct type *type_map(struct arena *a, const struct type *elem);
const struct type *type_tuple(struct arena *a, const struct type *const *elems, size_t count);
/* `attrs` in any order; copied and sorted. NULL also when a name appears twice. */
const struct type *type_object(struct arena *a, const struct type_attr *attrs, size_t count);

bool type_equal(const struct type *a, const struct type *b);

/* The attribute of an object type, or NULL. */
const struct type_attr *type_attr(const struct type *t, struct slice name);

/* cty's JSON form of a type ("string", ["list","string"], ["object",{…}], with the names of
 * optional attributes behind them). Read: at most 32 levels, 4096 attributes at each, 1 MiB; NULL
 * with an error otherwise. Whether attributes are optional plays no part in type_equal(). */
int type_json_encode(struct buf *out, const struct type *t);
const struct type *type_json_decode(struct arena *a, struct slice json, struct diags *diags);

/* As a user writes it: "list(string)", "object({a = number})". Owned by `a`. */
const char *type_string_of(struct arena *a, const struct type *t);

#endif
