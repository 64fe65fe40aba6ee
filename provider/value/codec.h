/* Wire forms of values: msgpack and JSON as the plugin protocol defines them (cty's msgpack and
 * json packages are the reference), and plain JSON for cloud APIs.
 *
 * Decoders take bytes from outside. Limits: 64 MiB, 4 million members in all, 128 levels deep in
 * JSON (types that stand in it count too), 31 in msgpack (the library's own). Encoders refuse what
 * the decoders would. Texts of errors never quote the content: it may be secret. */
#ifndef LLM_VALUE_CODEC_H
#define LLM_VALUE_CODEC_H

#include "value/value.h"

/* Decodes one value of type `t`; trailing bytes, a name that appears twice, an object without all
 * of its attributes and text that is not UTF-8 are errors. The result is owned by `a` and does not
 * refer to `bytes`, but it does to `t`. 0, or -1 with a diagnostic whose path names the place. */
int value_msgpack_decode(struct arena *a, struct slice bytes, const struct type *t,
                         const struct value **ret, struct diags *diags);
/* Appends the msgpack form of `v` as a value of type `t` (dynamic places in `t` are written with
 * their real type, null and unknown ones too). NULL is written as null. 0 or -1 (memory, buffer
 * limit, depth, type mismatch); the buffer's content is then of no use. */
int value_msgpack_encode(struct buf *out, const struct value *v, const struct type *t);

/* cty's JSON form of a value of type `t` (dynamic: {"value":…,"type":…}). Unknown attributes of an
 * object are an error unless `lenient` is set: then they are dropped, and missing ones are null
 * (for states written by older versions). */
int value_json_decode(struct arena *a, struct slice json, const struct type *t, bool lenient,
                      const struct value **ret, struct diags *diags);
/* Unknown values cannot be written: -1. */
int value_json_encode(struct buf *out, const struct value *v, const struct type *t);

/* Plain JSON without a schema: objects become object values, arrays tuples, null a null of dynamic
 * type. Numbers stay exact. */
int value_json_parse(struct arena *a, struct slice json, const struct value **ret,
                     struct diags *diags);
/* Plain JSON of any wholly known value; null members of objects are left out when `skip_null`.
 * `sorted` is implied: the same value always gives the same bytes. 0 or -1. */
int value_json_write(struct buf *out, const struct value *v, bool skip_null);

#endif
