/* The data source llm_model. */
#include "resources/data_sources.h"

#include <string.h>

#include "resources/fit.h"
#include "resources/figures.h"
#include "schema/tables.h"

static int unknown_model(struct request *rq, const struct value *name)
{
    const char *near = catalog_nearest(rq->arena, value_slice(name));
    return diags_error(rq->diags, path_attribute(rq->arena, NULL, "name"), "Unknown model",
                       "The catalogue has no \"%s\".%s%s%s", value_cstr(name, ""),
                       near ? " Did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static const struct value *describe(struct arena *a, const struct value *config,
                                    const struct catalog_choice *c)
{
    bool vllm = strcmp(value_cstr(value_get(config, "runtime"), ""), "vllm") == 0;
    int64_t tokens = value_int_or(value_get(config, "context_tokens"), 8192);
    const struct catalog_model *m = c->model;
    struct fit_model f = fit_model_of(c, vllm ? FIT_VLLM : FIT_OLLAMA, tokens);
    const struct value_member members[] = {
        {SLICE_LIT("name"), value_get(config, "name")},
        {SLICE_LIT("runtime"), value_get(config, "runtime")},
        {SLICE_LIT("context_tokens"), value_get(config, "context_tokens")},
        {SLICE_LIT("full_name"), value_str(a, m->name)},
        {SLICE_LIT("parameters"), value_int(a, (int64_t)m->parameters)},
        {SLICE_LIT("quantization"), value_str(a, vllm ? "huggingface" : c->variant->quantization)},
        {SLICE_LIT("layers"), value_int(a, m->layers)},
        {SLICE_LIT("heads"), value_int(a, m->heads)},
        {SLICE_LIT("kv_heads"), value_int(a, m->kv_heads)},
        {SLICE_LIT("context_max"), value_int(a, m->context_max)},
        {SLICE_LIT("weights_gib"), figure_gib(a, f.weights)},
        {SLICE_LIT("kv_cache_gib"), figure_gib(a, f.cache)},
        {SLICE_LIT("memory_gib"), figure_gib(a, fit_total(&f))},
        {SLICE_LIT("disk_gib"), figure_gib(a, f.disk)},
        {SLICE_LIT("huggingface_id"), value_str(a, m->huggingface)},
        {SLICE_LIT("date"), value_str(a, m->date)},
        {SLICE_LIT("source"), value_str(a, m->source)},
    };
    return value_object_of(a, schema_data_source_llm_model.type, members,
                           sizeof(members) / sizeof(*members));
}

static int validate(const struct data_source *d, struct request *rq, const struct value *config)
{
    struct catalog_choice c;
    const struct value *name = value_get(config, "name");
    if (schema_validate(d->schema, config, rq->diags) < 0)
        return -1;
    return value_is_known(name) && !catalog_find(value_slice(name), &c) ? unknown_model(rq, name)
                                                                        : 0;
}

static int read_model(const struct data_source *d, struct request *rq, const struct value *config,
                      const struct value **ret)
{
    struct catalog_choice c;
    const struct value *with = schema_defaults(rq->arena, d->schema, config);
    if (!catalog_find(value_slice(value_get(config, "name")), &c))
        return unknown_model(rq, value_get(config, "name"));
    *ret = with ? describe(rq->arena, with, &c) : NULL;
    return *ret ? 0 : diags_error(rq->diags, NULL, "Out of memory", "Nothing was read.");
}

const struct data_source data_model = {
    .schema = &schema_data_source_llm_model, .validate = validate, .read = read_model};
