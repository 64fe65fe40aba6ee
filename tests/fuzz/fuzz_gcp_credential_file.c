/* Credential files of any content: what is accepted has all that its type needs, and what is
 * refused is refused with a reason that tells no secret. */
#include <string.h>

#include "fuzz_value.h"
#include "gcp/credential_file.h"

static void must_have(const char *text)
{
    must(text && *text);
}

static void check(const struct gcp_credential_file *f)
{
    must_have(f->universe_domain);
    must_have(gcp_credential_type_name(f->type));
    must(f->lifetime_s >= 600 && f->lifetime_s <= 43200);
    switch (f->type) {
    case GCP_SERVICE_ACCOUNT:
        must_have(f->client_email);
        must_have(f->private_key);
        must_have(f->token_uri);
        break;
    case GCP_AUTHORIZED_USER:
        must_have(f->client_id);
        must_have(f->client_secret);
        must_have(f->refresh_token);
        must_have(f->token_uri);
        break;
    case GCP_EXTERNAL_ACCOUNT:
        must_have(f->audience);
        must_have(f->subject_token_type);
        must_have(f->token_url);
        must(f->subject.file || f->subject.url || f->subject.command ||
             f->subject.verification_url);
        must(f->subject.kind != GCP_SUBJECT_EXECUTABLE || f->subject.timeout_ms >= 5000);
        break;
    case GCP_EXTERNAL_ACCOUNT_AUTHORIZED_USER:
        must_have(f->token_url);
        must_have(f->refresh_token);
        break;
    case GCP_IMPERSONATED_SERVICE_ACCOUNT:
        must_have(f->impersonation_url);
        must(f->source && !f->source->source);
        check(f->source);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct gcp_credential_file f;
    const char *why = NULL;
    const char *text = arena_strndup(a, (const char *)data, size);
    int rc = gcp_credential_file_read(a, slice_from(text, size), &f, &why);
    must((rc < 0) == (why != NULL));
    if (rc == 0)
        check(&f);
    else
        must(*why && utf8_is_valid(slice_str(why)) && !strstr(why, "SECRET"));
    return 0;
}
