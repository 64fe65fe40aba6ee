/* Text that other programs write: small files (credentials, tokens, gcloud's settings), and words
 * that go into messages. */
#ifndef LLM_GCP_TEXT_FILE_H
#define LLM_GCP_TEXT_FILE_H

#include "base/arena.h"
#include "base/slice.h"

/* Reads a regular file or pipe of at most 1 MiB. *ret is owned by `a` and NUL-terminated behind its
 * length. 0; 1 when there is no such file; -1 when it cannot be used, *why then says why
 * ("Permission denied"), owned by `a` or constant. */
int gcp_read_text_file(struct arena *a, const char *path, struct slice *ret, const char **why);

/* The text as a message may show it, in one line of at most `most` bytes that ends with a whole
 * character; "" for NULL or when memory is out. Owned by `a`. */
const char *gcp_shown(struct arena *a, const char *text, size_t most);

#endif
