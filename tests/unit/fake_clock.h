/* A clock that moves only when somebody sleeps, and remembers the sleeps. */
#ifndef LLM_TESTS_FAKE_CLOCK_H
#define LLM_TESTS_FAKE_CLOCK_H

#include <stddef.h>

#include "base/clock.h"

enum { FAKE_SLEEPS_MOST = 512 };

struct fake_clock {
    struct clock clock; /* its self is the struct */
    int64_t now_ms, unix_s;
    double random;                    /* what random() answers */
    int64_t sleeps[FAKE_SLEEPS_MOST]; /* the first of them */
    size_t sleep_count;
    struct cancel *cancel; /* set once the time is cancel_at_ms; may be NULL */
    int64_t cancel_at_ms;
    bool cancel_hard;
};

/* At 100 s after its start and at `unix_s`, random() answering 0.5. */
void fake_clock_init(struct fake_clock *f, int64_t unix_s);

/* The sum of all sleeps. */
int64_t fake_clock_slept(const struct fake_clock *f);

#endif
