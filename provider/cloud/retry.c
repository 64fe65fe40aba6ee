/* Retry: quota, pauses, and the adaptive mode's rate limiter. */
#include "cloud/retry.h"

#include <math.h>
#include <string.h>

/* Without any answer the cause is most often a setting, not the moment. Who has cancelled waits no
 * longer than the standard mode does by itself. */
enum { ATTEMPTS_WITHOUT_ANSWER = 5, ATTEMPTS_AFTER_CANCEL = 3, LOOK_EACH_MS = 200 };

/* Constants of the standard mode. */
enum {
    QUOTA = 500,
    COST_RETRY = 5,
    COST_TIMEOUT = 10,
    GAIN_SUCCESS = 1,
    BASE_MS = 1000,
    CAP_MS = 20000
};

/* Constants of the adaptive mode (the SDKs' cubic client rate limiter). */
static const double MIN_FILL = 0.5, SMOOTH = 0.8, BETA = 0.7, SCALE = 0.4, MIN_CAPACITY = 1;

void retry_init(struct retry_state *s, const struct retry_policy *policy)
{
    memset(s, 0, sizeof(*s));
    s->policy = *policy;
    if (s->policy.max_attempts < 1)
        s->policy.max_attempts = 1;
    if (!s->policy.base_ms)
        s->policy.base_ms = BASE_MS;
    if (!s->policy.cap_ms)
        s->policy.cap_ms = CAP_MS;
    s->tokens = QUOTA;
    pthread_mutex_init(&s->lock, NULL);
}

void retry_clean_up(struct retry_state *s)
{
    pthread_mutex_destroy(&s->lock);
}

static double now_s(const struct work *w)
{
    return (double)w->clock->monotonic_ms(w->clock->self) / 1000.0;
}

/* The limiter's first moment: a bucket that fills by one a second, and nothing measured yet. */
static void start(struct retry_state *s, double now)
{
    if (s->started)
        return;
    s->started = true;
    s->fill_rate = s->capacity = 1;
    s->last_refill = s->last_throttle = now;
    s->last_bucket = floor(now);
}

static void refill(struct retry_state *s, double now)
{
    s->level += (now - s->last_refill) * s->fill_rate;
    if (s->level > s->capacity)
        s->level = s->capacity;
    s->last_refill = now;
}

static void set_rate(struct retry_state *s, double rate, double now)
{
    refill(s, now);
    s->fill_rate = rate > MIN_FILL ? rate : MIN_FILL;
    s->capacity = rate > MIN_CAPACITY ? rate : MIN_CAPACITY;
    if (s->level > s->capacity)
        s->level = s->capacity;
}

/* Requests per second, smoothed over half-second buckets. */
static void measure(struct retry_state *s, double now)
{
    double bucket = floor(now * 2) / 2;
    s->bucket_count++;
    if (bucket > s->last_bucket) {
        double rate = s->bucket_count / (bucket - s->last_bucket);
        s->measured_rate = rate * SMOOTH + s->measured_rate * (1 - SMOOTH);
        s->bucket_count = 0;
        s->last_bucket = bucket;
    }
}

static void adapt(struct retry_state *s, bool throttled, double now)
{
    double rate = 0;
    start(s, now);
    measure(s, now);
    if (throttled) {
        double seen =
            s->limiting && s->fill_rate < s->measured_rate ? s->fill_rate : s->measured_rate;
        s->last_max_rate = seen;
        s->window = cbrt(s->last_max_rate * (1 - BETA) / SCALE);
        s->last_throttle = now;
        rate = seen * BETA;
        s->limiting = true;
    } else {
        s->window = cbrt(s->last_max_rate * (1 - BETA) / SCALE);
        rate = SCALE * pow(now - s->last_throttle - s->window, 3) + s->last_max_rate;
    }
    double most = 2 * s->measured_rate;
    set_rate(s, rate < most ? rate : most, now);
}

