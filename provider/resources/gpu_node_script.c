/* Filling in a start-up script. */
#include "resources/gpu_node.h"

#include <string.h>

/* As a word of the shell. */
static void append_quoted(struct buf *out, const char *s)
{
    buf_append_char(out, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            buf_append_str(out, "'\\''");
        else
            buf_append_char(out, *s);
    }
    buf_append_char(out, '\'');
}

int gpu_node_render(struct buf *out, const char *script, const char *const (*values)[2],
                    size_t count)
{
    for (const char *at = strstr(script, "@@"); at; at = strstr(script, "@@")) {
        const char *name = at + 2, *end = strstr(name, "@@");
        size_t len = end ? (size_t)(end - name) : 0, i = 0;
        while (i < count && (strlen(values[i][0]) != len || strncmp(values[i][0], name, len) != 0))
            i++;
        if (!end || i == count)
            return -1;
        buf_append(out, script, (size_t)(at - script));
        append_quoted(out, values[i][1] ? values[i][1] : "");
        script = end + 2;
    }
    return buf_append_str(out, script);
}

const char *gpu_node_join(struct arena *a, const struct value *list)
{
    _cleanup_buf_ struct buf b = BUF_INIT(16384);
    for (size_t i = 0; i < value_count(list); i++)
        buf_printf(&b, "%s%s", i ? "," : "", value_cstr(value_at(list, i), ""));
    return arena_buf(a, &b);
}
