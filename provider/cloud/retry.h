/* When a failed call is made again: the AWS SDKs' standard and adaptive retry modes (SDKs and Tools
 * Reference Guide, "Retry behavior"), for any cloud.
 *
 * A retry state belongs to one client and is shared by its threads; it locks itself. */
#ifndef LLM_CLOUD_RETRY_H
#define LLM_CLOUD_RETRY_H

#include <pthread.h>

#include "base/clock.h"
#include "cloud/error.h"

enum retry_mode { RETRY_STANDARD, RETRY_ADAPTIVE };

struct retry_policy {
    enum retry_mode mode;
    int max_attempts; /* the first try included; at least 1 */
    int64_t base_ms;  /* longest first pause; doubles with each try; 0: 1,000 */
    int64_t cap_ms;   /* longest pause; 0: 20,000 */
};

struct retry_state {
    struct retry_policy policy;
    pthread_mutex_t lock;
    int tokens; /* the retry quota: 500; 5 for a retry, 10 after a time-out, none when throttled */
    /* Adaptive mode: a token bucket whose rate follows throttling (cubic). Times in seconds. */
    bool started, limiting;
    double fill_rate, capacity, level, last_refill;
    double last_max_rate, last_throttle, window;
    double measured_rate, last_bucket;
    int bucket_count;
};

/* One call's own part. */
struct retry_call {
    int attempts;
    int taken; /* tokens taken for the last retry: given back when it succeeds */
};

void retry_init(struct retry_state *s, const struct retry_policy *policy);
void retry_clean_up(struct retry_state *s);

/* Before each try: in adaptive mode waits for its turn. 0, or -1 when cancelled or out of time. */
int retry_before(struct retry_state *s, const struct work *w);

/* After a failed try: true when it is to be made again, after waiting as long as is due. `safe`
 * says that making the call twice does no harm; without it, an error that may have been processed
 * is not repeated. False also when the wait would pass the deadline, and after a cancel: at once
 * after a hard one, and after a soft one when three tries have been made, so that what was begun
 * may still end well. */
bool retry_again(struct retry_state *s, struct retry_call *call, const struct work *w,
                 const struct cloud_error *err, bool safe);

/* After a success. */
void retry_succeeded(struct retry_state *s, struct retry_call *call, const struct work *w);

#endif
