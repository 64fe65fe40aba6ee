/* Small text files that other programs write: credentials, tokens, gcloud's settings. */
#ifndef LLM_GCP_TEXT_FILE_H
#define LLM_GCP_TEXT_FILE_H

#include "base/arena.h"
#include "base/slice.h"

/* Reads a regular file or pipe of at most 1 MiB. *ret is owned by `a` and NUL-terminated behind its
 * length. 0; 1 when there is no such file; -1 when it cannot be used, *why then says why
 * ("Permission denied"), owned by `a` or constant. */
int gcp_read_text_file(struct arena *a, const char *path, struct slice *ret, const char **why);

#endif
