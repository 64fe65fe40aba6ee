/* The way into a cluster that a resource makes, or names: a cloud, for the engine, of what is in
 * it. Where it is, is learnt from records, from the apply that makes it, from the cloud, or is
 * given. */
#ifndef LLM_RESOURCES_CLUSTER_LINK_H
#define LLM_RESOURCES_CLUSTER_LINK_H

#include "resources/composite.h"

/* Ends the advice that is given when the API cannot be reached: ", or …". */
struct cluster_advice {
    const char *of_private, *of_public; /* by whether the endpoint is private */
};

/* Texts and values live as long as the link. */
struct cluster_link {
    const char *name;          /* of one of the resource's cloud; NULL: not known yet */
    const struct value *attrs; /* what is known of it, as platform_cloud's `address` takes it; or
                                  NULL */
    const struct cluster_advice *advice; /* NULL: none of the resource's own */
    /* Any other one: its URL (NULL: not known yet), its authority (NULL: those that the system
     * trusts), and a token (else the file's, else that of the variable KUBE_TOKEN). */
    bool fixed;
    const char *endpoint, *ca, *token, *token_file;
};

/* Makes no call; lives in c->arena. 0, or -1 with a diagnostic. */
int cluster_link_new(const struct composite_context *c, const struct cluster_link *to,
                     struct engine_cloud *ret);
/* For engine_hooks.recorded: takes the address of a cluster that this apply has made. `self` is the
 * client of the link. */
void cluster_link_recorded(void *self, const struct record *r);

#endif
