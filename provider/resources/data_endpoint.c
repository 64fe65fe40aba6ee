/* The data source llm_endpoint: an endpoint that exists, whoever made it. */
#include "resources/data_endpoint.h"

#include <string.h>

#include "resources/config.h"
#include "resources/data_sources.h"
#include "schema/tables.h"

/* ---- what is to be read ---- */

static int validate(const struct data_source *d, struct request *rq, const struct value *config)
{
    const struct path *at = path_attribute(rq->arena, NULL, "cluster");
    bool in_cluster = config_is(config, "target", "cluster"),
         unsure = value_is_unknown(value_get(config, "target"));
    if (schema_validate(d->schema, config, rq->diags) < 0)
        return -1;
    if (in_cluster && !config_is_set(value_get(config, "cluster")))
        return diags_error(rq->diags, at, "No cluster",
                           "With `target = \"cluster\"`, `cluster` says which one.");
    if (!in_cluster && !unsure && config_is_set(value_get(config, "cluster")))
        return diags_error(rq->diags, at, "Not for this target",
                           "`cluster` goes with `target = \"cluster\"`.");
    return 0;
}

int data_endpoint_read(struct data_endpoint *e, const struct component_read *read,
                       const struct value *attrs, const struct value **ret)
{
    struct cloud_error err;
    *ret = NULL;
    if (reading_object(e->reading, read, attrs, ret, &err) >= 0)
        return 0;
    return cloud_error_report(e->reading->c.diags, NULL, "reading the endpoint", &err);
}

const struct value *data_endpoint_object(struct arena *a, const struct value_member *members,
                                         size_t count)
{
    struct value_member *m = arena_new_array(a, count + 1, struct value_member);
    size_t n = 0;
    for (size_t i = 0; m && i < count; i++)
        if (!value_is_null(members[i].value))
            m[n++] = members[i];
    return m ? value_object(a, m, n) : NULL;
}

int data_endpoint_missing(struct data_endpoint *e, const char *where)
{
    const struct composite_context *c = &e->reading->c;
    return diags_error(c->diags, reading_path(e->reading, "name"), "Endpoint not found",
                       "There is no endpoint \"%s\" in %s%s%s.%s", e->name, c->region,
                       *c->account ? " of " : "", c->account, where ? where : "");
}

static int read_it(struct data_endpoint *e)
{
    const struct composite_context *c = &e->reading->c;
    if (config_is(c->config, "target", "cluster"))
        return data_endpoint_cluster(e);
    return strcmp(c->cloud, "aws") == 0 ? data_endpoint_aws(e) : data_endpoint_gcp(e);
}

/* ---- what is shown ---- */

/* Of the schema's type; null for NULL. */
static const struct value *set(const struct data_endpoint *e, const struct value *v,
                               const char *name, const struct value *to)
{
    struct arena *a = e->reading->c.arena;
    const struct type *t = schema_find(&schema_data_source_llm_endpoint, name)->type;
    const struct value *typed = to ? value_convert(a, to, t, NULL, NULL) : value_null(a, t);
    return v && typed ? value_with(a, v, name, typed) : NULL;
}

/* Texts that are NULL are null. */
static const struct value *with_texts(const struct data_endpoint *e, const struct value *v)
{
    const struct composite_context *c = &e->reading->c;
    const struct {
        const char *name, *text;
    } texts[] = {{"region", c->region},
                 {"endpoint_name", e->endpoint_name},
                 {"endpoint_arn", e->arn},
                 {"status", e->status},
                 {"failure_reason", e->failure_reason},
                 {"service_attachment", e->service_attachment}};
    for (size_t i = 0; v && i < sizeof(texts) / sizeof(*texts); i++)
        v = value_with(c->arena, v, texts[i].name, value_str(c->arena, texts[i].text));
    return v;
}

static const struct value *shown(const struct data_endpoint *e, const struct value *config)
{
    struct arena *a = e->reading->c.arena;
    const struct value *none = value_object(a, NULL, 0), *no_names = value_tuple(a, NULL, 0);
    const struct value *v = with_texts(e, config);
    v = set(e, v, "invoke_url", e->url);
    v = set(e, v, "tags", e->tags ? e->tags : none);
    v = set(e, v, "variants", e->variants);
    return set(e, v, "inference_components", e->components ? e->components : no_names);
}

static int read_endpoint(const struct data_source *d, struct request *rq,
                         const struct value *config, const struct value **ret)
{
    const struct value *with = schema_defaults(rq->arena, d->schema, config);
    struct reading reading;
    struct data_endpoint e = {.reading = &reading, .name = value_cstr(value_get(with, "name"), "")};
    if (!with || reading_begin(&reading, rq, with, "nobody can be asked about the endpoint") < 0 ||
        read_it(&e) < 0)
        return -1;
    *ret = shown(&e, with);
    return *ret ? 0 : diags_error(rq->diags, NULL, "Out of memory", "Nothing was read.");
}

const struct data_source data_endpoint = {
    .schema = &schema_data_source_llm_endpoint, .validate = validate, .read = read_endpoint};
