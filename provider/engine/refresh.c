/* Reading what exists: refresh of records, many at once. */
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

enum { BATCH_MOST = 100 };

/* One read: a batch of records of one kind, those that are on one list, or one record's extra read.
 */
struct read_job {
    const struct component *component;
    size_t *records; /* indexes */
    size_t count;
    const struct value *list;                 /* the request for the list; NULL: it is none */
    const struct component_extra_read *extra; /* NULL: the main read */
    size_t after;                             /* an extra read's main one */
    bool waits;                               /* for that, which gives what it asks with */
};

struct refresh {
    struct arena *a;
    const struct engine *engine;
    const struct work *work;
    const struct records *prior; /* in the order of `records` */
    struct records *records;
    const struct value **seen; /* attributes read so far, by record */
    struct read_job *jobs;
    size_t job_count;
    size_t out_of_reach; /* records that no answer came about */
    const char *why;     /* what the first such error said */
    struct diags *diags;
    pthread_mutex_t lock;
};

/* ---- laying out the jobs ---- */

/* What a record's list is asked for with (the policies of its role), so that those with one list
 * share it; NULL: it has none. */
static const struct value *list_of(struct refresh *r, const struct record *rec)
{
    const struct component_read *read = &rec->component->read;
    const struct value *request = NULL;
    struct object o = {.engine = r->engine,
                       .work = r->work,
                       .a = r->a,
                       .component = rec->component,
                       .name = rec->name,
                       .attrs = rec->attrs};
    bool lists = !read->batch && read->match && read->items && strchr(read->items, '*');
    return lists && object_eval(&o, read->request, &request) == 0 ? request : NULL;
}

static struct read_job *batch_for(struct refresh *r, const struct record *rec)
{
    const struct component *c = rec->component;
    const struct value *list = list_of(r, rec);
    for (size_t i = 0; i < r->job_count; i++)
        if (r->jobs[i].component == c && !r->jobs[i].extra && r->jobs[i].count < BATCH_MOST &&
            (c->read.batch || (list && value_equal(list, r->jobs[i].list))))
            return &r->jobs[i];
    struct read_job *job = &r->jobs[r->job_count++];
    job->component = c;
    job->list = list;
    job->records = arena_calloc(r->a, BATCH_MOST, sizeof(*job->records));
    return job->records ? job : NULL;
}

/* A record with the outputs that it lacks unknown: those of an object whose create was cut off
 * before it was read. */
static const struct value *with_lacking(struct arena *a, const struct component *c,
                                        const struct value *attrs)
{
    for (size_t i = 0; attrs && i < c->attr_count; i++)
        if (c->attrs[i].output && value_is_null(value_get(attrs, c->attrs[i].name)))
            attrs = value_with(a, attrs, c->attrs[i].name, value_unknown(a, &type_dynamic));
    return attrs;
}

static bool is_askable(struct object *o, const struct component_read *read)
{
    const struct value *request = NULL;
    return o->attrs && object_eval(o, read->request, &request) == 0 &&
           value_is_wholly_known(request);
}

static bool has_to_wait(struct refresh *r, const struct record *rec,
                        const struct component_extra_read *x)
{
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags ignored;
    if (!a)
        return true;
    diags_init(&ignored, a);
    struct object o = {.engine = r->engine,
                       .work = r->work,
                       .a = a,
                       .component = rec->component,
                       .name = rec->name,
                       .attrs = with_lacking(a, rec->component, rec->attrs),
                       .diags = &ignored};
    return !is_askable(&o, &x->read);
}

