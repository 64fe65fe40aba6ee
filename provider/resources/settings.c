/* What a user has written, as a text and back. */
#include "resources/settings.h"

#include <string.h>

#include "value/codec.h"

enum { SETTINGS_MOST = 900 << 10 }; /* a ConfigMap holds 1 MiB */

static bool is_kept(const struct schema_attr *at, const char *const *left)
{
    for (size_t i = 0; left[i]; i++)
        if (strcmp(at->name, left[i]) == 0)
            return false;
    return at->flags & (SCHEMA_REQUIRED | SCHEMA_OPTIONAL);
}

const struct value *settings_text(struct arena *a, const struct schema *s,
                                  const struct value *config, const char *const *left)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SETTINGS_MOST);
    struct value_member *m = arena_new_array(a, s->attr_count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < s->attr_count; i++) {
        const struct schema_attr *at = &s->attrs[i];
        const struct value *v = value_get(config, at->name);
        if (!v || value_is_null(v) || !is_kept(at, left) ||
            (at->default_value && value_equal(v, at->default_value)))
            continue;
        if (!value_is_wholly_known(v))
            return value_unknown(a, &type_string);
        m[count++] = (struct value_member){slice_str(at->name), v};
    }
    const struct value *kept = m ? value_object(a, m, count) : NULL;
    return kept && value_json_write(&b, kept, true) == 0 ? value_buf(a, &b) : NULL;
}

const struct value *settings_of(struct arena *a, const struct schema *s, const struct value *config,
                                const char *const *left, struct slice text, struct diags *diags)
{
    const struct value *kept = NULL;
    if (value_json_parse(a, text, &kept, diags) < 0 ||
        !(kept = value_convert(a, kept, s->type, NULL, diags)) ||
        !(kept = schema_defaults(a, s, kept)))
        return NULL;
    for (size_t i = 0; config && i < s->attr_count; i++)
        if (is_kept(&s->attrs[i], left))
            config = value_with(a, config, s->attrs[i].name, value_get(kept, s->attrs[i].name));
    return config;
}
