/* The issuer of a cluster's identities, as IAM is told of it: with the thumbprint of the authority
 * that its host shows (IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity
 * provider"). Where the issuer cannot be reached from here, IAM obtains it itself
 * (CreateOpenIDConnectProvider, "ThumbprintList"). */
#include "resources/platform_cluster_aws.h"

#include "base/log.h"
#include "cloud/thumbprint.h"

enum { ISSUER_MS = 3000 };

/* NULL with *ret_why when it cannot be had, or memory is out. */
static const char *thumbprint_of(const struct composite_context *c, struct arena *a,
                                 const char *issuer, const char **ret_why)
{
    const struct http_transport *transport = c->request->provider->transport;
    struct http_settings settings = *c->driver->http_settings(c->client);
    struct http_response shown;
    settings.connect_timeout_ms = settings.request_timeout_ms = ISSUER_MS;
    settings.insecure = false; /* nobody is to be trusted for good whom nobody has looked at */
    *ret_why = "its certificates make no sense";
    if (transport->certificates(transport->self, c->work, a, issuer, &settings, &shown) < 0) {
        *ret_why = shown.failure_text;
        return NULL;
    }
    return thumbprint_of_chain(a, shown.body);
}

const struct value *platform_aws_inputs_by_hook(const struct composite_context *c, struct arena *a,
                                                const char *hook, const struct value *inputs)
{
    const char *issuer = value_cstr(value_get(inputs, "url"), ""), *why = NULL;
    const char *thumbprint = thumbprint_of(c, a, issuer, &why);
    (void)hook;
    if (!thumbprint) {
        log_at(LOG_WARN,
               "The issuer's certificates cannot be read from here: IAM obtains the thumbprint",
               LOG_STR("issuer", issuer), LOG_STR("error", why));
        return inputs;
    }
    const struct value *text = value_str(a, thumbprint);
    return value_with(a, inputs, "thumbprints", value_set(a, &type_string, &text, 1));
}
