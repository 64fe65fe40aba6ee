/* The machine's clock, and cancellation. */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"

enum { MOST_HOOKS = 8 };

struct cancel {
    atomic_int level; /* 0, 1 soft, 2 hard */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        void (*fn)(void *);
        void *arg;
    } hooks[MOST_HOOKS];
    size_t hook_count;
    struct cancel_hook *first; /* of the callers' own hooks */
    /* A whole's lock is taken before its parts' locks; it guards its list. */
    struct cancel *whole, *first_part, *prev_part, *next_part;
};

/* Waiting and hooking change nothing that a reader of the flag sees: the lock and the list are not
 * part of what `const` promises. */
static struct cancel *unlocked(const struct cancel *c)
{
    return (struct cancel *)(uintptr_t)c;
}

struct cancel *cancel_new(void)
{
    struct cancel *c = alloc_table.malloc(sizeof(*c));
    if (!c)
        return NULL;
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    return c;
}

struct cancel *cancel_new_part(struct cancel *whole)
{
    struct cancel *c = cancel_new();
    if (!c)
        return NULL;
    pthread_mutex_lock(&whole->lock);
    c->whole = whole;
    c->next_part = whole->first_part;
    if (whole->first_part)
        whole->first_part->prev_part = c;
    whole->first_part = c;
    atomic_store(&c->level, atomic_load(&whole->level));
    pthread_mutex_unlock(&whole->lock);
    return c;
}

static void leave_whole(struct cancel *c)
{
    pthread_mutex_lock(&c->whole->lock);
    if (c->prev_part)
        c->prev_part->next_part = c->next_part;
    else
        c->whole->first_part = c->next_part;
    if (c->next_part)
        c->next_part->prev_part = c->prev_part;
    pthread_mutex_unlock(&c->whole->lock);
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
    if (c->whole)
        leave_whole(c);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    alloc_table.free(c);
}

void cancel_set(struct cancel *c, bool hard)
{
    pthread_mutex_lock(&c->lock);
    int old = atomic_load(&c->level), level = hard ? 2 : 1;
    if (level > old)
        atomic_store(&c->level, level);
    pthread_cond_broadcast(&c->changed);
    if (level == 2 && old < 2) {
        for (size_t i = 0; i < c->hook_count; i++)
            c->hooks[i].fn(c->hooks[i].arg);
        for (struct cancel_hook *h = c->first; h; h = h->next)
            h->fn(h->arg);
    }
    for (struct cancel *part = c->first_part; part; part = part->next_part)
        cancel_set(part, hard);
    pthread_mutex_unlock(&c->lock);
}

bool cancel_is_set(const struct cancel *c)
{
    return c && atomic_load(&c->level) > 0;
}

bool cancel_is_hard(const struct cancel *c)
{
    return c && atomic_load(&c->level) == 2;
}

int cancel_on_hard(struct cancel *c, void (*fn)(void *), void *arg)
{
    int rc = -1;
    pthread_mutex_lock(&c->lock);
    if (c->hook_count < MOST_HOOKS) {
        c->hooks[c->hook_count].fn = fn;
        c->hooks[c->hook_count].arg = arg;
        c->hook_count++;
        rc = 0;
    }
    if (rc == 0 && atomic_load(&c->level) == 2)
        fn(arg);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void cancel_hook_add(const struct cancel *c, struct cancel_hook *hook)
{
    struct cancel *w = unlocked(c);
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    hook->prev = NULL;
    hook->next = w->first;
    if (w->first)
        w->first->prev = hook;
    w->first = hook;
    hook->listed = true;
    if (atomic_load(&w->level) == 2)
        hook->fn(hook->arg);
    pthread_mutex_unlock(&w->lock);
}

void cancel_hook_remove(const struct cancel *c, struct cancel_hook *hook)
{
    struct cancel *w = unlocked(c);
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    if (hook->listed) {
        if (hook->prev)
            hook->prev->next = hook->next;
        else
            w->first = hook->next;
        if (hook->next)
            hook->next->prev = hook->prev;
        hook->listed = false;
    }
    pthread_mutex_unlock(&w->lock);
}

static int64_t system_monotonic_ms(void *self)
{
    (void)self;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_unix_s(void *self)
{
    (void)self;
    return (int64_t)time(NULL);
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static int system_sleep_ms(void *self, int64_t ms, const struct cancel *c)
{
    (void)self;
    struct timespec until = after_ms(ms > 0 ? ms : 0);
    if (!c) {
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
            ;
        return 0;
    }
    struct cancel *w = unlocked(c);
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    while (rc == 0 && atomic_load(&w->level) == 0)
        rc = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
    return cancel_is_set(c) ? -1 : 0;
}

static double system_random(void *self)
{
    (void)self;
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        bits = (uint64_t)system_monotonic_ms(NULL) * 6364136223846793005u;
    return (double)(bits >> 11) / 9007199254740992.0;
}

const struct clock *clock_system(void)
{
    static const struct clock clock = {system_monotonic_ms, system_unix_s, system_sleep_ms,
                                       system_random, NULL};
    return &clock;
}
