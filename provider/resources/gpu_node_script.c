/* The start-up script of a node, with its values. */
#include "resources/gpu_node.h"

#include <string.h>

#include "resources/scripts.h"

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

static const char *text(const struct composite_context *c, const char *path)
{
    return value_cstr(value_path(c->config, path), NULL);
}

static const char *join(struct arena *a, const struct value *list)
{
    _cleanup_buf_ struct buf b = BUF_INIT(GPU_NODE_USER_DATA_MAX);
    for (size_t i = 0; i < value_count(list); i++)
        buf_printf(&b, "%s%s", i ? "," : "", value_cstr(value_at(list, i), ""));
    return arena_strdup(a, buf_cstr(&b));
}

static const char *tailscale_secret(const struct composite_context *c,
                                    const struct gpu_node_names *names)
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

const struct value *gpu_node_user_data(const struct composite_context *c,
                                       const struct gpu_node_names *names,
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
        {"device", GPU_NODE_DEVICE},
        {"log_group", names->log_group},
        {"cache", text(c, "model_cache.s3_uri")},
        {"tailscale_secret", tailscale_secret(c, names)},
        {"tailscale_hostname", hostname ? hostname : name},
        {"tailscale_tags", join(a, value_path(c->config, "tailscale.tags"))},
        {"tailscale_ssh", ssh ? "true" : "false"},
        {"huggingface_secret", text(c, "huggingface_token_secret")},
    };
    _cleanup_buf_ struct buf b = BUF_INIT(GPU_NODE_USER_DATA_MAX);
    if (tags &&
        gpu_node_render(&b, script_aws_startup, values, sizeof(values) / sizeof(*values)) == 0 &&
        !b.failed)
        return value_string(a, buf_slice(&b));
    diags_error(c->diags, NULL, "The start-up script is too long",
                "EC2 takes 16 KiB of user data. Shorten the names of secrets, tags and the cache.");
    return NULL;
}
