/* An endpoint on Vertex AI, as the data source shows it. */
#include "resources/data_endpoint.h"

#include "resources/endpoint_url.h"
#include "resources/tables.h"

enum { DEPLOYED_MOST = 128 };

static const struct value *attr(struct data_endpoint *e, const char *name,
                                const struct value *endpoint)
{
    return reading_attr(e->reading, &component_gcp_vertex_endpoint, name, endpoint);
}

static const struct value *of_deployed(struct data_endpoint *e, const char *name,
                                       const struct value *deployed)
{
    return reading_attr(e->reading, &component_gcp_vertex_deployed_model, name, deployed);
}

/* ---- deployed models ---- */

/* The display name, where it is one and the only one of its kind; else the id. */
static struct slice key_of(struct data_endpoint *e, const struct value *all, size_t index)
{
    const struct value *one = value_at(all, index);
    struct slice name = value_slice(of_deployed(e, "display_name", one));
    for (size_t i = 0; i < value_count(all); i++)
        if (i != index &&
            slice_eq(value_slice(of_deployed(e, "display_name", value_at(all, i))), name))
            return value_slice(of_deployed(e, "name", one));
    return name.len ? name : value_slice(of_deployed(e, "name", one));
}

/* Null in a peered network, where calls are not split. */
static const struct value *weight_of(struct data_endpoint *e, const struct value *endpoint,
                                     struct slice id)
{
    const struct value *split =
        reading_attr(e->reading, &component_gcp_vertex_traffic_split, "split", endpoint);
    const struct value *percent = value_get_slice(split, id);
    if (attr(e, "network", endpoint))
        return NULL;
    return percent ? percent : value_int(e->reading->c.arena, 0);
}

static const struct value *deployed_model(struct data_endpoint *e, const struct value *endpoint,
                                          const struct value *one)
{
    const struct value_member m[] = {
        {SLICE_LIT("weight"), weight_of(e, endpoint, value_slice(of_deployed(e, "name", one)))},
        {SLICE_LIT("instances"), of_deployed(e, "available_replicas", one)},
        {SLICE_LIT("desired_instances"), of_deployed(e, "min_replicas", one)},
        {SLICE_LIT("machine_type"), of_deployed(e, "machine_type", one)},
        {SLICE_LIT("model"), of_deployed(e, "model_name", one)}};
    return data_endpoint_object(e->reading->c.arena, m, sizeof(m) / sizeof(*m));
}

static void read_variants(struct data_endpoint *e, const struct value *endpoint)
{
    const struct value *all = value_get(endpoint, "deployedModels");
    struct value_member m[DEPLOYED_MOST];
    size_t count = 0;
    for (size_t i = 0; i < value_count(all) && count < DEPLOYED_MOST; i++) {
        m[count].key = key_of(e, all, i);
        m[count++].value = deployed_model(e, endpoint, value_at(all, i));
    }
    e->variants = value_object(e->reading->c.arena, m, count);
}

/* ---- the endpoint ---- */

/* Whether a model gets calls: the cloud has no word for it. */
static const char *status_of(struct data_endpoint *e, const struct value *endpoint)
{
    const struct value *split =
        reading_attr(e->reading, &component_gcp_vertex_traffic_split, "split", endpoint);
    bool peered = attr(e, "network", endpoint);
    return value_count(peered ? e->variants : split) > 0 ? "Serving" : "NoTraffic";
}

/* Null where it is reached through a private network alone. */
static const struct value *url_of(struct data_endpoint *e, const struct value *endpoint)
{
    const struct composite_context *c = &e->reading->c;
    const char *host = value_cstr(attr(e, "dns", endpoint), NULL);
    bool dedicated = value_true(attr(e, "dedicated", endpoint));
    if (attr(e, "network", endpoint) || value_true(attr(e, "private_service_connect", endpoint)) ||
        (dedicated && !host))
        return NULL;
    return endpoint_url_vertex(c->arena, c->account, c->region, e->endpoint_name,
                               dedicated ? host : NULL);
}

int data_endpoint_gcp(struct data_endpoint *e)
{
    struct arena *a = e->reading->c.arena;
    const struct value_member own[] = {{SLICE_LIT("name"), value_str(a, e->name)},
                                       {SLICE_LIT("location"), value_str(a, e->reading->c.region)}};
    const struct value *found = NULL;
    if (data_endpoint_read(e, &component_gcp_vertex_endpoint.read, value_object(a, own, 2),
                           &found) < 0)
        return -1;
    if (!found)
        return data_endpoint_missing(
            e, " `name` is the endpoint's id, which is not the name that the console shows.");
    e->endpoint_name = value_cstr(attr(e, "name", found), e->name);
    e->arn = value_cstr(attr(e, "full_name", found), NULL);
    e->service_attachment = value_cstr(attr(e, "service_attachment", found), NULL);
    e->tags = attr(e, "labels", found);
    e->url = url_of(e, found);
    read_variants(e, found);
    e->status = status_of(e, found);
    return 0;
}
