/* Tokens are asked for with each request and kept by nobody here: who makes them knows how long
 * they are good. */
#include "kubernetes/token.h"

/* EKS' tokens have about 2 KiB, Google's 1 KiB; a header may have 8 KiB with most servers. */
enum { TOKEN_MOST = 16 * 1024 };

static int fail(struct cloud_error *err, enum cloud_error_class class_, const char *message)
{
    err->class_ = class_;
    err->message = message;
    return -1;
}

/* RFC 6750, 2.1: what a bearer token is made of, generously. */
static bool is_token(const char *text)
{
    size_t len = text ? strnlen(text, TOKEN_MOST + 1) : 0;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] > '~')
            return false;
    return len > 0 && len <= TOKEN_MOST;
}

/* The texts of an error are the caller's to keep, while the token's arena goes at once. */
static int ask(struct cloud_client *c, const struct work *w, struct arena *a, bool fresh,
               struct secret *ret, struct cloud_error *err)
{
    _cleanup_arena_ struct arena *scratch = arena_new();
    const char *text = NULL;
    if (!scratch)
        return fail(err, CLOUD_ERROR_NO_MEMORY, "memory ran out");
    if (c->token(c->token_self, w, scratch, fresh, &text, err) < 0) {
        const char *texts[] = {err->message, err->code, err->request_id, err->service,
                               err->operation};
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
            texts[i] = arena_strdup(a, texts[i]);
        err->message = texts[0] ? texts[0] : "the cluster's token could not be got";
        err->code = texts[1];
        err->request_id = texts[2];
        err->service = texts[3];
        err->operation = texts[4];
        if (err->class_ == CLOUD_ERROR_NONE)
            err->class_ = CLOUD_ERROR_CREDENTIALS;
        return -1;
    }
    if (!is_token(text))
        return fail(err, CLOUD_ERROR_CREDENTIALS,
                    "the cluster's token is empty, or has characters that no token may have");
    return secret_set(ret, slice_str(text)) < 0 ? fail(err, CLOUD_ERROR_NO_MEMORY, "memory ran out")
                                                : 0;
}

int kubernetes_token_get(struct cloud_client *c, const struct work *w, struct arena *a,
                         const struct secret *refused, struct secret *ret, struct cloud_error *err)
{
    if (!refused->len)
        return ask(c, w, a, false, ret, err);
    pthread_mutex_lock(&c->renewal);
    int rc = ask(c, w, a, false, ret, err);
    if (rc == 0 && slice_eq(secret_slice(ret), secret_slice(refused)))
        rc = ask(c, w, a, true, ret, err);
    pthread_mutex_unlock(&c->renewal);
    return rc;
}
