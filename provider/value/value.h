/* Values as Terraform has them: typed, immutable, null or unknown or known, with exact numbers.
 *
 * Values are made in an arena and never changed; functions that "set" return a new value which
 * shares what is unchanged. Constructors return NULL when memory is out or a child is NULL; all
 * accessors accept NULL and answer as for a null value, so that chains need one check.
 *
 * The type of a value inside a dynamic place is its real type. An object value always has one
 * member per attribute of its type, in the type's order. Sets hold no duplicates, in the canonical
 * order of value_compare(). Map members are sorted by key. */
#ifndef LLM_VALUE_VALUE_H
#define LLM_VALUE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/path.h"
#include "base/slice.h"
#include "value/number.h"
#include "value/type.h"

enum value_state { VALUE_NULL, VALUE_UNKNOWN, VALUE_KNOWN };

/* Promises about an unknown value; all zero when there is none. */
struct refinement {
    bool not_null;
    bool known_null; /* for the wire only: what is decoded with it is null */
    struct slice prefix;
    const struct number *min, *max;
    bool min_inclusive, max_inclusive;
    int64_t length_min, length_max; /* -1: none */
};

struct value;

struct value_member {
    struct slice key; /* map key, or object attribute name; empty in lists, sets and tuples */
    const struct value *value;
};

struct value {
    const struct type *type;
    enum value_state state;
    bool sensitive;                      /* printed as "(sensitive value)"; not part of equality */
    const struct refinement *refinement; /* unknown values only; may be NULL */
    union {
        bool boolean;
        const struct number *number;
        struct slice string; /* UTF-8, NUL-terminated behind len */
        struct {
            const struct value_member *members;
            size_t count;
        };
    };
};

/* ---- making values ---- */
const struct value *value_null(struct arena *a, const struct type *t);
const struct value *value_unknown(struct arena *a, const struct type *t);
const struct value *value_unknown_not_null(struct arena *a, const struct type *t);
const struct value *value_unknown_refined(struct arena *a, const struct type *t,
                                          const struct refinement *r);
const struct value *value_bool(struct arena *a, bool b);
const struct value *value_int(struct arena *a, int64_t n);
const struct value *value_number(struct arena *a, const struct number *n);
const struct value *value_string(struct arena *a, struct slice s); /* copies */
/* What a buffer holds; NULL also when a write to it has failed. */
const struct value *value_buf(struct arena *a, const struct buf *b);
const struct value *value_str(struct arena *a, const char *s); /* copies; NULL: null string */
const struct value *value_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Elements must have type `elem` (dynamic allows any). The pointer array is not kept. */
const struct value *value_list(struct arena *a, const struct type *elem,
                               const struct value *const *elems, size_t count);
const struct value *value_set(struct arena *a, const struct type *elem,
                              const struct value *const *elems, size_t count);
const struct value *value_tuple(struct arena *a, const struct value *const *elems, size_t count);
/* The elements of one and then of the other; NULL adds none. */
const struct value *value_tuple_join(struct arena *a, const struct value *x, const struct value *y);
/* Members in any order; keys are copied; a later member with the same key wins. */
const struct value *value_map(struct arena *a, const struct type *elem,
                              const struct value_member *members, size_t count);
/* An object whose type is built from its members. */
const struct value *value_object(struct arena *a, const struct value_member *members, size_t count);
/* An object of type `t`: members by name; attributes not given are null. NULL on a wrong name. */
const struct value *value_object_of(struct arena *a, const struct type *t,
                                    const struct value_member *members, size_t count);

/* ---- looking at values; NULL reads as null ---- */
bool value_is_null(const struct value *v);
bool value_is_unknown(const struct value *v);
bool value_is_known(const struct value *v); /* neither null nor unknown */
bool value_is_wholly_known(const struct value *v);
/* Members of a known collection or structure; 0 otherwise. */
size_t value_count(const struct value *v);
const struct value *value_at(const struct value *v, size_t index);      /* NULL out of range */
const struct value *value_get(const struct value *v, const char *name); /* attribute or map key */
const struct value *value_get_slice(const struct value *v, struct slice name);
/* Follows a dotted path of attribute names and map keys ("network.cidr"): the value there, or the
 * null/unknown that stands on the way, or NULL when a name does not exist. */
const struct value *value_path(const struct value *v, const char *dotted);
const struct value *value_at_path(const struct value *v, const struct path *p);
/* Known string, else `otherwise`. The C string is NUL-terminated and lives as long as `v`. */
const char *value_cstr(const struct value *v, const char *otherwise);
struct slice value_slice(const struct value *v); /* empty unless a known string */
bool value_true(const struct value *v);          /* known and true */
bool value_to_int(const struct value *v, int64_t *ret);
int64_t value_int_or(const struct value *v, int64_t otherwise);
/* Whether one of the elements is that text. */
bool value_has_text(const struct value *v, const char *text);

/* ---- comparing ---- */
/* Same type, state and content. Two unknowns of one type are equal. */
bool value_equal(const struct value *a, const struct value *b);
/* A total order over values of one type, used to sort sets. */
int value_compare(const struct value *a, const struct value *b);

/* ---- deriving values ---- */
/* `v` with the attribute, key or path replaced; the parents on a path must be known. A map key that
 * is absent is added. */
const struct value *value_with(struct arena *a, const struct value *v, const char *name,
                               const struct value *member);
const struct value *value_with_path(struct arena *a, const struct value *v, const char *dotted,
                                    const struct value *member);
const struct value *value_with_sensitive(struct arena *a, const struct value *v);
/* A deep copy into another arena (types included, unless they are const tables: types are copied
 * too, so that the result lives by itself). */
const struct value *value_copy(struct arena *a, const struct value *v);
/* Converts as Terraform does: string <-> number <-> bool, tuple -> list/set, object -> map,
 * object -> object (extra attributes dropped, missing ones null). Of an unknown value's promises
 * only "not null" is kept. Error at `path`. */
const struct value *value_convert(struct arena *a, const struct value *v, const struct type *t,
                                  const struct path *path, struct diags *diags);
/* Calls `fn` for `v` and everything inside, parents first; a non-zero return stops and is returned.
 * Elements of sets have their parent's path. */
int value_walk(struct arena *a, const struct value *v, const struct path *path,
               int (*fn)(void *arg, const struct value *v, const struct path *path), void *arg);

/* For messages and logs: JSON-like, sensitive values censored, unknown as "(known after apply)". */
int value_format(struct buf *out, const struct value *v);

#endif
