/* machines-<cloud>.json -> catalog_machines[]. */
#include "catalogc.h"

#include <math.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const char *const clouds[] = {"aws", "gcp"};

static const struct field top_fields[] = {
    {.name = "description", .kind = FIELD_STRING}, {.name = "price_region", .kind = FIELD_STRING},
    {.name = "price_source", .kind = FIELD_URL},   {.name = "gpus", .kind = FIELD_ARRAY},
    {.name = "images", .kind = FIELD_ARRAY},       {.name = "quotas", .kind = FIELD_ARRAY},
    {.name = "machines", .kind = FIELD_ARRAY},
};

static const struct field gpu_fields[] = {
    {.name = "name", .kind = FIELD_STRING},
    {.name = "memory_gib", .kind = FIELD_INT, .min = 1, .max = 10000},
    {.name = "compute_capability", .kind = FIELD_NUMBER, .min = 1, .max = 99},
    {.name = "date", .kind = FIELD_DATE},
    {.name = "source", .kind = FIELD_URL},
};

static const struct field image_fields[] = {
    {.name = "name", .kind = FIELD_STRING},
    {.name = "parameter", .kind = FIELD_STRING},
    {.name = "root_device", .kind = FIELD_STRING, .optional = true},
    {.name = "root_gib", .kind = FIELD_INT, .min = 8, .max = 16384},
    {.name = "date", .kind = FIELD_DATE},
    {.name = "source", .kind = FIELD_URL},
};

static const struct field quota_fields[] = {
    {.name = "family", .kind = FIELD_STRING},
    {.name = "on_demand", .kind = FIELD_STRING, .nullable = true},
    {.name = "on_demand_name", .kind = FIELD_STRING},
    {.name = "spot", .kind = FIELD_STRING, .nullable = true},
    {.name = "spot_name", .kind = FIELD_STRING},
    {.name = "date", .kind = FIELD_DATE},
    {.name = "source", .kind = FIELD_URL},
};

static const struct field machine_fields[] = {
    {.name = "type", .kind = FIELD_STRING},
    {.name = "machine_type", .kind = FIELD_STRING, .optional = true},
    {.name = "accelerator", .kind = FIELD_STRING, .optional = true},
    {.name = "disk_type", .kind = FIELD_STRING, .optional = true},
    {.name = "gpu", .kind = FIELD_STRING},
    {.name = "gpu_count", .kind = FIELD_INT, .min = 1, .max = 16},
    {.name = "vcpus", .kind = FIELD_INT, .min = 1, .max = 10000},
    {.name = "memory_gib", .kind = FIELD_INT, .min = 1, .max = 100000},
    {.name = "architecture", .kind = FIELD_STRING},
    {.name = "quota", .kind = FIELD_STRING},
    {.name = "image", .kind = FIELD_STRING},
    {.name = "usd_per_hour", .kind = FIELD_NUMBER, .nullable = true, .min = 0.001, .max = 10000},
    {.name = "date", .kind = FIELD_DATE},
};

static json_t *get(json_t *o, const char *name)
{
    return json_object_get(o, name);
}

static long long integer(json_t *o, const char *name)
{
    return (long long)json_integer_value(get(o, name));
}

static void check_list(const char *file, json_t *top, const char *list, const char *key,
                       const struct field *fields, size_t count)
{
    json_t *v = get(top, list);
    for (size_t i = 0; i < json_array_size(v); i++)
        read_object(place_of(file, list, i), json_array_get(v, i), fields, count);
    refuse_duplicates(file, list, v, key);
}

static void check_references(const char *file, json_t *top)
{
    static const struct {
        const char *field, *list, *key;
    } references[] = {
        {"gpu", "gpus", "name"}, {"image", "images", "name"}, {"quota", "quotas", "family"}};
    json_t *machines = get(top, "machines");
    for (size_t i = 0; i < json_array_size(machines); i++)
        for (size_t k = 0; k < COUNT(references); k++) {
            const char *name =
                json_string_value(get(json_array_get(machines, i), references[k].field));
            if (find_named(get(top, references[k].list), references[k].key, name) < 0)
                refuse(place_of(file, "machines", i), "\"%s\": there is no \"%s\"",
                       references[k].field, name ? name : "");
        }
}

static void emit_texts(FILE *f, json_t *o, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(f, ".%s = ", names[i]);
        emit_string(f, get(o, names[i]));
        fputs(", ", f);
    }
}

