/* Programs that are run for what they write: helpers that users configure to give credentials. */
#ifndef LLM_BASE_PROCESS_H
#define LLM_BASE_PROCESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

/* Runs argv[0] (looked for in PATH) and appends its standard output to `out`, whose maximum bounds
 * it. Standard input is empty, standard error is ours, no other descriptor is; `envp` NULL: our
 * environment. The program has a process group of its own, which is killed after `timeout_ms`, at
 * the work's deadline, and after a hard cancel. NULL when it ended with status 0; else why not, a
 * phrase ("it ended with status 3") that never quotes what it wrote; owned by `a` or constant. */
const char *process_output(struct arena *a, const struct work *w, char *const argv[],
                           char *const envp[], int64_t timeout_ms, struct buf *out);

#endif
