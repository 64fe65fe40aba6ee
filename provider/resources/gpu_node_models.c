/* What a node is to serve, and the machines that may do it. */
#include "resources/gpu_node.h"

#include <string.h>

#include "value/codec.h"

static int add_model(struct arena *a, const struct value *v, size_t index,
                     struct gpu_node_models *ret, struct diags *diags)
{
    struct catalog_choice c;
    struct slice name = value_slice(v);
    if (catalog_find(name, &c)) {
        ret->choices[ret->count] = c;
        ret->names[ret->count] = value_cstr(v, "");
        ret->models[ret->count++] = fit_model_of(&c, ret->runtime, ret->context_tokens);
        return 0;
    }
    if (!diags)
        return -1;
    const char *near = catalog_nearest(a, name);
    const struct path *path = path_index(a, path_attribute(a, NULL, "models"), (int64_t)index);
    return diags_error(diags, path, "Unknown model",
                       "The catalogue has no \"%.*s\".%s%s%s For a model that it does not have, "
                       "use `custom_model` and say how much memory and disk it needs.",
                       (int)name.len, name.ptr ? name.ptr : "", near ? " Did you mean \"" : "",
                       near ? near : "", near ? "\"?" : "");
}

static uint64_t gib_of(const struct value *v)
{
    if (!value_is_known(v))
        return 0;
    double gib = number_to_double(v->number, NULL);
    return gib > 0 && gib < 1e6 ? (uint64_t)(gib * (double)CATALOG_GIB) : 0;
}

static bool all_known(const struct value *config)
{
    static const char *const names[] = {"models", "custom_model", "runtime", "context_tokens"};
    return config_wholly_known(config, names, sizeof(names) / sizeof(*names));
}

int gpu_node_models(struct arena *a, const struct value *config, struct gpu_node_models *ret,
                    struct diags *diags)
{
    memset(ret, 0, sizeof(*ret));
    int rc = 0;
    const struct value *models = value_get(config, "models"),
                       *custom = value_get(config, "custom_model");
    ret->runtime =
        strcmp(value_cstr(value_get(config, "runtime"), ""), "vllm") == 0 ? FIT_VLLM : FIT_OLLAMA;
    ret->context_tokens = value_int_or(value_get(config, "context_tokens"), 8192);
    for (size_t i = 0; i < value_count(models) && ret->count < FIT_MAX_MODELS - 1; i++)
        if (value_is_known(value_at(models, i)) &&
            add_model(a, value_at(models, i), i, ret, diags) < 0)
            rc = -1;
    if (value_is_known(custom)) {
        ret->names[ret->count] = value_cstr(value_get(custom, "name"), "");
        ret->models[ret->count] =
            fit_model_custom(ret->names[ret->count], gib_of(value_get(custom, "memory_gib")),
                             gib_of(value_get(custom, "disk_gib")));
        ret->count++;
    }
    ret->known = rc == 0 && all_known(config);
    return rc;
}

const char *gpu_node_served_name(const struct gpu_node_models *m, size_t index)
{
    const struct catalog_model *model = m->choices[index].model;
    return m->runtime == FIT_VLLM && model ? model->huggingface : m->names[index];
}

/* ---- machines ---- */

static int add_machine(struct arena *a, const char *cloud, const struct value *v,
                       const struct path *path, const struct catalog_machine **items, size_t *count,
                       struct diags *diags)
{
    struct slice type = value_slice(v);
    const struct catalog_machine *m = catalog_machine(cloud, type);
    if (m) {
        items[(*count)++] = m;
        return 0;
    }
    const char *near = catalog_nearest_machine(a, cloud, type);
    return diags_error(diags, path, "Unknown machine type",
                       "The catalogue has no GPU machine \"%.*s\" for %s.%s%s%s", (int)type.len,
                       type.ptr ? type.ptr : "", cloud, near ? " Did you mean \"" : "",
                       near ? near : "", near ? "\"?" : "");
}

static int chosen_machines(struct arena *a, const char *cloud, const struct value *type,
                           const struct value *candidates, struct gpu_node_machines *ret,
                           struct diags *diags)
{
    size_t most = value_count(candidates) + 1;
    const struct catalog_machine **items = arena_calloc(a, most, sizeof(struct catalog_machine *));
    const struct path *machine = path_attribute(a, NULL, "machine");
    int rc = items ? 0 : -1;
    ret->chosen = true;
    ret->items = items;
    if (items && value_is_known(type))
        rc = add_machine(a, cloud, type, path_attribute(a, machine, "type"), items, &ret->count,
                         diags);
    const struct path *list = path_attribute(a, machine, "candidates");
    for (size_t i = 0; items && i < value_count(candidates); i++)
        if (value_is_known(value_at(candidates, i)) &&
            add_machine(a, cloud, value_at(candidates, i), path_index(a, list, (int64_t)i), items,
                        &ret->count, diags) < 0)
            rc = -1;
    ret->known = rc == 0 && value_is_wholly_known(type ? type : value_null(a, &type_string)) &&
                 (!candidates || value_is_wholly_known(candidates));
    return rc;
}