static int lay_out(struct refresh *r)
{
    size_t most = 0;
    for (size_t i = 0; i < r->records->count; i++)
        most += 1 + r->records->items[i].component->extra_read_count;
    r->jobs = arena_new_array(r->a, most, struct read_job);
    r->seen = arena_calloc(r->a, r->records->count, sizeof(struct value *));
    if (!r->jobs || !r->seen)
        return -1;
    for (size_t i = 0; i < r->records->count; i++) {
        const struct component *c = r->records->items[i].component;
        struct read_job *job =
            c->read.op && !c->adopt_only ? batch_for(r, &r->records->items[i]) : NULL;
        if (c->read.op && !c->adopt_only && !job)
            return -1;
        if (job)
            job->records[job->count++] = i;
        for (size_t k = 0; job && k < c->extra_read_count; k++) {
            if (!object_wants(&c->extra_reads[k].read, r->records->items[i].attrs))
                continue;
            struct read_job *extra = &r->jobs[r->job_count++];
            *extra = (struct read_job){
                .component = c,
                .records = arena_calloc(r->a, 1, sizeof(size_t)),
                .count = 1,
                .extra = &c->extra_reads[k],
                .after = (size_t)(job - r->jobs),
                .waits = has_to_wait(r, &r->records->items[i], &c->extra_reads[k])};
            if (!extra->records)
                return -1;
            extra->records[0] = i;
        }
    }
    return 0;
}

/* ---- one job ---- */

struct reading {
    struct refresh *refresh;
    const struct read_job *job;
    struct object object; /* of the first record: scope of the request */
    const struct value *ids;
};

static int batch_lookup_eval(struct reading *rd, const struct component_read *read,
                             const struct value **ret)
{
    return object_eval(&rd->object, read->request, ret);
}

/* "$ids" of a batch: the object's own scope gives one id, so the list is put in afterwards. */
static const struct value *with_ids(struct arena *a, const struct value *v, const struct value *one,
                                    const struct value *all)
{
    if (value_equal(v, one))
        return all;
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value *m = with_ids(a, v->members[i].value, one, all);
        if (m == v->members[i].value || !m)
            continue;
        if (v->type->kind == TYPE_OBJECT)
            return value_with(a, v, v->members[i].key.ptr, m);
        const struct value **elems = arena_calloc(a, v->count, sizeof(struct value *));
        for (size_t k = 0; elems && k < v->count; k++)
            elems[k] = k == i ? m : v->members[k].value;
        return elems ? value_tuple(a, elems, v->count) : NULL;
    }
    return v;
}

static const struct value *batch_ids(struct arena *a, const struct refresh *r,
                                     const struct read_job *job)
{
    const struct value **ids = arena_calloc(a, job->count, sizeof(struct value *));
    for (size_t i = 0; ids && i < job->count; i++)
        ids[i] = value_get(r->records->items[job->records[i]].attrs, job->component->id_attr);
    return ids ? value_tuple(a, ids, job->count) : NULL;
}

static void store(struct refresh *r, size_t index, const struct component *c,
                  const struct value *item, const char *extra)
{
    pthread_mutex_lock(&r->lock);
    const struct value *base = r->seen[index] ? r->seen[index] : value_object(r->a, NULL, 0);
    const struct value *copy = item ? value_copy(r->a, item) : NULL;
    r->seen[index] = object_attrs_from(r->a, c, base, copy, extra);
    pthread_mutex_unlock(&r->lock);
}

static void set_missing(struct refresh *r, size_t index)
{
    pthread_mutex_lock(&r->lock);
    r->records->items[index].missing = true;
    pthread_mutex_unlock(&r->lock);
}

static void take_items(struct reading *rd, const struct value *items)
{
    struct refresh *r = rd->refresh;
    const struct component *c = rd->job->component;
    struct arena *a = rd->object.a;
    for (size_t i = 0; i < rd->job->count; i++) {
        size_t index = rd->job->records[i];
        struct slice id = value_slice(value_get(r->records->items[index].attrs, c->id_attr));
        const struct value *found = NULL;
        for (size_t k = 0; k < value_count(items) && !found; k++)
            if (slice_eq(value_slice(template_select(a, value_at(items, k), c->read.match)), id))
                found = value_at(items, k);
        bool gone = !found || object_state_of(a, &c->states, found) == OBJECT_STATE_GONE;
        if (gone)
            set_missing(r, index);
        else
            store(r, index, c, found, NULL);
    }
}

static int read_batch(struct reading *rd)
{
    const struct component_read *read = &rd->job->component->read;
    const struct engine *e = rd->refresh->engine;
    const struct engine_cloud at = engine_cloud_of(e, rd->job->component);
    struct object *o = &rd->object;
    const struct value *request = NULL, *answer = NULL;
    const struct value *id = value_get(o->attrs, o->component->id_attr);
    const struct value *one = value_tuple(o->a, &id, 1);
    const struct value *all = batch_ids(o->a, rd->refresh, rd->job);
    if (batch_lookup_eval(rd, read, &request) < 0 || !one || !all)
        return -1;
    request = with_ids(o->a, request, one, all);
    if (!request || at.driver->call(at.client, o->work, o->a, e->region, read->op, request, &answer,
                                    &o->error) < 0)
        return -1;
    take_items(rd, template_select(o->a, answer, read->items));
    return 0;
}

