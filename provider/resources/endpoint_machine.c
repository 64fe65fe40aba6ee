/* Which machines hold the model of an endpoint. */
#include "resources/endpoint.h"

#include <string.h>

static double in_gib(uint64_t bytes)
{
    return (double)bytes / (double)CATALOG_GIB;
}

bool endpoint_fits(const struct endpoint_model *m, const struct catalog_machine *machine, int gpus,
                   struct fit_result *ret)
{
    struct catalog_machine part = *machine;
    if (gpus && gpus < part.gpu_count)
        part.gpu_count = gpus;
    memset(ret, 0, sizeof(*ret));
    ret->fits = true;
    ret->gpus_used = ret->tensor_parallel = part.gpu_count;
    if (m->sized)
        fit_place(&part, &m->fit, 1, FIT_VLLM, ret);
    return ret->fits;
}

const struct catalog_machine **endpoint_machines(struct arena *a, const struct endpoint_target *t,
                                                 const struct endpoint_model *m, int gpus,
                                                 size_t *ret_count)
{
    size_t count = 0;
    const struct catalog_machine **all = fit_machines(a, t->cloud, &m->fit, 1, FIT_VLLM, &count);
    *ret_count = 0;
    for (size_t i = 0; all && i < count; i++) {
        struct fit_result r;
        if (t->machine_type(all[i]) && all[i]->price_micros >= 0 &&
            endpoint_fits(m, all[i], gpus, &r))
            all[(*ret_count)++] = all[i];
    }
    return all;
}

/* " The cheapest that hold it: ml.g5.xlarge, …" */
static const char *others(struct arena *a, const struct endpoint_target *t,
                          const struct endpoint_model *m, int gpus)
{
    size_t count = 0;
    _cleanup_buf_ struct buf b = BUF_INIT(1024);
    const struct catalog_machine **list = endpoint_machines(a, t, m, gpus, &count);
    for (size_t i = 0; list && i < count && i < 3; i++)
        buf_printf(&b, "%s%s", i ? ", " : " The cheapest that hold it: ", t->machine_type(list[i]));
    if (count)
        buf_append_str(&b, ".");
    const char *text = arena_buf(a, &b);
    return text ? text : "";
}

static int refuse(struct arena *a, const struct endpoint_target *t,
                  const struct endpoint_variant *v, const struct endpoint_model *m,
                  const struct catalog_machine *machine, int gpus, const struct fit_result *r,
                  struct diags *diags)
{
    return diags_error(
        diags, endpoint_variant_path(a, v, "machine_type", "machine.type"),
        "The machine cannot hold the model",
        "%s has %d × %s with %d GiB, of which %.1f GiB are usable in all. %s needs %.1f GiB. The "
        "reason: %s.%s",
        v->machine_type, machine->gpu_count, machine->gpu->name, machine->gpu->memory_gib,
        in_gib(r->usable), v->model, in_gib(fit_total(&m->fit)), r->reason,
        t->machine_type ? others(a, t, m, gpus) : "");
}

static int check_picked(struct arena *a, const struct endpoint_target *t,
                        const struct endpoint_variant *v, const struct endpoint_model *m, int gpus,
                        struct diags *diags)
{
    size_t count = 0;
    const struct path *at = endpoint_variant_path(a, v, "model", "model");
    if (!m->sized)
        return diags_error(diags, at, "It is not known how much memory the model needs",
                           "The catalogue has no \"%s\", so that no machine can be picked for it. "
                           "Name one in `machine.type`, or say in `model_size` what it needs.",
                           v->model);
    if (!endpoint_machines(a, t, m, gpus, &count))
        return -1;
    if (count)
        return 0;
    return diags_error(diags, at, "No machine holds the model",
                       "%s needs %.1f GiB of GPU memory; no machine of %s in the catalogue has "
                       "that much. Use a smaller quantization, or lower `context_tokens`.",
                       v->model, in_gib(fit_total(&m->fit)), t->title);
}

/* More GPUs than one machine has: no instance would ever start. */
static int check_gpus(struct arena *a, const struct endpoint_variant *v,
                      const struct catalog_machine *machine, int gpus, struct diags *diags)
{
    if (gpus <= machine->gpu_count)
        return 0;
    return diags_error(diags, path_parse(a, "machine.gpus"), "More GPUs than the machine has",
                       "%s has %d × %s, and %d are asked for.", v->machine_type, machine->gpu_count,
                       machine->gpu->name, gpus);
}

int endpoint_check_machine(struct arena *a, const struct endpoint_target *t,
                           const struct value *config, const struct endpoint_variant *v,
                           const struct endpoint_model *m, struct diags *diags)
{
    struct fit_result r;
    const struct value *wanted = config_get(config, "machine.gpus"),
                       *size = config_get(config, "model_size"),
                       *tokens = config_get(config, "context_tokens");
    int gpus = (int)value_int_or(wanted, 0);
    bool unknown = value_is_unknown(wanted) || (size && !value_is_wholly_known(size)) ||
                   value_is_unknown(tokens) || value_is_unknown(config_get(config, "machine"));
    if (!v->known || !v->model || unknown)
        return 0;
    if (!v->machine_type)
        return t->machine_type ? check_picked(a, t, v, m, gpus, diags) : 0;
    const char *cloud = value_cstr(value_get(config, "cloud"), "");
    const struct catalog_machine *machine = t->machine(cloud, slice_str(v->machine_type));
    if (machine && check_gpus(a, v, machine, gpus, diags) < 0)
        return -1;
    if (!machine || endpoint_fits(m, machine, gpus, &r))
        return 0;
    return refuse(a, t, v, m, machine, gpus, &r, diags);
}
