/* What the pods of an endpoint in a cluster fetch from its cloud: whether it is there. */
#include <string.h>

#include "resources/endpoint_aws.h"
#include "resources/endpoint_cluster.h"
#include "resources/endpoint_gcp.h"

/* Whether a Deployment has new pods: who only changes their number fetches nothing else. */
static bool has_new_pods(const struct engine_change *ch)
{
    if (ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE)
        return true;
    for (size_t i = 0; ch->action == ENGINE_UPDATE && i < ch->attr_count; i++)
        if (strcmp(ch->attrs[i], "containers") == 0 || strcmp(ch->attrs[i], "init_containers") == 0)
            return true;
    return false;
}

static bool gets_new_pods(const struct engine_changes *changes, struct slice variant)
{
    size_t len = strlen(ENDPOINT_CLUSTER_DEPLOYMENT);
    for (size_t i = 0; i < changes->count; i++) {
        const struct engine_change *ch = &changes->items[i];
        if (strncmp(ch->name, ENDPOINT_CLUSTER_DEPLOYMENT, len) == 0 &&
            slice_eq_str(variant, ch->name + len) && has_new_pods(ch))
            return true;
    }
    return false;
}

/* Each of the two looks at its own cloud's URIs alone. */
static int check_files(const struct composite_context *c, const char *uri, const struct path *at)
{
    return config_is(c->config, "cloud", "aws") ? endpoint_aws_check_artifact(c, uri, at)
                                                : endpoint_gcp_check_objects(c, uri, at);
}

static int check_image(const struct composite_context *c, const char *image, const struct path *at)
{
    return config_is(c->config, "cloud", "aws") ? endpoint_aws_check_image(c, image, at)
                                                : endpoint_gcp_check_image(c, image, at);
}

static int check_adapters(const struct composite_context *c)
{
    const struct value *all = config_get(c->config, "adapters");
    const struct path *at = path_attribute(c->arena, NULL, "adapters");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++)
        rc |= check_files(c, value_cstr(value_at(all, i), NULL),
                          path_key(c->arena, at, all->members[i].key));
    return rc;
}

int endpoint_cluster_check_sources(const struct composite_context *c,
                                   const struct engine_changes *changes,
                                   const struct value *derived)
{
    const struct value *choices = value_get(derived, "choices");
    struct endpoint_variants all;
    bool any = false;
    int rc = 0;
    endpoint_variants(c->arena, c->config, &all);
    for (size_t i = 0; i < all.count; i++) {
        const struct endpoint_variant *v = &all.items[i];
        if (!gets_new_pods(changes, v->name))
            continue;
        any = true;
        rc |= check_files(c, v->model, endpoint_variant_path(c->arena, v, "model", "model"));
        rc |=
            check_image(c, value_cstr(value_get(value_get_slice(choices, v->name), "image"), NULL),
                        endpoint_image_path(c->arena, v));
    }
    return any ? rc | check_adapters(c) : rc;
}