int retry_before(struct retry_state *s, const struct work *w)
{
    if (s->policy.mode != RETRY_ADAPTIVE)
        return 0;
    for (;;) {
        double now = now_s(w), missing = 0;
        pthread_mutex_lock(&s->lock);
        start(s, now);
        if (s->limiting) {
            refill(s, now);
            missing = 1 - s->level;
            if (missing <= 0)
                s->level -= 1;
        }
        double rate = s->fill_rate;
        pthread_mutex_unlock(&s->lock);
        if (missing <= 0)
            return 0;
        int64_t ms = (int64_t)ceil(missing / rate * 1000);
        if (ms >= work_left_ms(w) || w->clock->sleep_ms(w->clock->self, ms, w->cancel) < 0)
            return -1;
    }
}

static bool take_tokens(struct retry_state *s, struct retry_call *call, int cost)
{
    pthread_mutex_lock(&s->lock);
    bool enough = s->tokens >= cost;
    if (enough)
        s->tokens -= cost;
    pthread_mutex_unlock(&s->lock);
    call->taken = enough ? cost : 0;
    return enough;
}

/* min(cap, base × 2^n), times a random number: full jitter. */
static int64_t pause_ms(const struct retry_state *s, const struct retry_call *call,
                        const struct work *w, const struct cloud_error *err)
{
    int64_t most = s->policy.base_ms;
    for (int i = 1; i < call->attempts && most < s->policy.cap_ms; i++)
        most *= 2;
    if (most > s->policy.cap_ms)
        most = s->policy.cap_ms;
    int64_t ms = (int64_t)((double)most * w->clock->random(w->clock->self));
    /* A server's own wish counts, up to the cap. */
    if (err->retry_after_ms > ms)
        ms = err->retry_after_ms < s->policy.cap_ms ? err->retry_after_ms : s->policy.cap_ms;
    return ms;
}

/* Waits, also after a soft cancel: it ends new work, not the pause of what was begun. False when a
 * hard one came. */
static bool wait_out(const struct work *w, int64_t ms)
{
    while (ms > 0 && !cancel_is_hard(w->cancel)) {
        int64_t step = w->cancel && ms > LOOK_EACH_MS ? LOOK_EACH_MS : ms;
        w->clock->sleep_ms(w->clock->self, step, NULL);
        ms -= step;
    }
    return !cancel_is_hard(w->cancel);
}

bool retry_again(struct retry_state *s, struct retry_call *call, const struct work *w,
                 const struct cloud_error *err, bool safe)
{
    bool throttled = err->class_ == CLOUD_ERROR_THROTTLED;
    call->attempts++;
    if (s->policy.mode == RETRY_ADAPTIVE) {
        pthread_mutex_lock(&s->lock);
        adapt(s, throttled, now_s(w));
        pthread_mutex_unlock(&s->lock);
    }
    if (!throttled && err->class_ != CLOUD_ERROR_TRANSIENT)
        return false;
    if (!throttled && err->maybe_processed && !safe)
        return false;
    int most = s->policy.max_attempts;
    if (cancel_is_set(w->cancel) && most > ATTEMPTS_AFTER_CANCEL)
        most = ATTEMPTS_AFTER_CANCEL;
    if (call->attempts >= most || cancel_is_hard(w->cancel))
        return false;
    if (!err->http_status && call->attempts >= ATTEMPTS_WITHOUT_ANSWER)
        return false;
    /* The quota keeps an ailing service from being overrun. One that throttles is well, and says
     * how fast it wants to be asked: its tries are bounded by their number and the deadline alone,
     * so that many objects at once make steady progress. */
    if (!throttled && !take_tokens(s, call, err->http_status ? COST_RETRY : COST_TIMEOUT))
        return false;
    int64_t ms = pause_ms(s, call, w, err);
    if (ms >= work_left_ms(w))
        return false;
    return wait_out(w, ms);
}

void retry_succeeded(struct retry_state *s, struct retry_call *call, const struct work *w)
{
    pthread_mutex_lock(&s->lock);
    s->tokens += call->taken ? call->taken : GAIN_SUCCESS;
    if (s->tokens > QUOTA)
        s->tokens = QUOTA;
    if (s->policy.mode == RETRY_ADAPTIVE)
        adapt(s, false, now_s(w));
    pthread_mutex_unlock(&s->lock);
    call->taken = 0;
}
