/* Finding models and machines in the catalogue, and the nearest name to a wrong one. */
#include "resources/catalog.h"

#include <string.h>

/* The part of a name in front of the colon. */
static size_t family_length(const char *name)
{
    return strcspn(name, ":");
}

static bool find_by_tag(const struct catalog_model *m, struct slice tag, struct catalog_choice *ret)
{
    size_t family = family_length(m->name);
    ret->model = m;
    ret->variant = m->variants;
    if (tag.len == 0 || slice_eq_str(tag, "latest"))
        return m->latest;
    if (slice_eq_str(tag, m->name + family + 1))
        return true;
    if (!m->tag_prefix || !slice_has_prefix(tag, m->tag_prefix))
        return false;
    size_t skip = strlen(m->tag_prefix);
    struct slice quantization = slice_from(tag.ptr + skip, tag.len - skip);
    for (size_t i = 0; i < m->variant_count; i++) {
        ret->variant = &m->variants[i];
        if (slice_eq_str(quantization, m->variants[i].quantization))
            return true;
    }
    return false;
}

bool catalog_find(struct slice name, struct catalog_choice *ret)
{
    const char *colon = name.len ? memchr(name.ptr, ':', name.len) : NULL;
    size_t family = colon ? (size_t)(colon - name.ptr) : name.len;
    struct slice tag = colon ? slice_from(colon + 1, name.len - family - 1) : SLICE_EMPTY;
    if (colon && tag.len == 0)
        return false;
    for (size_t i = 0; i < catalog_model_count; i++) {
        const struct catalog_model *m = &catalog_models[i];
        struct catalog_choice found;
        if (slice_eq(slice_from(m->name, family_length(m->name)), slice_from(name.ptr, family)) &&
            find_by_tag(m, tag, &found)) {
            *ret = found;
            return true;
        }
    }
    return false;
}

enum { NEAREST_MOST = 64 };

/* Levenshtein's distance; names of more than 64 bytes are near to nothing. */
static size_t distance(struct slice x, struct slice y)
{
    size_t row[NEAREST_MOST + 1];
    if (x.len > NEAREST_MOST || y.len > NEAREST_MOST)
        return SIZE_MAX / 4;
    for (size_t k = 0; k <= y.len; k++)
        row[k] = k;
    for (size_t i = 1; i <= x.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= y.len; k++) {
            size_t change = diagonal + (x.ptr[i - 1] != y.ptr[k - 1]);
            size_t other = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            diagonal = row[k];
            row[k] = change < other ? change : other;
        }
    }
    return row[y.len];
}

/* A name is near when at most a third of it differs. */
struct nearest {
    struct slice wanted;
    const char *name;
    size_t length, distance, common; /* common: bytes alike from the start */
};

static size_t common_length(struct slice x, const char *name, size_t length)
{
    size_t i = 0;
    while (i < x.len && i < length && x.ptr[i] == name[i])
        i++;
    return i;
}

static void nearest_consider(struct nearest *n, const char *name, size_t length)
{
    size_t d = distance(n->wanted, slice_from(name, length));
    size_t longest = n->wanted.len > length ? n->wanted.len : length;
    size_t common = common_length(n->wanted, name, length);
    if (d * 3 > longest ||
        (n->name && (d > n->distance || (d == n->distance && common <= n->common))))
        return;
    n->common = common;
    n->name = name;
    n->length = length;
    n->distance = d;
}

const char *catalog_nearest(struct arena *a, struct slice name)
{
    struct nearest n = {name, NULL, 0, 0, 0};
    for (size_t i = 0; i < catalog_model_count; i++) {
        const struct catalog_model *m = &catalog_models[i];
        nearest_consider(&n, m->name, strlen(m->name));
        if (m->latest)
            nearest_consider(&n, m->name, family_length(m->name));
    }
    /* A known family with an unknown tag. */
    const char *colon = name.len ? memchr(name.ptr, ':', name.len) : NULL;
    struct catalog_choice c;
    if (colon && catalog_find(slice_from(name.ptr, (size_t)(colon - name.ptr)), &c) &&
        (!n.name || strncmp(n.name, name.ptr, (size_t)(colon - name.ptr) + 1) != 0))
        return arena_strdup(a, c.model->name);
    return n.name ? arena_strndup(a, n.name, n.length) : NULL;
}

const struct catalog_machine *catalog_machine(const char *cloud, struct slice type)
{
    for (size_t i = 0; i < catalog_machine_count; i++) {
        const struct catalog_machine *m = &catalog_machines[i];
        if ((!cloud || strcmp(m->cloud, cloud) == 0) && slice_eq_str(type, m->type))
            return m;
    }
    return NULL;
}

const char *catalog_nearest_machine(struct arena *a, const char *cloud, struct slice type)
{
    struct nearest n = {type, NULL, 0, 0, 0};
    for (size_t i = 0; i < catalog_machine_count; i++)
        if (!cloud || strcmp(catalog_machines[i].cloud, cloud) == 0)
            nearest_consider(&n, catalog_machines[i].type, strlen(catalog_machines[i].type));
    return n.name ? arena_strndup(a, n.name, n.length) : NULL;
}

const char *catalog_nearest_of(const char *const *names, size_t count, struct slice name)
{
    struct nearest n = {name, NULL, 0, 0, 0};
    for (size_t i = 0; i < count; i++)
        nearest_consider(&n, names[i], strlen(names[i]));
    return n.name;
}

const struct catalog_serving_image *catalog_serving_image(const char *target, struct slice stack,
                                                          const char *version)
{
    for (size_t i = 0; i < catalog_serving_image_count; i++) {
        const struct catalog_serving_image *image = &catalog_serving_image_table[i];
        if (strcmp(image->target, target) == 0 && slice_eq_str(stack, image->stack) &&
            (!version || strcmp(image->version, version) == 0))
            return image;
    }
    return NULL;
}

const char *catalog_serving_uri(struct arena *a, const struct catalog_serving_image *image,
                                const char *region)
{
    if (strcmp(image->target, "sagemaker") != 0)
        return arena_printf(a, "%s:%s", image->repository, image->tag);
    bool china = strncmp(region, "cn-", 3) == 0;
    for (size_t i = 0; i < catalog_registry_count; i++)
        if (strcmp(catalog_registry_table[i].region, region) == 0)
            return arena_printf(a, "%s.dkr.ecr.%s.amazonaws.com%s/%s:%s",
                                catalog_registry_table[i].account, region, china ? ".cn" : "",
                                image->repository, image->tag);
    return NULL;
}

const struct catalog_machine *catalog_endpoint_machine(struct slice type)
{
    for (size_t i = 0; i < catalog_endpoint_type_count; i++)
        if (slice_eq_str(type, catalog_endpoint_type_table[i].type))
            return catalog_machine("aws", slice_str(catalog_endpoint_type_table[i].machine));
    return NULL;
}

const char *catalog_endpoint_type(const struct catalog_machine *machine)
{
    for (size_t i = 0; i < catalog_endpoint_type_count; i++)
        if (strcmp(machine->cloud, "aws") == 0 &&
            strcmp(machine->type, catalog_endpoint_type_table[i].machine) == 0)
            return catalog_endpoint_type_table[i].type;
    return NULL;
}
