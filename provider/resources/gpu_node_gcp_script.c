/* The metadata of a node on Google Cloud: its start-up script with its values, and the settings
 * that the node follows while it runs. */
#include "resources/gpu_node_gcp.h"

#include <string.h>

#include "resources/scripts.h"

enum { SCRIPT_MOST = 256 * 1024 }; /* Compute Engine documentation, "metadata size limits" */

static const char *text(const struct composite_context *c, const char *path)
{
    return value_cstr(value_path(c->config, path), NULL);
}

static const char *secret_name(const struct composite_context *c, const char *given)
{
    const char *parent = arena_printf(c->arena, "projects/%s/secrets", c->account);
    return given && parent ? gcp_full_name(c->arena, slice_str(given), parent) : NULL;
}

const char *gpu_node_gcp_tailscale_secret(const struct composite_context *c,
                                          const struct gpu_node_gcp_names *names)
{
    const char *existing = text(c, "tailscale.auth_key_secret");
    bool own = value_is_known(value_path(c->config, "tailscale.auth_key_wo_version"));
    return secret_name(c, existing ? existing : own ? names->secret : NULL);
}

const char *gpu_node_gcp_huggingface_secret(const struct composite_context *c)
{
    return secret_name(c, text(c, "huggingface_token_secret"));
}

static const char *tag_text(const struct value *tags, const char *key)
{
    return value_cstr(value_get(tags, key), "");
}

static const struct value *script(const struct composite_context *c,
                                  const struct gpu_node_gcp_names *names,
                                  const struct gpu_node_models *models, const struct value *tags)
{
    struct arena *a = c->arena;
    const char *name = text(c, "name"), *hostname = text(c, "tailscale.hostname");
    int heads = models->count ? models->models[0].heads : 0;
    bool ssh = value_true(value_path(c->config, "tailscale.ssh"));
    const char *const values[][2] = {
        {"name", name},
        {"project", c->account},
        {"region", c->region},
        {"runtime", models->runtime == FIT_VLLM ? "vllm" : "ollama"},
        {"served", tag_text(tags, "llm:served")},
        {"context", tag_text(tags, "llm:context")},
        {"heads", arena_printf(a, "%d", heads)},
        {"device", GPU_NODE_GCP_DEVICE},
        {"cache", text(c, "model_cache.gcs_uri")},
        {"tailscale_secret", gpu_node_gcp_tailscale_secret(c, names)},
        {"tailscale_hostname", hostname ? hostname : name},
        {"tailscale_tags", gpu_node_join(a, value_path(c->config, "tailscale.tags"))},
        {"tailscale_ssh", ssh ? "true" : "false"},
        {"huggingface_secret", gpu_node_gcp_huggingface_secret(c)},
    };
    _cleanup_buf_ struct buf b = BUF_INIT(SCRIPT_MOST);
    if (gpu_node_render(&b, script_gcp_startup, values, sizeof(values) / sizeof(*values)) == 0 &&
        !b.failed)
        return value_buf(a, &b);
    return NULL;
}

/* "llm:served" is the metadata key "llm-served". */
static struct slice with_mark(struct arena *a, struct slice key, char mark)
{
    char *copy = arena_strndup(a, key.ptr, key.len);
    if (copy && key.len > 3)
        copy[3] = mark;
    return slice_from(copy, copy ? key.len : 0);
}

const struct value *gpu_node_gcp_metadata(const struct composite_context *c,
                                          const struct gpu_node_gcp_names *names,
                                          const struct gpu_node_models *models)
{
    static const char *const fixed[][2] = {
        {"enable-oslogin", "TRUE"},
        {"enable-guest-attributes", "TRUE"}, /* for the node's status */
        {"block-project-ssh-keys", "TRUE"},
    };
    struct arena *a = c->arena;
    const struct value *tags = gpu_node_tags(a, c->config, models);
    struct value_member *m = arena_new_array(a, value_count(tags) + 4, struct value_member);
    size_t count = 0;
    if (!tags || !m)
        return NULL;
    for (size_t i = 0; i < value_count(tags); i++)
        m[count++] =
            (struct value_member){with_mark(a, tags->members[i].key, '-'), tags->members[i].value};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        m[count++] = (struct value_member){slice_str(fixed[i][0]), value_str(a, fixed[i][1])};
    m[count] = (struct value_member){SLICE_LIT("startup-script"), script(c, names, models, tags)};
    return m[count++].value ? value_map(a, &type_string, m, count) : NULL;
}

const struct value *gpu_node_gcp_settings(struct arena *a, const struct value *metadata)
{
    struct value_member *m = arena_new_array(a, value_count(metadata), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(metadata); i++)
        if (slice_has_prefix(metadata->members[i].key, "llm-"))
            m[count++] = (struct value_member){with_mark(a, metadata->members[i].key, ':'),
                                               metadata->members[i].value};
    return m ? value_map(a, &type_string, m, count) : NULL;
}
