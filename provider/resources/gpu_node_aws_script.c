/* The start-up script of a node on AWS, with its values. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "resources/scripts.h"

static const char *text(const struct composite_context *c, const char *path)
{
    return value_cstr(value_path(c->config, path), NULL);
}

static const char *tailscale_secret(const struct composite_context *c,
                                    const struct gpu_node_aws_names *names)
{
    const char *existing = text(c, "tailscale.auth_key_secret");
    bool own = value_is_known(value_path(c->config, "tailscale.auth_key_wo_version"));
    return existing ? existing : own ? names->secret : "";
}

/* Settings that the node reads from its tags later; the script has them for its first start. */
static const char *tag_text(const struct value *tags, const char *key)
{
    return value_cstr(value_get(tags, key), "");
}

const struct value *gpu_node_aws_user_data(const struct composite_context *c,
                                           const struct gpu_node_aws_names *names,
                                           const struct gpu_node_models *models)
{
    struct arena *a = c->arena;
    const struct value *tags = gpu_node_tags(a, c->config, models);
    const char *name = text(c, "name"), *hostname = text(c, "tailscale.hostname");
    int heads = models->count ? models->models[0].heads : 0;
    bool ssh = value_true(value_path(c->config, "tailscale.ssh"));
    const char *const values[][2] = {
        {"name", name},
        {"region", c->region},
        {"runtime", models->runtime == FIT_VLLM ? "vllm" : "ollama"},
        {"served", tag_text(tags, "llm:served")},
        {"context", tag_text(tags, "llm:context")},
        {"heads", arena_printf(a, "%d", heads)},
        {"device", GPU_NODE_AWS_DEVICE},
        {"log_group", names->log_group},
        {"cache", text(c, "model_cache.s3_uri")},
        {"tailscale_secret", tailscale_secret(c, names)},
        {"tailscale_hostname", hostname ? hostname : name},
        {"tailscale_tags", gpu_node_join(a, value_path(c->config, "tailscale.tags"))},
        {"tailscale_ssh", ssh ? "true" : "false"},
        {"huggingface_secret", text(c, "huggingface_token_secret")},
    };
    _cleanup_buf_ struct buf b = BUF_INIT(GPU_NODE_AWS_USER_DATA_MAX);
    if (tags &&
        gpu_node_render(&b, script_aws_startup, values, sizeof(values) / sizeof(*values)) == 0 &&
        !b.failed)
        return value_buf(a, &b);
    diags_error(c->diags, NULL, "The start-up script is too long",
                "EC2 takes 16 KiB of user data. Shorten the names of secrets, tags and the cache.");
    return NULL;
}
