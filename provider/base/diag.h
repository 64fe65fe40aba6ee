/* Diagnostics: the only way in which a room tells its caller about an error.
 *
 * A function that can fail takes a `struct diags *`, appends what happened and returns -1. An error
 * already in the list is never replaced; a caller that knows more adds to it (diags_add_context()).
 * A list belongs to one thread; lists of several threads are joined with diags_merge().
 *
 * Texts: `summary` is one line without a full stop ("Error" is printed before it by the core).
 * `detail` says what happened, what exists now, and what to do. */
#ifndef LLM_BASE_DIAG_H
#define LLM_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/path.h"

enum diag_severity { DIAG_ERROR = 1, DIAG_WARNING = 2 };

struct diag {
    struct diag *next;
    enum diag_severity severity;
    const char *summary;
    const char *detail;      /* never NULL, may be "" */
    const struct path *path; /* NULL: the whole resource */
};

struct diags {
    struct arena *arena; /* owns every diag and its texts */
    struct diag *first;
    struct diag **tail;
    size_t errors;
    size_t warnings;
};

void diags_init(struct diags *d, struct arena *arena);

/* Append a copy of the texts. Both return -1, so that `return diags_error(…)` reads well. When
 * memory is out the count still rises, so that an error is never lost. */
int diags_error(struct diags *d, const struct path *path, const char *summary, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int diags_warning(struct diags *d, const struct path *path, const char *summary, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

/* Prefixes the detail of every error from the `from`-th diagnostic (counted from 0) on. */
void diags_add_context(struct diags *d, size_t from, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Gives the diagnostics that have no path this one, which must live as long as the list. */
void diags_set_path(struct diags *d, const struct path *path);

/* Copies all of `src` (any arena) to the end of `dst`. */
void diags_merge(struct diags *dst, const struct diags *src);

bool diags_has_error(const struct diags *d);
size_t diags_count(const struct diags *d);

#endif