int gpu_node_machines(struct arena *a, const char *cloud, const struct value *config,
                      const struct gpu_node_models *models, struct gpu_node_machines *ret,
                      struct diags *diags)
{
    memset(ret, 0, sizeof(*ret));
    const struct value *machine = value_get(config, "machine");
    const struct value *type = value_get(machine, "type"),
                       *candidates = value_get(machine, "candidates");
    if (value_is_unknown(machine))
        return 0;
    bool named = (type && !value_is_null(type)) || (candidates && !value_is_null(candidates));
    if (named)
        return chosen_machines(a, cloud, type, candidates, ret, diags);
    if (!models->known)
        return 0;
    ret->items =
        fit_machines(a, cloud, models->models, models->count, models->runtime, &ret->count);
    while (ret->count && ret->items[ret->count - 1]->price_micros < 0)
        ret->count--;
    ret->known = ret->items != NULL;
    return ret->items ? 0 : -1;
}

bool gpu_node_has_machine(const struct gpu_node_machines *machines, struct slice type)
{
    for (size_t i = 0; i < machines->count; i++)
        if (slice_eq_str(type, machines->items[i]->type))
            return true;
    return false;
}

/* ---- do they fit? ---- */

static double in_gib(uint64_t bytes)
{
    return (double)bytes / (double)CATALOG_GIB;
}

/* "llama3.3:70b (43.2 GiB), …" */
static const char *needs_text(struct arena *a, const struct gpu_node_models *m)
{
    _cleanup_buf_ struct buf b = BUF_INIT(8192);
    for (size_t i = 0; i < m->count; i++)
        buf_printf(&b, "%s%s (%.1f GiB)", i ? ", " : "", m->names[i],
                   in_gib(fit_total(&m->models[i])));
    return arena_buf(a, &b);
}

static const char *fitting_text(struct arena *a, const char *cloud, const struct gpu_node_models *m)
{
    size_t count = 0;
    _cleanup_buf_ struct buf b = BUF_INIT(1024);
    const struct catalog_machine **list =
        fit_machines(a, cloud, m->models, m->count, m->runtime, &count);
    for (size_t i = 0; list && i < count && i < 3; i++)
        buf_printf(&b, "%s%s", i ? ", " : " The cheapest that hold them: ", list[i]->type);
    if (count)
        buf_append_str(&b, ".");
    return arena_buf(a, &b);
}

static int refuse_machine(struct arena *a, const struct gpu_node_models *models,
                          const struct catalog_machine *m, const struct fit_result *r,
                          const struct path *path, struct diags *diags)
{
    const char *needs = needs_text(a, models), *others = fitting_text(a, m->cloud, models);
    return diags_error(
        diags, path, "The machine cannot hold the models",
        "%s has %d × %s with %d GiB, of which %.1f GiB are usable in all. With %lld tokens of "
        "context the models need: %s. The reason: %s%s%s.%s",
        m->type, m->gpu_count, m->gpu->name, m->gpu->memory_gib, in_gib(r->usable),
        (long long)models->context_tokens, needs ? needs : "", r->reason, r->failed ? " for " : "",
        r->failed ? r->failed->name : "", others ? others : "");
}

int gpu_node_check_fit(struct arena *a, const struct gpu_node_models *models,
                       const struct gpu_node_machines *machines, struct diags *diags)
{
    int rc = 0;
    if (!models->known || !machines->known)
        return 0;
    const struct path *machine = path_attribute(a, NULL, "machine");
    for (size_t i = 0; machines->chosen && i < machines->count; i++) {
        struct fit_result r;
        fit_place(machines->items[i], models->models, models->count, models->runtime, &r);
        if (!r.fits)
            rc = refuse_machine(a, models, machines->items[i], &r, machine, diags);
    }
    if (machines->count)
        return rc;
    const char *needs = needs_text(a, models);
    return diags_error(diags, path_attribute(a, NULL, "models"), "No machine holds the models",
                       "With %lld tokens of context they need: %s. No machine of the catalogue has "
                       "that much GPU memory for them together%s. Serve fewer of them on one node, "
                       "choose smaller quantizations, or lower `context_tokens`.",
                       (long long)models->context_tokens, needs ? needs : "",
                       models->runtime == FIT_VLLM ? " (vLLM needs GPUs of compute capability 8.0)"
                                                   : "");
}
