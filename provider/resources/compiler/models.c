/* models.json -> catalog_models[]. */
#include "catalogc.h"

#include <math.h>
#include <string.h>

#define FILE_NAME "models.json"
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct field top_fields[] = {
    {.name = "description", .kind = FIELD_STRING},
    {.name = "quantizations", .kind = FIELD_ARRAY},
    {.name = "models", .kind = FIELD_ARRAY},
};

static const struct field quantization_fields[] = {
    {.name = "name", .kind = FIELD_STRING},
    {.name = "bits_per_weight", .kind = FIELD_NUMBER, .min = 1, .max = 32.1},
    {.name = "date", .kind = FIELD_DATE},
    {.name = "source", .kind = FIELD_URL},
};

static const struct field model_fields[] = {
    {.name = "name", .kind = FIELD_STRING},
    {.name = "latest", .kind = FIELD_BOOL, .optional = true},
    {.name = "parameters_million", .kind = FIELD_INT, .min = 1, .max = 1e7},
    {.name = "layers", .kind = FIELD_INT, .min = 1, .max = 1000},
    {.name = "heads", .kind = FIELD_INT, .min = 1, .max = 1000},
    {.name = "kv_heads", .kind = FIELD_INT, .min = 0, .max = 1000},
    {.name = "key_length", .kind = FIELD_INT, .min = 1, .max = 10000},
    {.name = "value_length", .kind = FIELD_INT, .min = 1, .max = 10000},
    {.name = "window_layers", .kind = FIELD_INT, .optional = true, .min = 1, .max = 1000},
    {.name = "window_tokens", .kind = FIELD_INT, .optional = true, .min = 1, .max = 1e7},
    {.name = "context_max", .kind = FIELD_INT, .min = 1, .max = 1e8},
    {.name = "vocabulary", .kind = FIELD_INT, .min = 1, .max = 1e7},
    {.name = "size_gb", .kind = FIELD_NUMBER, .min = 0.01, .max = 10000},
    {.name = "quantizations", .kind = FIELD_ARRAY},
    {.name = "tag_prefix", .kind = FIELD_STRING, .optional = true},
    {.name = "huggingface", .kind = FIELD_STRING},
    {.name = "gated", .kind = FIELD_BOOL, .optional = true},
    {.name = "huggingface_gb", .kind = FIELD_NUMBER, .optional = true, .min = 0.01, .max = 10000},
    {.name = "date", .kind = FIELD_DATE},
    {.name = "source", .kind = FIELD_URL},
};

static long long integer(json_t *m, const char *name)
{
    return (long long)json_integer_value(json_object_get(m, name));
}

static unsigned long long gigabytes(json_t *v)
{
    return (unsigned long long)llround(json_number_value(v) * 1e9);
}

/* What the fields alone do not say. */
static void check_model(const char *place, json_t *models, json_t *m, json_t *known)
{
    const char *name = json_string_value(json_object_get(m, "name"));
    json_t *list = json_object_get(m, "quantizations");
    const char *colon = strchr(name, ':');
    if (!colon || colon == name || !colon[1])
        refuse(place, "\"%s\" is no \"family:tag\"", name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *q = json_string_value(json_array_get(list, i));
        if (find_named(known, "name", q) < 0)
            refuse(place, "quantization \"%s\" is not in the list", q ? q : "");
    }
    if (json_array_size(list) > 1 && !json_object_get(m, "tag_prefix"))
        refuse(place, "several quantizations need a \"tag_prefix\"");
    if (!json_object_get(m, "window_layers") != !json_object_get(m, "window_tokens") ||
        integer(m, "window_layers") > integer(m, "layers"))
        refuse(place, "\"window_layers\" and \"window_tokens\" do not fit");
    if (integer(m, "kv_heads") && integer(m, "heads") % integer(m, "kv_heads"))
        refuse(place, "\"heads\" is no multiple of \"kv_heads\"");
    if (!json_is_true(json_object_get(m, "latest")))
        return;
    for (size_t i = 0; colon && i < json_array_size(models); i++) {
        json_t *other = json_array_get(models, i);
        const char *s = json_string_value(json_object_get(other, "name"));
        if (other != m && s && strncmp(s, name, (size_t)(colon - name) + 1) == 0 &&
            json_is_true(json_object_get(other, "latest")))
            refuse(place, "another model of the family is \"latest\" too");
    }
}

