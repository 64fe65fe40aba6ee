/* Time, deadlines and cancellation, behind a table so that tests can move the clock. */
#ifndef LLM_BASE_CLOCK_H
#define LLM_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A flag that many threads wait on; once set it stays set. `hard` says that also running calls are
 * to end (the core's second interrupt, or the process shutting down); without it, only new work
 * stops. */
struct cancel;

struct cancel *cancel_new(void);
/* A flag for a part of the work of `whole`: set when that is, now or later, and may be set alone.
 * It is freed before `whole`. NULL when memory is out. */
struct cancel *cancel_new_part(struct cancel *whole);
void cancel_free(struct cancel *c);
void cancel_set(struct cancel *c, bool hard);
bool cancel_is_set(const struct cancel *c);
bool cancel_is_hard(const struct cancel *c);

/* Functions to call when the flag is set hard (to wake a poll loop). At most 8; 0 or -1. `fn` must
 * not block and must not call back into cancel. When the flag is set hard already, it is called at
 * once. There is no way to take it back: `arg` outlives the flag. */
int cancel_on_hard(struct cancel *c, void (*fn)(void *), void *arg);

/* The same for one piece of work: the caller owns the hook, and takes it back before it goes. The
 * function runs at most once, and not after cancel_hook_remove() has returned. Both accept a NULL
 * `c`; removing a hook that is not in the list does nothing. Any number of hooks; any thread. */
struct cancel_hook {
    void (*fn)(void *arg); /* as for cancel_on_hard() */
    void *arg;
    struct cancel_hook *prev, *next; /* private */
    bool listed;                     /* private */
};
void cancel_hook_add(const struct cancel *c, struct cancel_hook *hook);
void cancel_hook_remove(const struct cancel *c, struct cancel_hook *hook);

struct clock {
    /* Milliseconds of a clock that never jumps. */
    int64_t (*monotonic_ms)(void *self);
    /* Seconds since 1970-01-01 UTC, for signatures and expiry. */
    int64_t (*unix_s)(void *self);
    /* Waits `ms` or until `c` (may be NULL) is set; returns 0, or -1 when it was cancelled. */
    int (*sleep_ms)(void *self, int64_t ms, const struct cancel *c);
    /* A number in [0, 1), for jitter. */
    double (*random)(void *self);
    void *self;
};

/* The machine's clock. */
const struct clock *clock_system(void);

/* What bounds a piece of work: passed down from the RPC to every call and wait. */
struct work {
    const struct clock *clock;
    const struct cancel *cancel; /* may be NULL */
    int64_t deadline_ms;         /* of clock->monotonic_ms; INT64_MAX for none */
};

static inline int64_t work_left_ms(const struct work *w)
{
    if (w->deadline_ms == INT64_MAX)
        return INT64_MAX;
    int64_t left = w->deadline_ms - w->clock->monotonic_ms(w->clock->self);
    return left > 0 ? left : 0;
}

/* The same work with `ms` left at least: for the little that is still done when its time is up. */
static inline struct work work_with_least(const struct work *w, int64_t ms)
{
    struct work more = *w;
    int64_t least = w->clock->monotonic_ms(w->clock->self) + ms;
    more.deadline_ms = w->deadline_ms > least ? w->deadline_ms : least;
    return more;
}

#endif
