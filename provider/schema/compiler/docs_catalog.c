/* The guides that show the catalogue (schemas/catalog): the machines with their prices and quotas,
 * and the models. The catalogue's own compiler checks these files; here a missing field is a dash.
 */
#include <string.h>

#include "docs.h"

static json_t *catalog_file(struct compilation *c, const char *name)
{
    json_error_t e;
    json_t *v = json_load_file(text(c, "%s/catalog/%s.json", c->dir, name), 0, &e);
    if (v)
        c->documents = with_item(c, c->documents, &c->document_count, v);
    return v;
}

static const char *const clouds[] = {"aws", "gcp"};

static json_t *machines_of(struct compilation *c, const char *cloud)
{
    return catalog_file(c, text(c, "machines-%s", cloud));
}

bool docs_has_machines(struct compilation *c)
{
    return machines_of(c, clouds[0]) || machines_of(c, clouds[1]);
}

bool docs_has_models(struct compilation *c)
{
    return catalog_file(c, "models") != NULL;
}

/* ---- cells ---- */

/* A string or number as a cell; a dash for neither. */
static const char *cell(struct compilation *c, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_string(v))
        return json_string_value(v);
    if (json_is_integer(v))
        return text(c, "%lld", (long long)json_integer_value(v));
    return json_is_real(v) ? text(c, "%.10g", json_real_value(v)) : "–";
}

static const json_t *named(const json_t *list, const char *key, const char *name)
{
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        const char *s = json_string_value(json_object_get(v, key));
        if (s && name && strcmp(s, name) == 0)
            return v;
    }
    return NULL;
}

/* ---- machines ---- */

static void write_machine(struct compilation *c, FILE *f, const json_t *file, const json_t *m)
{
    const char *gpu_name = cell(c, m, "gpu");
    const json_t *gpu = named(json_object_get(file, "gpus"), "name", gpu_name);
    json_int_t count = json_integer_value(json_object_get(m, "gpu_count"));
    double each = json_number_value(json_object_get(gpu, "memory_gib"));
    fprintf(f, "| `%s` | %lld × %s | %.10g | %s | %s | %s | %s |\n", cell(c, m, "type"),
            (long long)count, gpu_name, (double)count * each, cell(c, m, "vcpus"),
            cell(c, m, "memory_gib"), cell(c, m, "usd_per_hour"), cell(c, m, "date"));
}

/* "`L-DB2E81BA` Running On-Demand …" */
static const char *quota_cell(struct compilation *c, const json_t *q, const char *market)
{
    const char *code = json_string_value(json_object_get(q, market));
    const char *name = cell(c, q, text(c, "%s_name", market));
    return code ? text(c, "`%s` %s", code, name) : name;
}

static void write_quotas(struct compilation *c, FILE *f, const json_t *file)
{
    size_t i, k;
    const json_t *q, *m;
    fputs("| machines | quota on demand | quota for spot | date |\n|---|---|---|---|\n", f);
    json_array_foreach(json_object_get(file, "quotas"), i, q)
    {
        const char *family = cell(c, q, "family"), *list = "";
        json_array_foreach(json_object_get(file, "machines"), k, m)
        {
            if (strcmp(cell(c, m, "quota"), family) == 0)
                list = text(c, "%s%s`%s`", list, *list ? ", " : "", cell(c, m, "type"));
        }
        if (*list)
            fprintf(f, "| %s | %s | %s | [%s](%s) |\n", list, quota_cell(c, q, "on_demand"),
                    quota_cell(c, q, "spot"), cell(c, q, "date"), cell(c, q, "source"));
    }
    fputs("\n", f);
}

static void write_cloud(struct compilation *c, FILE *f, const char *cloud, const json_t *file)
{
    size_t i;
    const json_t *m;
    fprintf(f,
            "## %s\n\n%s Source of the prices: <%s>.\n\n"
            "| machine | GPUs | GPU memory, GiB | vCPUs | memory, GiB | USD per hour | date |\n"
            "|---|---|---|---|---|---|---|\n",
            docs_cloud_name(cloud), cell(c, file, "description"), cell(c, file, "price_source"));
    json_array_foreach(json_object_get(file, "machines"), i, m)
    {
        write_machine(c, f, file, m);
    }
    fprintf(f, "\n### Quotas on %s\n\n", docs_cloud_name(cloud));
    write_quotas(c, f, file);
}

void docs_guide_machines(struct compilation *c, FILE *f)
{
    fputs("# Machines and prices\n\n"
          "The machines that the provider knows, with the day on which price and size were looked "
          "up. Prices are for comparing, not for accounting: they differ by region, and clouds "
          "change them. A dash stands for what is not known or not sold so. The data source "
          "[llm_gpu_offers](../data-sources/gpu_offers.md) has the "
          "same figures, and asks the cloud what a region offers.\n\n",
          f);
    for (size_t i = 0; i < sizeof(clouds) / sizeof(*clouds); i++) {
        const json_t *file = machines_of(c, clouds[i]);
        if (file)
            write_cloud(c, f, clouds[i], file);
    }
}

/* ---- models ---- */

static void write_model(struct compilation *c, FILE *f, const json_t *m)
{
    size_t i;
    const json_t *q;
    const char *list = "", *hf = json_string_value(json_object_get(m, "huggingface"));
    json_array_foreach(json_object_get(m, "quantizations"), i, q)
    {
        list = text(c, "%s%s`%s`", list, i ? ", " : "", json_string_value(q));
    }
    bool gated = json_is_true(json_object_get(m, "gated"));
    double billions = json_number_value(json_object_get(m, "parameters_million")) / 1000;
    fprintf(f, "| [`%s`](%s) | %.3g | %s | %s | %s | %s%s | %s |\n", cell(c, m, "name"),
            cell(c, m, "source"), billions, cell(c, m, "size_gb"), list, cell(c, m, "context_max"),
            hf ? text(c, "[%s](https://huggingface.co/%s)", hf, hf) : "–", gated ? ", gated" : "",
            cell(c, m, "date"));
}

void docs_guide_models(struct compilation *c, FILE *f)
{
    size_t i;
    const json_t *m;
    fputs("# Models of the catalogue\n\n"
          "The models whose needs the provider knows, as Ollama names them, and the repositories "
          "that `vllm` loads. The size is that of the first quantization, which the short name "
          "stands for. The data source [llm_model](../data-sources/model.md) says how much memory "
          "one needs. For another model, use `custom_model`. Hugging Face lets only those fetch a "
          "*gated* one who have accepted its terms: `vllm` needs a token for it.\n\n"
          "| model | parameters, 10⁹ | size, GB | quantizations | longest context | Hugging Face "
          "| date |\n|---|---|---|---|---|---|---|\n",
          f);
    json_array_foreach(json_object_get(catalog_file(c, "models"), "models"), i, m)
    {
        write_model(c, f, m);
    }
    fputs("\n", f);
}
