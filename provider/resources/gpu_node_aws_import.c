/* The configuration that an existing node stands for: its instance says it in tags. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "cloud/template.h"

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
    const struct value *own = gpu_node_user_tags(c, tags, "llm:");
    if (config && own)
        config = value_with(c->arena, config, "tags", own);
    *ret = config;
    return config ? 0 : diags_error(c->diags, NULL, "Out of memory", "Nothing was imported.");
}
