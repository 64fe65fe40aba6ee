/* What the files of the data source llm_endpoint share. */
#ifndef LLM_RESOURCES_DATA_ENDPOINT_H
#define LLM_RESOURCES_DATA_ENDPOINT_H

#include "resources/reading.h"

/* An endpoint as it is found; NULL: there is no such thing. */
struct data_endpoint {
    struct reading *reading;
    const char *name;
    const char *endpoint_name, *arn, *status, *failure_reason, *service_attachment;
    const struct value *url;
    const struct value *tags;       /* object of texts */
    const struct value *variants;   /* object of objects, with what is known of each */
    const struct value *components; /* tuple of texts */
};

/* Each fills in what is there. 0, or -1 with a diagnostic. */
int data_endpoint_aws(struct data_endpoint *e);
int data_endpoint_gcp(struct data_endpoint *e);
int data_endpoint_cluster(struct data_endpoint *e);

/* Reads an object by its table; *ret NULL when there is none. 0, or -1 with a diagnostic. */
int data_endpoint_read(struct data_endpoint *e, const struct component_read *read,
                       const struct value *attrs, const struct value **ret);
/* An object of those of the members that are there. NULL: memory is out. */
const struct value *data_endpoint_object(struct arena *a, const struct value_member *members,
                                         size_t count);
/* The error for an endpoint that is not there; `where` ends a sentence. -1. */
int data_endpoint_missing(struct data_endpoint *e, const char *where);

#endif
