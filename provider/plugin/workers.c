/* The pool of threads that handle calls. */
#include "plugin/workers.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

enum { THREADS_MOST = 128, STACK_BYTES = 1 << 20 };

struct work_item {
    struct work_item *next;
    void (*fn)(void *arg);
    void *arg;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake, idle_changed;
    struct work_item *first, **last;
    int threads, idle;
    bool ending;
};

struct workers *workers_new(void)
{
    struct workers *w = alloc_table.malloc(sizeof(*w));
    if (!w)
        return NULL;
    memset(w, 0, sizeof(*w));
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->idle_changed, &attr);
    pthread_condattr_destroy(&attr);
    return w;
}

/* Called with the lock; NULL when the pool ends. */
static struct work_item *next_item(struct workers *w)
{
    while (!w->first && !w->ending) {
        w->idle++;
        pthread_cond_wait(&w->wake, &w->lock);
        w->idle--;
    }
    struct work_item *item = w->first;
    if (item) {
        w->first = item->next;
        if (!w->first)
            w->last = &w->first;
    }
    return item;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;
    pthread_mutex_lock(&w->lock);
    for (struct work_item *item = next_item(w); item; item = next_item(w)) {
        pthread_mutex_unlock(&w->lock);
        item->fn(item->arg);
        alloc_table.free(item);
        pthread_mutex_lock(&w->lock);
    }
    w->threads--;
    pthread_cond_broadcast(&w->idle_changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool start_thread(struct workers *w)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool started = pthread_create(&thread, &attr, worker_main, w) == 0;
    pthread_attr_destroy(&attr);
    w->threads += started;
    return started;
}

int workers_run(struct workers *w, void (*fn)(void *arg), void *arg)
{
    struct work_item *item = alloc_table.malloc(sizeof(*item));
    if (!item)
        return -1;
    *item = (struct work_item){NULL, fn, arg};
    pthread_mutex_lock(&w->lock);
    size_t waiting = 1;
    for (const struct work_item *i = w->first; i; i = i->next)
        waiting++;
    bool served = (size_t)w->idle >= waiting;
    if (!served && w->threads < THREADS_MOST)
        served = start_thread(w);
    if (!served && w->threads == 0) {
        pthread_mutex_unlock(&w->lock);
        alloc_table.free(item);
        return -1;
    }
    *w->last = item;
    w->last = &item->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    return 0;
}

bool workers_end(struct workers *w, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->wake);
    int rc = 0;
    while (w->threads && rc == 0)
        rc = pthread_cond_timedwait(&w->idle_changed, &w->lock, &until);
    bool ended = w->threads == 0;
    pthread_mutex_unlock(&w->lock);
    if (!ended)
        return false;
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->idle_changed);
    pthread_mutex_destroy(&w->lock);
    alloc_table.free(w);
    return true;
}
