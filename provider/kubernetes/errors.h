/* Kubernetes' errors: reasons and what they mean for us, and the Status that carries them. Private
 * to the room. */
#ifndef LLM_KUBERNETES_ERRORS_H
#define LLM_KUBERNETES_ERRORS_H

#include "cloud/error.h"
#include "http/http.h"

/* The class of a Status' reason, or of a cause's ("AlreadyExists", "NamespaceTerminating"); NULL or
 * unknown ones are classed by the HTTP status. */
enum cloud_error_class kubernetes_classify(const char *service, const char *code, int http_status);

/* Decodes an answer with a status of failure (Status of meta/v1) into code, message and class. The
 * code is the Status' reason, or "FieldManagerConflict" or "NamespaceTerminating", which are
 * reasons of its causes. The message names the other field managers and the fields of a conflict,
 * and the fields of an object that is not valid. An answer that is no Status is never
 * CLOUD_ERROR_NOT_FOUND: something else than the object may be missing.
 *
 * `object` (may be NULL) says what was asked about: "ResourceQuota \"q\" in \"ns\"".
 *
 * `conditional`: the request named a version or a uid of the object. When it did not, a change of
 * somebody else's that came in between is CLOUD_ERROR_TRANSIENT. Texts are owned by `a`. */
void kubernetes_error_decode(struct arena *a, const struct http_response *response,
                             const char *object, bool conditional, struct cloud_error *err);

#endif
