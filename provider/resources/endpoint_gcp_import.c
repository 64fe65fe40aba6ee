/* The configuration that an existing endpoint on Vertex AI stands for: its description says it;
 * what its deployed models are says which images and machines were chosen. */
#include "resources/endpoint_gcp.h"

#include <string.h>
#include <strings.h>

#include "cloud/template.h"

static const struct cloud_operation get_model = {.service = "aiplatform",
                                                 .name = "projects.locations.models.get",
                                                 .method = "GET",
                                                 .uri =
                                                     "/v1/projects/{project}/locations/{location}/"
                                                     "models/{model}",
                                                 .idempotent = true};

/* The image of a deployed model; NULL with a diagnostic. */
static const char *image_of(const struct composite_context *c, const struct value *deployed)
{
    struct cloud_error err;
    const struct value *answer = NULL;
    const struct value *name =
        template_transform(c->arena, TRANSFORM_BASENAME, value_get(deployed, "model"));
    const struct value *request = endpoint_gcp_request(c, "model", name);
    if (composite_call(c, c->arena, &get_model, request, &answer, &err) < 0) {
        cloud_error_report(c->diags, NULL, "reading a model of the endpoint", &err);
        return NULL;
    }
    return value_cstr(value_path(answer, "containerSpec.imageUri"), "");
}

/* The type as the catalogue has it: GPUs to attach are part of it. */
static const char *machine_of(const struct composite_context *c, const struct value *deployed)
{
    const struct value *spec = value_path(deployed, "dedicatedResources.machineSpec");
    const char *type = value_cstr(value_get(spec, "machineType"), "");
    const char *accelerator = value_cstr(value_get(spec, "acceleratorType"), NULL);
    int64_t count = value_int_or(value_get(spec, "acceleratorCount"), 0);
    if (!accelerator || platform_gcp_has_gpu(slice_str(type)))
        return type;
    char *text = arena_printf(c->arena, "%s+%s:%lld", type, accelerator, (long long)count);
    for (char *p = text ? strchr(text, '+') : NULL; p && *p; p++)
        *p = *p == '_' ? '-' : *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    return text;
}

/* What is deployed of a variant; of two (an update was interrupted) the one that has calls. */
static const struct value *deployed_of(const struct value *endpoint, struct slice variant)
{
    const struct value *all = value_get(endpoint, "deployedModels"), *found = NULL;
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *one = value_at(all, i);
        const char *id = value_cstr(value_get(one, "id"), "");
        if (!slice_eq(value_slice(value_get(one, "displayName")), variant))
            continue;
        if (!found || value_get(value_get(endpoint, "trafficSplit"), id))
            found = one;
    }
    return found;
}

static const struct value *status_of(const struct composite_context *c,
                                     const struct value *endpoint, const struct value *config)
{
    const struct type_attr *attr = type_attr(config->type, SLICE_LIT("variant_status"));
    const struct type *t = attr ? attr->type : NULL;
    struct endpoint_variants *all = arena_new_object(c->arena, struct endpoint_variants);
    struct value_member m[ENDPOINT_VARIANTS_MOST];
    size_t count = 0;
    if (!t || !all)
        return NULL;
    endpoint_variants(c->arena, config, all);
    for (size_t i = 0; i < all->count; i++) {
        const struct value *deployed = deployed_of(endpoint, all->items[i].name);
        const char *image = deployed ? image_of(c, deployed) : NULL;
        if (deployed && !image)
            return NULL;
        if (!deployed)
            continue;
        const struct value_member one[] = {
            {SLICE_LIT("image"), value_str(c->arena, image)},
            {SLICE_LIT("machine_type"), value_str(c->arena, machine_of(c, deployed))}};
        m[count].key = all->items[i].name;
        m[count++].value = value_object_of(c->arena, t->elem, one, 2);
    }
    return value_map(c->arena, t->elem, m, count);
}

static int no_endpoint(const struct composite_context *c, const char *why)
{
    return diags_error(c->diags, NULL, "There is no such endpoint", "%s", why);
}

int endpoint_gcp_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret)
{
    struct cloud_error err;
    const struct value *answer = NULL;
    const char *name = value_cstr(value_get(c->config, "name"), "");
    size_t before = c->diags->errors;
    (void)found;
    if (composite_call(c, c->arena, &endpoint_gcp_get,
                       endpoint_gcp_request(c, "endpoint", value_get(c->config, "name")), &answer,
                       &err) < 0)
        return err.class_ == CLOUD_ERROR_NOT_FOUND
                   ? no_endpoint(c, err.message)
                   : cloud_error_report(c->diags, NULL, "looking for the endpoint", &err);
    const struct value *owner =
        c->driver->owner_tags(c->arena, ENDPOINT_TYPE, value_get(c->config, "name"), "endpoint");
    struct slice text = value_slice(value_get(answer, "description"));
    if (!value_equal(value_path(answer, "labels.llm-resource"), value_get(owner, "llm-resource")))
        return diags_error(c->diags, NULL, "There is nothing to import",
                           "The endpoint \"%s\" was not made by this resource: it does not say how "
                           "it was configured. The data source llm_endpoint reads it.",
                           name);
    if (!text.len || *text.ptr != '{')
        return diags_error(c->diags, NULL, "The endpoint cannot be imported",
                           "Its description, which had its configuration, is another text.");
    const struct value *config = endpoint_configuration_of(c, text);
    const struct value *status = config ? status_of(c, answer, config) : NULL;
    *ret = status ? value_with(c->arena, config, "variant_status", status) : NULL;
    if (!*ret && c->diags->errors == before)
        diags_error(c->diags, NULL, "Out of memory", "Nothing was imported.");
    return *ret ? 0 : -1;
}