static int read_single(struct reading *rd, size_t index)
{
    struct object *o = &rd->object;
    o->name = rd->refresh->records->items[index].name;
    o->attrs = rd->refresh->records->items[index].attrs;
    o->item = NULL;
    /* Extra reads have jobs of their own: here only the main one. */
    enum object_found found = object_read(o, false);
    if (found == OBJECT_FAILED)
        return -1;
    if (found == OBJECT_GONE)
        set_missing(rd->refresh, index);
    else
        store(rd->refresh, index, o->component, o->item, NULL);
    return 0;
}

/* One record, or all that are on one list, whose pages are asked for once. */
static int read_listed(struct reading *rd)
{
    struct object_answer last = {NULL, NULL, NULL};
    int rc = 0;
    rd->object.last = rd->job->count > 1 ? &last : NULL;
    for (size_t i = 0; rc == 0 && i < rd->job->count; i++)
        rc = read_single(rd, rd->job->records[i]);
    return rc;
}

static int read_extra(struct reading *rd)
{
    struct object *o = &rd->object;
    const struct component_extra_read *x = rd->job->extra;
    struct component shadow = *o->component; /* the extra read in the place of the main one */
    const struct component *real = o->component;
    shadow.read = x->read;
    shadow.states = (struct component_states){.path = NULL};
    o->component = &shadow;
    if (rd->job->waits && !is_askable(o, &x->read)) {
        o->component = real;
        return 0;
    }
    enum object_found found = object_read(o, false);
    o->component = real;
    if (found == OBJECT_FAILED)
        return -1;
    store(rd->refresh, rd->job->records[0], real, found == OBJECT_FOUND ? o->item : NULL, x->name);
    return 0;
}

/* The record's attributes with what its main read has shown. */
static const struct value *what_is_known(struct refresh *r, const struct read_job *job,
                                         struct arena *a)
{
    size_t index = job->records[0];
    const struct value *attrs = r->records->items[index].attrs;
    pthread_mutex_lock(&r->lock);
    const struct value *seen = r->seen[index];
    for (size_t i = 0; attrs && i < value_count(seen); i++)
        attrs =
            value_with(a, attrs, seen->members[i].key.ptr, value_copy(a, seen->members[i].value));
    pthread_mutex_unlock(&r->lock);
    return with_lacking(a, job->component, attrs);
}

/* Nothing is known of what could not be asked about: its records stay as they are. */
static void keep_unread(struct refresh *r, const struct read_job *job, const char *why)
{
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; !job->extra && i < job->count; i++)
        r->records->items[job->records[i]].missing = r->prior->items[job->records[i]].missing;
    r->out_of_reach += job->extra ? 0 : job->count;
    r->why = r->why ? r->why : arena_strdup(r->a, why);
    pthread_mutex_unlock(&r->lock);
}

static void warn_of_unread(const struct refresh *r)
{
    diags_warning(r->diags, NULL, "Objects in the cluster could not be looked at",
                  "%zu of them are taken to be as the state has them: %s.", r->out_of_reach,
                  r->why ? r->why : "no answer came");
}

static int refresh_job(void *self, size_t index)
{
    struct refresh *r = self;
    _cleanup_arena_ struct arena *a = arena_new();
    struct reading rd = {.refresh = r, .job = &r->jobs[index]};
    struct diags diags;
    if (!a)
        return -1;
    diags_init(&diags, a);
    const struct record *first = &r->records->items[rd.job->records[0]];
    rd.object = (struct object){.engine = r->engine,
                                .work = r->work,
                                .a = a,
                                .component = first->component,
                                .name = first->name,
                                .attrs = first->attrs,
                                .prior = first->attrs,
                                .diags = &diags};
    if (rd.job->waits)
        rd.object.attrs = what_is_known(r, rd.job, a);
    int rc = rd.job->extra                   ? read_extra(&rd)
             : rd.job->component->read.batch ? read_batch(&rd)
                                             : read_listed(&rd);
    if (rc < 0 && engine_is_out_of_reach(r->engine, first->component, &rd.object.error)) {
        keep_unread(r, rd.job, rd.object.error.message);
        rc = 0;
    } else if (rc < 0) {
        object_report(&rd.object, "reading the");
        pthread_mutex_lock(&r->lock);
        diags_merge(r->diags, &diags);
        pthread_mutex_unlock(&r->lock);
    }
    return rc;
}

