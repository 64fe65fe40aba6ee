/* golden_rewrite VECTORS: every golden vector read and written again by our codecs, and then values
 * of our own, as a JSON array on standard output for golden's `verify`. */
#include <stdio.h>
#include <stdlib.h>

#include "random_value.h"
#include "value_vectors.h"

enum { VALUES = 1500, BYTES_MOST = 64 << 20 };

static void append_hex(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%02x", (unsigned)(unsigned char)bytes.ptr[i]);
}

static void append_text(struct buf *out, const char *key, struct slice text)
{
    buf_printf(out, "\"%s\":\"", key);
    buf_append_json_escaped(out, text);
    buf_append_str(out, "\",");
}

/* One entry; 0 or -1. */
static int rewrite(struct buf *out, const char *name, const struct type *t, const struct value *v)
{
    struct buf type _cleanup_buf_ = BUF_INIT(BYTES_MOST), json _cleanup_buf_ = BUF_INIT(BYTES_MOST),
                    packed _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    if (type_json_encode(&type, t) < 0 || value_msgpack_encode(&packed, v, t) < 0)
        return -1;
    buf_append_str(out, out->len > 2 ? ",\n{" : "{");
    append_text(out, "name", slice_str(name));
    append_text(out, "type", buf_slice(&type));
    if (value_json_encode(&json, v, t) == 0)
        append_text(out, "json", buf_slice(&json));
    buf_append_str(out, "\"msgpack\":\"");
    append_hex(out, buf_slice(&packed));
    return buf_append_str(out, "\"}");
}

static int rewrite_vectors(struct buf *out, struct arena *a, const char *file)
{
    size_t count = 0;
    const struct vector *all = vectors_load(a, file, &count);
    if (!all)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct diags diags;
        diags_init(&diags, a);
        const struct value *v = NULL;
        if (all[i].refused)
            continue;
        if (value_msgpack_decode(a, all[i].from, all[i].type, &v, &diags) < 0 ||
            rewrite(out, all[i].name, all[i].type, v) < 0) {
            fprintf(stderr, "%s cannot be rewritten\n", all[i].name);
            return -1;
        }
    }
    return 0;
}

static int write_own(struct buf *out)
{
    for (uint64_t seed = 1; seed <= VALUES; seed++) {
        struct arena *a _cleanup_arena_ = arena_new();
        struct value_generator g = {a, seed * 0x9e3779b97f4a7c15u, seed % 2 == 0};
        const struct type *t = random_type(&g, 4);
        const struct value *v = t ? random_value(&g, t) : NULL;
        const char *name = arena_printf(a, "own value %u", (unsigned)seed);
        if (!v || rewrite(out, name, t, v) < 0) {
            fprintf(stderr, "%s cannot be written\n", name);
            return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct buf out _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    buf_append_str(&out, "[\n");
    if (argc != 2 || rewrite_vectors(&out, a, argv[1]) < 0 || write_own(&out) < 0)
        return EXIT_FAILURE;
    buf_append_str(&out, "]\n");
    return !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len ? EXIT_SUCCESS
                                                                         : EXIT_FAILURE;
}
