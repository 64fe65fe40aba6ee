/* serving.json -> the images that serve models, where they are, and SageMaker's machines. */
#include "catalogc.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct field top_fields[] = {
    {.name = "description", .kind = FIELD_STRING},
    {.name = "registry_date", .kind = FIELD_DATE},
    {.name = "registry_source", .kind = FIELD_URL},
    {.name = "registries", .kind = FIELD_ARRAY},
    {.name = "images", .kind = FIELD_ARRAY},
    {.name = "endpoint_type_date", .kind = FIELD_DATE},
    {.name = "endpoint_type_source", .kind = FIELD_URL},
    {.name = "endpoint_types", .kind = FIELD_ARRAY},
};

static const struct field registry_fields[] = {
    {.name = "region", .kind = FIELD_STRING},
    {.name = "account", .kind = FIELD_STRING},
};

static const struct field image_fields[] = {
    {.name = "stack", .kind = FIELD_STRING},   {.name = "target", .kind = FIELD_STRING},
    {.name = "version", .kind = FIELD_STRING}, {.name = "repository", .kind = FIELD_STRING},
    {.name = "tag", .kind = FIELD_STRING},     {.name = "date", .kind = FIELD_DATE},
    {.name = "source", .kind = FIELD_URL},
};

static const struct field type_fields[] = {
    {.name = "type", .kind = FIELD_STRING},
    {.name = "machine", .kind = FIELD_STRING},
};

static const char file[] = "serving.json";

static const char *text(json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void check_list(json_t *top, const char *list, const struct field *fields, size_t count)
{
    json_t *v = json_object_get(top, list);
    for (size_t i = 0; i < json_array_size(v); i++)
        read_object(place_of(file, list, i), json_array_get(v, i), fields, count);
}

static bool is_same_image(json_t *a, json_t *b)
{
    static const char *const names[] = {"stack", "target", "version"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *x = text(a, names[i]), *y = text(b, names[i]);
        if (!x || !y || strcmp(x, y) != 0)
            return false;
    }
    return true;
}

static void check_images(json_t *images)
{
    for (size_t i = 0; i < json_array_size(images); i++) {
        json_t *image = json_array_get(images, i);
        const char *target = text(image, "target");
        if (target && strcmp(target, "sagemaker") != 0 && strcmp(target, "vertex") != 0 &&
            strcmp(target, "cluster") != 0)
            refuse(place_of(file, "images", i), "\"target\" is sagemaker, vertex or cluster");
        for (size_t k = 0; k < i; k++)
            if (is_same_image(image, json_array_get(images, k)))
                refuse(place_of(file, "images", i), "this image is there twice");
    }
}

static void check_machines(const char *dir, json_t *types)
{
    json_t *machines = json_object_get(read_file(dir, "machines-aws.json"), "machines");
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *machine = text(json_array_get(types, i), "machine");
        if (machine && find_named(machines, "type", machine) < 0)
            refuse(place_of(file, "endpoint_types", i), "there is no machine \"%s\"", machine);
    }
}

static void emit_list(FILE *f, json_t *top, const char *list, const char *table,
                      const struct field *fields, size_t count)
{
    json_t *v = json_object_get(top, list);
    fprintf(f, "\nconst struct catalog_%s catalog_%s_table[] = {\n", table, table);
    for (size_t i = 0; i < json_array_size(v); i++) {
        fputs("    {", f);
        for (size_t k = 0; k < count; k++) {
            fprintf(f, ".%s = ", fields[k].name);
            emit_string(f, json_object_get(json_array_get(v, i), fields[k].name));
            fputs(", ", f);
        }
        fputs("},\n", f);
    }
    fprintf(f, "};\nconst size_t catalog_%s_count = %zu;\n", table, json_array_size(v));
}

void catalogc_serving(FILE *f, const char *dir)
{
    json_t *top = read_file(dir, file);
    if (!top || !read_object(file, top, top_fields, COUNT(top_fields)))
        return;
    check_list(top, "registries", registry_fields, COUNT(registry_fields));
    check_list(top, "images", image_fields, COUNT(image_fields));
    check_list(top, "endpoint_types", type_fields, COUNT(type_fields));
    refuse_duplicates(file, "registries", json_object_get(top, "registries"), "region");
    refuse_duplicates(file, "endpoint_types", json_object_get(top, "endpoint_types"), "type");
    check_images(json_object_get(top, "images"));
    check_machines(dir, json_object_get(top, "endpoint_types"));
    if (catalogc_errors)
        return;
    emit_list(f, top, "registries", "registry", registry_fields, COUNT(registry_fields));
    emit_list(f, top, "images", "serving_image", image_fields, COUNT(image_fields));
    emit_list(f, top, "endpoint_types", "endpoint_type", type_fields, COUNT(type_fields));
}
