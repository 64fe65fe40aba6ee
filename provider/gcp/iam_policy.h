/* Members of IAM policies. Google's APIs read and write a policy whole; these operations change one
 * member of one role by reading, changing and writing it under its etag, and leave all that others
 * have put there ("Manage access: read-modify-write").
 *
 * In component files they look like calls: the operation's name ends in ".addIamMember",
 * ".removeIamMember" or ".getIamMember", the URI is that of the resource
 * ("/v1/projects/{project}"), and the request has, besides what the URI names, `role`, `member` and
 * perhaps `condition`
 * ({title, expression, description}). The answer is {role, member}; a member that is not there is
 * an error of the class CLOUD_ERROR_NOT_FOUND with the code "notFound" (removing it is none). */
#ifndef LLM_GCP_IAM_POLICY_H
#define LLM_GCP_IAM_POLICY_H

#include "gcp/call.h"

bool gcp_is_iam_member(const struct cloud_operation *op);

/* As gcp_call(). A policy that somebody else changes at the same time is read anew, until the
 * work's deadline. */
int gcp_iam_member(struct cloud_client *client, const struct work *w, struct arena *a,
                   const struct cloud_operation *op, const struct value *request,
                   const struct value **ret, struct cloud_error *err);

#endif
