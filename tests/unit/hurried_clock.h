/* The machine's clock, but each wait takes a tenth of its time: for tests against a simulator,
 * which is ready sooner than a cloud. */
#ifndef LLM_TEST_HURRIED_CLOCK_H
#define LLM_TEST_HURRIED_CLOCK_H

#include "base/clock.h"

static int hurried_sleep_ms(void *self, int64_t ms, const struct cancel *c)
{
    (void)self;
    const struct clock *system = clock_system();
    return system->sleep_ms(system->self, (ms + 9) / 10, c);
}

static inline struct clock hurried_clock(void)
{
    struct clock c = *clock_system();
    c.sleep_ms = hurried_sleep_ms;
    return c;
}

#endif
