/* Threads that handle calls: kept for the next call, started when none is free, up to a bound. */
#ifndef LLM_PLUGIN_WORKERS_H
#define LLM_PLUGIN_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

struct workers;

struct workers *workers_new(void);
/* Runs fn(arg) in a thread soon; waits in line while all are busy. 0, or -1 when memory is out or
 * no thread can be had at all. */
int workers_run(struct workers *w, void (*fn)(void *arg), void *arg);
/* Waits until nothing runs, for `ms` at most, and ends the threads. True when all ended: only then
 * is the memory freed. */
bool workers_end(struct workers *w, int64_t ms);

#endif