static void emit_variants(FILE *f, size_t index, json_t *m, json_t *known)
{
    json_t *list = json_object_get(m, "quantizations");
    fprintf(f, "static const struct catalog_variant variants_%zu[] = {\n", index);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *name = json_array_get(list, i);
        int at = find_named(known, "name", json_string_value(name));
        double bits = json_number_value(
            json_object_get(json_array_get(known, (size_t)at), "bits_per_weight"));
        unsigned long long bytes =
            i == 0 ? gigabytes(json_object_get(m, "size_gb"))
                   : (unsigned long long)llround((double)integer(m, "parameters_million") * 1e6 *
                                                 bits / 8);
        fputs("    {", f);
        emit_string(f, name);
        fprintf(f, ", %lluull},\n", bytes);
    }
    fputs("};\n", f);
}

static void emit_text(FILE *f, const char *name, json_t *m)
{
    fprintf(f, ".%s = ", name);
    emit_string(f, json_object_get(m, name));
    fputs(", ", f);
}

static void emit_model(FILE *f, size_t index, json_t *m)
{
    static const char *const numbers[] = {"layers",        "heads",        "kv_heads",
                                          "key_length",    "value_length", "window_layers",
                                          "window_tokens", "context_max",  "vocabulary"};
    json_t *repository = json_object_get(m, "huggingface_gb");
    long long million = integer(m, "parameters_million");
    fputs("    {", f);
    emit_text(f, "name", m);
    fprintf(f, ".latest = %s, ", json_is_true(json_object_get(m, "latest")) ? "true" : "false");
    fprintf(f, ".parameters = %lld000000ull, ", million);
    for (size_t i = 0; i < COUNT(numbers); i++)
        fprintf(f, ".%s = %lld, ", numbers[i], integer(m, numbers[i]));
    emit_text(f, "tag_prefix", m);
    fprintf(f, ".variants = variants_%zu, .variant_count = %zu, ", index,
            json_array_size(json_object_get(m, "quantizations")));
    emit_text(f, "huggingface", m);
    fprintf(f, ".gated = %s, ", json_is_true(json_object_get(m, "gated")) ? "true" : "false");
    fprintf(f, ".huggingface_bytes = %lluull, ",
            repository ? gigabytes(repository) : (unsigned long long)million * 2000000);
    emit_text(f, "date", m);
    emit_text(f, "source", m);
    fputs("},\n", f);
}

void catalogc_models(FILE *f, const char *dir)
{
    json_t *top = read_file(dir, FILE_NAME);
    if (!top || !read_object(FILE_NAME, top, top_fields, COUNT(top_fields)))
        return;
    json_t *known = json_object_get(top, "quantizations"), *models = json_object_get(top, "models");
    for (size_t i = 0; i < json_array_size(known); i++)
        read_object(place_of(FILE_NAME, "quantizations", i), json_array_get(known, i),
                    quantization_fields, COUNT(quantization_fields));
    for (size_t i = 0; i < json_array_size(models); i++) {
        const char *place = place_of(FILE_NAME, "models", i);
        json_t *m = json_array_get(models, i);
        if (read_object(place, m, model_fields, COUNT(model_fields)))
            check_model(place, models, m, known);
    }
    refuse_duplicates(FILE_NAME, "quantizations", known, "name");
    refuse_duplicates(FILE_NAME, "models", models, "name");
    if (catalogc_errors)
        return;
    for (size_t i = 0; i < json_array_size(models); i++)
        emit_variants(f, i, json_array_get(models, i), known);
    fputs("\nconst struct catalog_model catalog_models[] = {\n", f);
    for (size_t i = 0; i < json_array_size(models); i++)
        emit_model(f, i, json_array_get(models, i));
    fprintf(f, "};\nconst size_t catalog_model_count = %zu;\n\n", json_array_size(models));
}
