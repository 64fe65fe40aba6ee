/* Checks of a node's configuration across attributes that hold on every cloud. */
#include "resources/gpu_node.h"

#include <string.h>

struct gpu_node_markets gpu_node_markets(const struct value *config)
{
    const char *how = value_cstr(value_path(config, "machine.provisioning"), "on_demand");
    return (struct gpu_node_markets){.spot = strncmp(how, "spot", 4) == 0,
                                     .on_demand = strcmp(how, "spot") != 0};
}

/* ---- models ---- */

static int check_duplicates(struct arena *a, const struct gpu_node_models *m, struct diags *diags)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(m->names[i], m->names[k]) == 0)
                return diags_error(diags, path_attribute(a, NULL, "models"), "Duplicate model",
                                   "\"%s\" is named twice.", m->names[i]);
    return 0;
}

static void warn_of_context(struct arena *a, const struct gpu_node_models *m, struct diags *diags)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct catalog_model *model = m->choices[i].model;
        if (model && m->context_tokens > 8192 && m->context_tokens > model->context_max)
            diags_warning(diags, path_attribute(a, NULL, "context_tokens"),
                          "The context is longer than a model's",
                          "%s was made for %lld tokens of context; it will be served with those.",
                          m->names[i], (long long)model->context_max);
    }
}

/* What goes into tags and units of the node as it is. */
static bool is_plain(struct slice s)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-";
    for (size_t i = 0; i < s.len; i++)
        if (!s.ptr[i] || !strchr(allowed, s.ptr[i]))
            return false;
    return s.len && s.ptr[0] != '-';
}

static int check_models(struct arena *a, const struct value *config, struct diags *diags)
{
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    const struct value *custom = config_get(config, "custom_model.name");
    const char *cloud = value_cstr(config_get(config, "cloud"), NULL);
    int rc = gpu_node_models(a, config, &models, diags);
    if (value_is_known(custom) && !is_plain(value_slice(custom)))
        rc = diags_error(diags, path_parse(a, "custom_model.name"), "Invalid model name",
                         "Letters, digits and . _ : / @ - are allowed.");
    if (models.known && models.runtime == FIT_VLLM && models.count > 1)
        rc = diags_error(diags, path_attribute(a, NULL, "models"), "vLLM serves one model",
                         "%zu models are named. Use the runtime \"ollama\", or a node for each.",
                         models.count);
    if (check_duplicates(a, &models, diags) < 0)
        rc = -1;
    warn_of_context(a, &models, diags);
    if (!gpu_node_cloud(cloud))
        return rc;
    if (gpu_node_machines(a, cloud, config, &models, &machines, diags) < 0)
        return -1;
    for (size_t i = 0; i < machines.count; i++)
        for (size_t k = 0; machines.chosen && k < i; k++)
            if (machines.items[i] == machines.items[k])
                rc = diags_error(diags, path_parse(a, "machine.candidates"), "Duplicate machine",
                                 "\"%s\" is named twice.", machines.items[i]->type);
    return rc < 0 ? rc : gpu_node_check_fit(a, &models, &machines, diags);
}

/* ---- the rest ---- */

static int check_power(struct arena *a, const struct value *config, struct diags *diags)
{
    bool stopped = config_is(config, "power", "stopped");
    int rc = 0;
    if (stopped && config_is(config, "machine.provisioning", "spot"))
        rc = diags_error(diags, path_attribute(a, NULL, "power"), "Conflicting settings",
                         "A spot instance cannot be stopped and started. Use on-demand "
                         "provisioning, or remove the node while it is not needed.");
    if (stopped && config_is(config, "machine.provisioning", "spot_preferred"))
        diags_warning(diags, path_attribute(a, NULL, "power"), "A spot instance cannot be stopped",
                      "If the node runs on a spot instance, stopping it fails.");
    if (stopped && config_is(config, "wait_for", "serving"))
        rc = diags_error(diags, path_attribute(a, NULL, "wait_for"), "Conflicting settings",
                         "A stopped node does not serve. Use `wait_for = \"running\"`.");
    return rc;
}

static int check_tailscale(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *t = config_get(config, "tailscale");
    if (!value_is_known(t) || config_get(t, "auth_key_wo") ||
        config_get(t, "auth_key_wo_version") || config_get(t, "auth_key_secret"))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "tailscale"), "An auth key is missing",
                       "Give the key itself in `auth_key_wo`, or name an existing secret in "
                       "`auth_key_secret`.");
}

int gpu_node_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct gpu_node_cloud *cloud =
        gpu_node_cloud(value_cstr(config_get(config, "cloud"), NULL));
    size_t before = diags->errors;
    int rc = check_models(a, config, diags);
    if (check_power(a, config, diags) < 0)
        rc = -1;
    if (check_tailscale(a, config, diags) < 0)
        rc = -1;
    if (cloud && cloud->validate(a, config, diags) < 0)
        rc = -1;
    if (rc < 0 && diags->errors == before)
        diags_error(diags, NULL, "Out of memory", "The configuration was not checked.");
    return rc;
}
