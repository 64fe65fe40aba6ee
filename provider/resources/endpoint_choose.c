/* Which image and machine a variant gets where its user leaves that open: what was decided stays
 * while it fits. */
#include "resources/endpoint.h"

#include <string.h>

static const struct value *text_or_unknown(struct endpoint_derivation *d, const char *text)
{
    return text ? value_str(d->a, text) : endpoint_unknown(d);
}

struct value_member endpoint_choice(struct endpoint_derivation *d, const struct endpoint_variant *v,
                                    const char *image, const char *machine_type)
{
    const struct value_member m[] = {{SLICE_LIT("image"), text_or_unknown(d, image)},
                                     {SLICE_LIT("machine_type"), text_or_unknown(d, machine_type)}};
    return (struct value_member){v->name, value_object(d->a, m, 2)};
}

const char *endpoint_decided(const struct composite_context *c, struct slice variant,
                             const char *what)
{
    const struct value *decided =
        value_get(value_get_slice(value_get(c->decided, "choices"), variant), what);
    const struct value *was =
        value_get(value_get_slice(value_get(c->prior, "variant_status"), variant), what);
    /* An import has the state that it makes as its configuration. */
    const struct value *found =
        value_get(value_get_slice(value_get(c->config, "variant_status"), variant), what);
    if (value_is_known(decided))
        return value_cstr(decided, NULL);
    return value_cstr(value_is_known(was) ? was : found, NULL);
}

/* Whether an image is one of the catalogue's for this target and stack, in any version. */
static bool is_of_stack(struct endpoint_derivation *d, const char *image, const char *stack,
                        const char *region)
{
    for (size_t i = 0; i < catalog_serving_image_count; i++) {
        const struct catalog_serving_image *s = &catalog_serving_image_table[i];
        const char *uri =
            strcmp(s->target, d->target->image_target) == 0 && strcmp(s->stack, stack) == 0
                ? catalog_serving_uri(d->a, s, region)
                : NULL;
        size_t len = uri ? (size_t)(strrchr(uri, ':') - uri) + 1 : 0;
        if (uri && strncmp(uri, image, len) == 0)
            return true;
    }
    return false;
}

const char *endpoint_image(struct endpoint_derivation *d, const struct endpoint_variant *v,
                           const struct endpoint_model *m, enum endpoint_stack stack,
                           const char *region)
{
    const char *version = value_cstr(config_get(d->config, "container.version"), NULL),
               *was = endpoint_decided(d->c, v->name, "image"), *name = endpoint_stack_name(stack);
    if (v->image || m->source == ENDPOINT_IMAGE)
        return v->image ? v->image : m->id;
    if (!name)
        return NULL;
    if (!version && was && is_of_stack(d, was, name, region))
        return was;
    const struct catalog_serving_image *image =
        catalog_serving_image(d->target->image_target, slice_str(name), version);
    return image ? catalog_serving_uri(d->a, image, region) : NULL;
}

const char *endpoint_pick_machine(struct endpoint_derivation *d, const struct endpoint_variant *v,
                                  const struct endpoint_model *m, int gpus,
                                  endpoint_offered *offered, void *self)
{
    const struct endpoint_target *t = d->target;
    struct fit_result r;
    size_t count = 0;
    const char *was = endpoint_decided(d->c, v->name, "machine_type");
    const struct catalog_machine *old = was ? t->machine(t->cloud, slice_str(was)) : NULL;
    if (old && endpoint_fits(m, old, gpus, &r))
        return was;
    const struct catalog_machine **list =
        m->sized ? endpoint_machines(d->a, t, m, gpus, &count) : NULL;
    if (!list || !count)
        return was;
    const struct catalog_machine *one = offered(self, list, count);
    return t->machine_type(one ? one : list[0]);
}
