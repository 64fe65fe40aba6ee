/* Asking a cloud outside of a resource's life: for data sources and ephemeral resources. */
#include "resources/reading.h"

#include <string.h>

#include "cloud/template.h"

enum { DEADLINE_MS = 120000 };

const struct path *reading_path(const struct reading *x, const char *name)
{
    return path_attribute(x->c.arena, NULL, name);
}

static int find_client(struct reading *x, const char *needs)
{
    struct composite_context *c = &x->c;
    if (!c->cloud)
        return diags_error(c->diags, reading_path(x, "cloud"), "Not known",
                           "The cloud has to be known when it is asked.");
    if (provider_client(c->request->provider, c->cloud, reading_path(x, "cloud"), &c->driver,
                        &c->client, c->diags) < 0)
        return -1;
    if (!c->client)
        return diags_error(c->diags, reading_path(x, "cloud"),
                           "The provider's settings are not known yet", "Without them %s.", needs);
    c->region = value_cstr(value_get(c->config, "region"), c->driver->default_region(c->client));
    if (!c->region)
        return diags_error(c->diags, reading_path(x, "region"), "No region",
                           "Neither this resource nor the provider's settings for \"%s\" name a "
                           "region.",
                           c->cloud);
    return 0;
}

int reading_begin(struct reading *x, struct request *rq, const struct value *config,
                  const char *needs)
{
    const struct clock *clock = rq->provider->clock;
    struct cloud_error err;
    memset(x, 0, sizeof(*x));
    x->work = (struct work){clock, rq->cancel, clock->monotonic_ms(clock->self) + DEADLINE_MS};
    x->c = (struct composite_context){.request = rq,
                                      .arena = rq->arena,
                                      .diags = rq->diags,
                                      .config = config,
                                      .cloud = value_cstr(value_get(config, "cloud"), NULL),
                                      .account = "",
                                      .online = true,
                                      .work = &x->work};
    if (find_client(x, needs) < 0)
        return -1;
    if (x->c.driver->account(x->c.client, &x->work, rq->arena, x->c.region, &x->c.account, &err) <
        0)
        return cloud_error_report(rq->diags, NULL, "checking the account", &err);
    return 0;
}

/* ---- objects ---- */

struct scope {
    const struct reading *reading;
    const struct value *attrs;
};

static int lookup(void *self, struct arena *a, const char *root, const char *path,
                  const struct value **ret)
{
    const struct scope *s = self;
    *ret = NULL;
    if (strcmp(root, "account") == 0)
        *ret = value_str(a, s->reading->c.account);
    else if (!*root && path)
        *ret = value_path(s->attrs, path);
    return 0;
}

int reading_object(struct reading *x, const struct component_read *read, const struct value *attrs,
                   const struct value **ret, struct cloud_error *err)
{
    struct arena *a = x->c.arena;
    struct scope scope = {x, attrs};
    const struct value *request = NULL, *answer = NULL;
    if (!attrs || template_eval(a, read->request, lookup, &scope, &request) < 0)
        request = NULL;
    if (composite_call(&x->c, a, read->op, request, &answer, err) < 0)
        return err->class_ == CLOUD_ERROR_NOT_FOUND ||
                       cloud_error_in(read->not_found, read->not_found_count, err)
                   ? 1
                   : -1;
    *ret = read->items ? template_select(a, answer, read->items) : answer;
    return 0;
}

const struct value *reading_attr(const struct reading *x, const struct component *kind,
                                 const char *name, const struct value *item)
{
    for (size_t i = 0; i < kind->attr_count; i++) {
        const char *path = kind->attrs[i].read_path;
        const char *colon = path ? strchr(path, ':') : NULL;
        if (!path || strcmp(kind->attrs[i].name, name) != 0)
            continue;
        const struct value *v = template_select(x->c.arena, item, colon ? colon + 1 : path);
        return v ? template_transform(x->c.arena, kind->attrs[i].read_as, v) : NULL;
    }
    return NULL;
}
