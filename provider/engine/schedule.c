/* Runs jobs in the order of their dependencies, each in a thread of its own, bounded for the
 * process. */
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/internal.h"

enum { THREADS_MOST = 96, STACK_BYTES = 512 * 1024, CANCEL_CHECK_MS = 100 };

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_free = PTHREAD_COND_INITIALIZER;
static int pool_used;

static void pool_enter(void)
{
    pthread_mutex_lock(&pool_lock);
    while (pool_used >= THREADS_MOST)
        pthread_cond_wait(&pool_free, &pool_lock);
    pool_used++;
    pthread_mutex_unlock(&pool_lock);
}

static void pool_leave(void)
{
    pthread_mutex_lock(&pool_lock);
    pool_used--;
    pthread_cond_signal(&pool_free);
    pthread_mutex_unlock(&pool_lock);
}

struct runner {
    struct schedule *s;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t running;
    bool failed;
};

struct job {
    struct runner *runner;
    size_t index;
};

static void finish(struct runner *r, size_t index, int rc)
{
    pthread_mutex_lock(&r->lock);
    r->s->status[index] = rc == 0 ? SCHEDULE_DONE : SCHEDULE_FAILED;
    r->failed |= rc != 0;
    r->running--;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void *thread_main(void *arg)
{
    struct job job = *(struct job *)arg;
    alloc_table.free(arg);
    int rc = job.runner->s->run(job.runner->s->self, job.index);
    pool_leave();
    finish(job.runner, job.index, rc);
    return NULL;
}

/* Starts a job; in this thread when no other can be had. Called without the lock. */
static void start(struct runner *r, size_t index)
{
    pthread_t thread;
    pthread_attr_t attr;
    struct job *job = alloc_table.malloc(sizeof(*job));
    pool_enter();
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (job)
        *job = (struct job){r, index};
    bool started = job && pthread_create(&thread, &attr, thread_main, job) == 0;
    pthread_attr_destroy(&attr);
    if (started)
        return;
    alloc_table.free(job);
    int rc = r->s->run(r->s->self, index);
    pool_leave();
    finish(r, index, rc);
}

static bool is_ready(const struct schedule *s, size_t index)
{
    if (s->status[index] != SCHEDULE_WAITING)
        return false;
    for (size_t i = 0; i < s->dep_counts[index]; i++)
        if (s->status[s->deps[index][i]] != SCHEDULE_DONE)
            return false;
    return true;
}

/* The next job to start, or s->count. Called with the lock. */
static size_t next_ready(const struct runner *r)
{
    const struct schedule *s = r->s;
    if (cancel_is_set(s->cancel) || (r->failed && !s->keep_going))
        return s->count;
    for (size_t i = 0; i < s->count; i++)
        if (is_ready(s, i))
            return i;
    return s->count;
}

int schedule_run(struct schedule *s)
{
    struct runner r = {.s = s};
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.changed, NULL);
    for (size_t i = 0; i < s->count; i++)
        s->status[i] = SCHEDULE_WAITING;
    pthread_mutex_lock(&r.lock);
    for (;;) {
        size_t next = next_ready(&r);
        if (next < s->count) {
            s->status[next] = SCHEDULE_RUNNING;
            r.running++;
            pthread_mutex_unlock(&r.lock);
            start(&r, next);
            pthread_mutex_lock(&r.lock);
        } else if (r.running) {
            pthread_cond_wait(&r.changed, &r.lock);
        } else {
            break;
        }
    }
    pthread_mutex_unlock(&r.lock);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    for (size_t i = 0; i < s->count; i++)
        if (s->status[i] != SCHEDULE_DONE)
            return -1;
    return 0;
}

int engine_parallel(size_t count, int (*job)(void *self, size_t index), void *self,
                    const struct cancel *cancel)
{
    size_t none = 0;
    enum schedule_status *status = alloc_table.malloc((count + 1) * sizeof(*status));
    size_t *dep_counts = alloc_table.malloc((count + 1) * sizeof(*dep_counts));
    const size_t **deps = alloc_table.malloc((count + 1) * sizeof(*deps));
    int rc = -1;
    for (size_t i = 0; status && dep_counts && deps && i < count; i++) {
        dep_counts[i] = 0;
        deps[i] = &none;
    }
    if (status && dep_counts && deps) {
        struct schedule s = {.count = count,
                             .deps = deps,
                             .dep_counts = dep_counts,
                             .run = job,
                             .self = self,
                             .cancel = cancel,
                             .keep_going = true,
                             .status = status};
        rc = schedule_run(&s);
    }
    alloc_table.free(status);
    alloc_table.free(dep_counts);
    alloc_table.free(deps);
    return rc;
}
