/* The configuration that an existing node on Google Cloud stands for: its instance says it in its
 * metadata and labels. */
#include "resources/gpu_node_gcp.h"

#include <string.h>

#include "cloud/template.h"

int gpu_node_gcp_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret)
{
    struct gpu_node_lookup k = {.kind = GPU_NODE_LOOKUP_NODE};
    (void)found;
    if (gpu_node_gcp_ask(c, &k) < 0)
        return cloud_error_report(c->diags, NULL, "looking for the node", &k.error);
    const char *name = value_cstr(value_get(c->config, "name"), "");
    if (value_count(k.answer) != 1)
        return diags_error(c->diags, NULL,
                           value_count(k.answer) ? "The node is there more than once"
                                                 : "There is no such node",
                           "%zu instances in %s are named llm-node-%s-%s; an import needs one.",
                           value_count(k.answer), c->region, name, c->region);
    const struct value *item = value_at(k.answer, 0);
    const struct value *metadata = template_transform(
        c->arena, TRANSFORM_TAGS_MAP, template_select(c->arena, item, "metadata.items"));
    const struct value *config =
        gpu_node_config_of_tags(c->arena, c->config, gpu_node_gcp_settings(c->arena, metadata));
    const struct value *own = gpu_node_user_tags(c, value_get(item, "labels"), "llm-");
    if (config && own)
        config = value_with(c->arena, config, "tags", own);
    *ret = config;
    return config ? 0 : diags_error(c->diags, NULL, "Out of memory", "Nothing was imported.");
}
