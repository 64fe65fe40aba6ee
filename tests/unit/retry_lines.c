/* Runs the adaptive mode's rate limiter over the events on standard input ("MILLISECONDS ok" or
 * "MILLISECONDS throttled", one a line) and writes the rate, the capacity, the level and the
 * measured rate after each: the counterpart of retry_compare.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/retry.h"
#include "fake_clock.h"

int main(void)
{
    const struct retry_policy policy = {.mode = RETRY_ADAPTIVE, .max_attempts = 1};
    const struct cloud_error throttled = {
        .class_ = CLOUD_ERROR_THROTTLED, .http_status = 400, .retry_after_ms = -1};
    struct fake_clock fake;
    struct retry_state state;
    char line[128];
    fake_clock_init(&fake, 0);
    const struct work work = {&fake.clock, NULL, INT64_MAX};
    retry_init(&state, &policy);
    while (fgets(line, sizeof(line), stdin)) {
        struct retry_call call = {0, 0};
        char *what = NULL;
        fake.now_ms = strtoll(line, &what, 10);
        if (strcmp(what, " start\n") == 0)
            retry_before(&state, &work);
        else if (strcmp(what, " ok\n") == 0)
            retry_succeeded(&state, &call, &work);
        else
            retry_again(&state, &call, &work, &throttled, true);
        printf("%.12g %.12g %.12g %.12g\n", state.fill_rate, state.capacity, state.level,
               state.measured_rate);
    }
    retry_clean_up(&state);
    return EXIT_SUCCESS;
}