/* ---- what was seen becomes what drifted ---- */

static bool is_compared(const struct engine *e, const struct component_attr *attr,
                        const struct value *was, const struct value *is)
{
    (void)e;
    (void)is;
    return attr->read_path && attr->input && !attr->sensitive && attr->change != COMPONENT_KEEP &&
           !value_is_null(was);
}

static int take_seen(struct refresh *r, size_t index)
{
    struct record *rec = &r->records->items[index];
    const struct component *c = rec->component;
    const struct value *seen = r->seen[index];
    struct value_member *m = arena_new_array(r->a, c->attr_count, struct value_member);
    size_t count = 0;
    if (!m)
        return -1;
    for (size_t i = 0; i < c->attr_count; i++) {
        const struct component_attr *attr = &c->attrs[i];
        const struct value *was = value_get(rec->attrs, attr->name);
        const struct value *is = value_get(seen, attr->name);
        if (!attr->read_path || !is)
            continue;
        if (attr->output && !attr->input && !value_is_null(is)) {
            rec->attrs = value_with(r->a, rec->attrs, attr->name, is);
        } else if (is_compared(r->engine, attr, was, is)) {
            const char *const *names = NULL;
            size_t differs = 0;
            const struct value_member one = {slice_str(attr->name), was};
            const struct value_member other = {slice_str(attr->name), is};
            if (compare_attrs(r->a, r->engine, c, value_object(r->a, &one, 1),
                              value_object(r->a, &other, 1), &names, &differs) < 0)
                return -1;
            if (differs && !attr_includes(r->a, attr, is, was))
                m[count++] = other;
        }
    }
    rec->missing = false;
    rec->drifted = count ? value_object(r->a, m, count) : NULL;
    return rec->attrs ? 0 : -1;
}

static int run_jobs(struct refresh *r)
{
    enum schedule_status *status = arena_calloc(r->a, r->job_count, sizeof(*status));
    size_t *dep_counts = arena_calloc(r->a, r->job_count, sizeof(*dep_counts));
    const size_t **deps = arena_calloc(r->a, r->job_count, sizeof(*deps));
    if (!status || !dep_counts || !deps)
        return -1;
    for (size_t i = 0; i < r->records->count; i++)
        r->records->items[i].missing = false;
    for (size_t i = 0; i < r->job_count; i++) {
        deps[i] = &r->jobs[i].after;
        dep_counts[i] = r->jobs[i].waits;
    }
    struct schedule s = {.count = r->job_count,
                         .deps = deps,
                         .dep_counts = dep_counts,
                         .run = refresh_job,
                         .self = r,
                         .cancel = r->work->cancel,
                         .status = status};
    return schedule_run(&s);
}

int engine_refresh(struct arena *a, const struct engine *e, const struct work *w,
                   const struct records *prior, struct records *ret, struct diags *diags)
{
    struct refresh r = {
        .a = a, .engine = e, .work = w, .prior = prior, .records = ret, .diags = diags};
    size_t before = diags->errors;
    pthread_mutex_init(&r.lock, NULL);
    int rc = records_copy(a, ret, prior);
    if (rc == 0)
        rc = lay_out(&r);
    if (rc == 0)
        rc = run_jobs(&r);
    for (size_t i = 0; rc == 0 && i < ret->count; i++)
        if (r.seen[i] && !ret->items[i].missing)
            rc = take_seen(&r, i);
    pthread_mutex_destroy(&r.lock);
    if (rc == 0 && r.out_of_reach)
        warn_of_unread(&r);
    if (rc < 0 && diags->errors == before)
        diags_error(diags, NULL, "The components could not be read",
                    "Memory ran out, or it was cancelled.");
    return rc;
}
