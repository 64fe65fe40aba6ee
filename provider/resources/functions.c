/* The functions gpu_fit and vram_gib. */
#include "resources/data_sources.h"
#include "resources/figures.h"
#include "resources/fit.h"
#include "schema/tables.h"

/* The core puts a full stop behind the text. */
static int wrong(const char **ret_error, int64_t *ret_argument, int64_t argument, const char *text)
{
    *ret_error = text ? text : "memory ran out";
    *ret_argument = argument;
    return -1;
}

static int find_model(struct arena *a, const struct value *name, int64_t argument,
                      struct catalog_choice *ret, const char **ret_error, int64_t *ret_argument)
{
    if (catalog_find(value_slice(name), ret))
        return 0;
    const char *near = catalog_nearest(a, value_slice(name));
    return wrong(ret_error, ret_argument, argument,
                 arena_printf(a, "the catalogue has no model \"%s\"%s%s%s", value_cstr(name, ""),
                              near ? " (did you mean \"" : "", near ? near : "",
                              near ? "\"?)" : ""));
}

static int tokens_of(const struct value *v, int64_t argument, int64_t *ret, const char **ret_error,
                     int64_t *ret_argument)
{
    if (value_to_int(v, ret) && *ret >= 1 && *ret <= 10485760)
        return 0;
    return wrong(ret_error, ret_argument, argument,
                 "the context is a whole number of tokens from 1 to 10485760");
}

static int vram_gib(struct arena *a, const struct value *const *args, size_t count,
                    const struct value **ret, const char **ret_error, int64_t *ret_argument)
{
    struct catalog_choice c;
    int64_t tokens = 0;
    (void)count;
    if (find_model(a, args[0], 0, &c, ret_error, ret_argument) < 0 ||
        tokens_of(args[1], 1, &tokens, ret_error, ret_argument) < 0)
        return -1;
    struct fit_model m = fit_model_of(&c, FIT_OLLAMA, tokens);
    *ret = figure_gib(a, fit_total(&m));
    return *ret ? 0 : wrong(ret_error, ret_argument, -1, NULL);
}

static const struct value *result_of(struct arena *a, const struct catalog_machine *machine,
                                     const struct fit_result *r)
{
    const struct value_member members[] = {
        {SLICE_LIT("fits"), value_bool(a, r->fits)},
        {SLICE_LIT("needed_gib"), figure_gib(a, r->needed)},
        {SLICE_LIT("usable_gib"), figure_gib(a, r->usable)},
        {SLICE_LIT("gpu"), value_str(a, machine->gpu->name)},
        {SLICE_LIT("gpu_count"), value_int(a, machine->gpu_count)},
        {SLICE_LIT("gpus_used"), value_int(a, r->gpus_used)},
        {SLICE_LIT("reason"), value_str(a, r->reason)},
    };
    return value_object(a, members, sizeof(members) / sizeof(*members));
}

static int gpu_fit(struct arena *a, const struct value *const *args, size_t count,
                   const struct value **ret, const char **ret_error, int64_t *ret_argument)
{
    struct fit_model models[FIT_MAX_MODELS];
    struct fit_result r;
    int64_t tokens = 0;
    size_t n = value_count(args[0]);
    (void)count;
    if (n < 1 || n >= FIT_MAX_MODELS)
        return wrong(ret_error, ret_argument, 0, "from 1 to 16 models are allowed");
    if (tokens_of(args[1], 1, &tokens, ret_error, ret_argument) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct catalog_choice c;
        if (find_model(a, value_at(args[0], i), 0, &c, ret_error, ret_argument) < 0)
            return -1;
        models[i] = fit_model_of(&c, FIT_OLLAMA, tokens);
    }
    const struct catalog_machine *machine = catalog_machine(NULL, value_slice(args[2]));
    const char *near = machine ? NULL : catalog_nearest_machine(a, NULL, value_slice(args[2]));
    if (!machine)
        return wrong(ret_error, ret_argument, 2,
                     arena_printf(a, "the catalogue has no GPU machine \"%s\"%s%s%s",
                                  value_cstr(args[2], ""), near ? " (did you mean \"" : "",
                                  near ? near : "", near ? "\"?)" : ""));
    fit_place(machine, models, n, FIT_OLLAMA, &r);
    *ret = result_of(a, machine, &r);
    return *ret ? 0 : wrong(ret_error, ret_argument, -1, NULL);
}

const struct function gpu_fit_function = {.schema = &function_gpu_fit, .call = gpu_fit};
const struct function vram_gib_function = {.schema = &function_vram_gib, .call = vram_gib};
