/* What a plan of an endpoint asks of AWS besides the calls of its components. */
#include "resources/endpoint_aws.h"

#include <string.h>

enum { PAGES_MOST = 40 };

static const struct cloud_operation list_quotas = {
    .service = "servicequotas", .name = "ListServiceQuotas", .idempotent = true};

static const struct value *quotas_request(struct arena *a, const struct value *token)
{
    const struct value_member m[] = {{SLICE_LIT("ServiceCode"), value_str(a, "sagemaker")},
                                     {SLICE_LIT("MaxResults"), value_int(a, 100)},
                                     {SLICE_LIT("NextToken"), token}};
    return value_object(a, m, token ? 3 : 2);
}

/* The quota of that name on a page; -1: it is not there. */
static double on_page(const struct value *page, const char *name)
{
    const struct value *list = value_get(page, "Quotas");
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *q = value_at(list, i), *v = value_get(q, "Value");
        if (slice_eq_str(value_slice(value_get(q, "QuotaName")), name) && value_is_known(v))
            return number_to_double(v->number, NULL);
    }
    return -1;
}

/* Pages are kept for the operation: each is asked for once. */
double endpoint_aws_quota(const struct composite_context *c, const char *machine_type)
{
    const char *name = arena_printf(c->arena, "%s for endpoint usage", machine_type);
    const struct value *token = NULL;
    if (!c->online || !c->planning || !name)
        return -2;
    for (int page = 0; page < PAGES_MOST; page++) {
        const struct gpu_node_lookup *k = NULL;
        if (gpu_node_answer_call(c, &list_quotas, quotas_request(c->arena, token), &k) < 0)
            return -2;
        double found = on_page(k->answer, name);
        token = value_get(k->answer, "NextToken");
        if (found >= 0 || !value_slice(token).len)
            return found;
    }
    return -2;
}