static void emit_gpus(FILE *f, const char *cloud, json_t *list)
{
    static const char *const texts[] = {"name", "date", "source"};
    fprintf(f, "static const struct catalog_gpu gpus_%s[] = {\n", cloud);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        fputs("    {", f);
        emit_texts(f, o, texts, COUNT(texts));
        fprintf(f, ".memory_gib = %lld, .compute_capability = %ld},\n", integer(o, "memory_gib"),
                lround(json_number_value(get(o, "compute_capability")) * 10));
    }
    fputs("};\n", f);
}

static void emit_images(FILE *f, const char *cloud, json_t *list)
{
    static const char *const texts[] = {"name", "parameter", "root_device", "date", "source"};
    fprintf(f, "static const struct catalog_image images_%s[] = {\n", cloud);
    for (size_t i = 0; i < json_array_size(list); i++) {
        fputs("    {", f);
        emit_texts(f, json_array_get(list, i), texts, COUNT(texts));
        fprintf(f, ".root_gib = %lld},\n", integer(json_array_get(list, i), "root_gib"));
    }
    fputs("};\n", f);
}

static void emit_quotas(FILE *f, const char *cloud, json_t *list)
{
    static const char *const texts[] = {"family",    "on_demand", "on_demand_name", "spot",
                                        "spot_name", "date",      "source"};
    fprintf(f, "static const struct catalog_quota quotas_%s[] = {\n", cloud);
    for (size_t i = 0; i < json_array_size(list); i++) {
        fputs("    {", f);
        emit_texts(f, json_array_get(list, i), texts, COUNT(texts));
        fputs("},\n", f);
    }
    fputs("};\n", f);
}

static void emit_machine(FILE *f, const char *cloud, json_t *top, json_t *m)
{
    static const char *const texts[] = {"type", "architecture", "date", "accelerator", "disk_type"};
    static const char *const numbers[] = {"gpu_count", "vcpus", "memory_gib"};
    json_t *price = get(m, "usd_per_hour");
    fprintf(f, "    {.cloud = \"%s\", ", cloud);
    emit_texts(f, m, texts, COUNT(texts));
    fputs(".machine_type = ", f);
    emit_string(f, get(m, get(m, "machine_type") ? "machine_type" : "type"));
    fprintf(f, ", .attached = %s, ", get(m, "machine_type") ? "true" : "false");
    for (size_t i = 0; i < COUNT(numbers); i++)
        fprintf(f, ".%s = %lld, ", numbers[i], integer(m, numbers[i]));
    fprintf(f, ".gpu = &gpus_%s[%d], .image = &images_%s[%d], .quota = &quotas_%s[%d], ", cloud,
            find_named(get(top, "gpus"), "name", json_string_value(get(m, "gpu"))), cloud,
            find_named(get(top, "images"), "name", json_string_value(get(m, "image"))), cloud,
            find_named(get(top, "quotas"), "family", json_string_value(get(m, "quota"))));
    fprintf(f, ".price_micros = %lld, .price_region = ",
            json_is_null(price) ? -1 : (long long)llround(json_number_value(price) * 1e6));
    emit_string(f, get(top, "price_region"));
    fputs(", .source = ", f);
    emit_string(f, get(top, "price_source"));
    fputs("},\n", f);
}

static json_t *load(const char *dir, const char *cloud)
{
    char file[64];
    snprintf(file, sizeof(file), "machines-%s.json", cloud);
    json_t *top = read_file(dir, file);
    if (!top || !read_object(file, top, top_fields, COUNT(top_fields)))
        return NULL;
    check_list(file, top, "gpus", "name", gpu_fields, COUNT(gpu_fields));
    check_list(file, top, "images", "name", image_fields, COUNT(image_fields));
    check_list(file, top, "quotas", "family", quota_fields, COUNT(quota_fields));
    check_list(file, top, "machines", "type", machine_fields, COUNT(machine_fields));
    check_references(file, top);
    return top;
}

void catalogc_machines(FILE *f, const char *dir)
{
    json_t *tops[COUNT(clouds)] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(clouds); i++)
        tops[i] = load(dir, clouds[i]);
    if (catalogc_errors)
        return;
    for (size_t i = 0; i < COUNT(clouds); i++) {
        emit_gpus(f, clouds[i], get(tops[i], "gpus"));
        emit_images(f, clouds[i], get(tops[i], "images"));
        emit_quotas(f, clouds[i], get(tops[i], "quotas"));
    }
    fputs("\nconst struct catalog_machine catalog_machines[] = {\n", f);
    for (size_t i = 0; i < COUNT(clouds); i++) {
        json_t *machines = get(tops[i], "machines");
        for (size_t k = 0; k < json_array_size(machines); k++)
            emit_machine(f, clouds[i], tops[i], json_array_get(machines, k));
        count += json_array_size(machines);
    }
    fprintf(f, "};\nconst size_t catalog_machine_count = %zu;\n", count);
}
