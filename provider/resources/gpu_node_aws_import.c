/* The configuration that an existing node stands for: its instance says it in tags. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "cloud/template.h"

/* The user's own tags: not ours, not AWS's, and not the provider's default ones. */
static const struct value *user_tags(const struct composite_context *c, const struct value *tags)
{
    const struct value *defaults = c->driver->default_tags(c->client, c->arena);
    struct value_member *m = arena_new_array(c->arena, value_count(tags), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(tags); i++) {
        struct slice key = tags->members[i].key;
        const struct value *usual = value_get_slice(defaults, key);
        bool ours = slice_has_prefix(key, "llm:") || slice_eq_str(key, "Name") ||
                    c->driver->ignores_tag(c->client, key);
        if (!ours && !(usual && value_equal(usual, tags->members[i].value)))
            m[count++] = tags->members[i];
    }
    return m && count ? value_map(c->arena, &type_string, m, count) : NULL;
}

int gpu_node_aws_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret)
{
    struct cloud_error err;
    const struct value *items = NULL;
    (void)found;
    if (gpu_node_aws_find_instances(c, &items, &err) < 0)
        return cloud_error_report(c->diags, NULL, "looking for the node", &err);
    const char *name = value_cstr(value_get(c->config, "name"), "");
    if (value_count(items) != 1)
        return diags_error(
            c->diags, NULL,
            value_count(items) ? "The node is there more than once" : "There is no such node",
            "%zu instances in %s carry the tag llm:resource = %s/%s; an import needs "
            "one.",
            value_count(items), c->region, GPU_NODE_TYPE, name);
    const struct value *tags =
        template_transform(c->arena, TRANSFORM_TAGS_MAP, value_get(value_at(items, 0), "tagSet"));
    const struct value *config = gpu_node_config_of_tags(c->arena, c->config, tags);
    const struct value *own = user_tags(c, tags);
    if (config && own)
        config = value_with(c->arena, config, "tags", own);
    *ret = config;
    return config ? 0 : diags_error(c->diags, NULL, "Out of memory", "Nothing was imported.");
}
