/* See fake_clock.h. */
#include "fake_clock.h"

#include <string.h>

enum { START_MS = 100000 };

static int64_t monotonic_ms(void *self)
{
    return ((struct fake_clock *)self)->now_ms;
}

static int64_t unix_s(void *self)
{
    const struct fake_clock *f = self;
    return f->unix_s + (f->now_ms - START_MS) / 1000;
}

static int sleep_ms(void *self, int64_t ms, const struct cancel *c)
{
    struct fake_clock *f = self;
    if (cancel_is_set(c))
        return -1;
    f->now_ms += ms;
    if (f->sleep_count < FAKE_SLEEPS_MOST)
        f->sleeps[f->sleep_count] = ms;
    f->sleep_count++;
    if (f->cancel && f->now_ms >= f->cancel_at_ms)
        cancel_set(f->cancel, f->cancel_hard);
    return cancel_is_set(c) ? -1 : 0;
}

static double fixed_random(void *self)
{
    return ((struct fake_clock *)self)->random;
}

void fake_clock_init(struct fake_clock *f, int64_t unix_seconds)
{
    memset(f, 0, sizeof(*f));
    f->clock = (struct clock){monotonic_ms, unix_s, sleep_ms, fixed_random, f};
    f->now_ms = START_MS;
    f->unix_s = unix_seconds;
    f->random = 0.5;
}

int64_t fake_clock_slept(const struct fake_clock *f)
{
    return f->now_ms - START_MS;
}
