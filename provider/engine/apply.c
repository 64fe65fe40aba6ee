/* Makes a graph real, and takes records apart: create, update, replace, destroy, in order and in
 * parallel. */
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

enum { NAMES_SAID = 8 }; /* of what was not made */

/* One apply or destroy at work. `lock` guards records, arena `a` and diags. */
struct run {
    struct arena *a;
    const struct engine *engine;
    const struct work *work;
    const struct graph *graph;            /* NULL in a destroy */
    const struct engine_changes *changes; /* likewise */
    struct records *records;              /* what exists now */
    struct diags *diags;
    pthread_mutex_t lock;
    bool told_out_of_reach; /* an error says that a further cloud gives no answer */
    const char **victims;   /* names of the records that are destroyed, by job */
    bool *late;             /* by node: something of it is set when all else is done */
    bool at_last;           /* all else is done */
};

/* ---- one component's thread ---- */

struct task {
    struct run *run;
    struct arena *a;
    struct diags diags;
    struct object object;
    const struct node *node;
    bool incomplete;
    bool recorded;
    bool failed_to_record;
};

static int put_record(struct task *t)
{
    struct run *r = t->run;
    const struct node *n = t->node;
    const char **needs = arena_calloc(t->a, n->dep_count, sizeof(*needs));
    struct record rec = {.name = n->name,
                         .component = n->component,
                         .region = r->engine->region,
                         .attrs = t->object.attrs,
                         .needs = needs,
                         .need_count = n->dep_count,
                         .incomplete = t->incomplete};
    for (size_t i = 0; needs && i < n->dep_count; i++)
        needs[i] = r->graph->nodes[n->deps[i]].name;
    pthread_mutex_lock(&r->lock);
    int rc = needs && rec.attrs ? records_put(r->a, r->records, &rec) : -1;
    const struct engine_hooks *hooks = r->engine->hooks;
    if (rc == 0 && hooks && hooks->recorded)
        hooks->recorded(hooks->self, &rec);
    pthread_mutex_unlock(&r->lock);
    t->recorded = rc == 0;
    t->failed_to_record = rc < 0;
    return rc;
}

static void on_changed(void *self, const struct object *o)
{
    (void)o;
    put_record(self);
}

static void object_init(struct task *t, const struct component *c, const char *name)
{
    t->object = (struct object){.engine = t->run->engine,
                                .work = t->run->work,
                                .a = t->a,
                                .component = c,
                                .name = name,
                                .diags = &t->diags,
                                .changed = on_changed,
                                .self = t};
}

/* What other components are by now: those that are done are in the records. */
static const struct value *resolve(void *self, struct arena *a, const char *component,
                                   const char *attr)
{
    struct run *r = ((struct task *)self)->run;
    pthread_mutex_lock(&r->lock);
    const struct value *v = records_attr(r->records, component, attr);
    const struct value *copy = v ? value_copy(a, v) : NULL;
    pthread_mutex_unlock(&r->lock);
    return copy;
}

static int create_by_hook(struct task *t, const struct value *inputs)
{
    const struct engine_hooks *hooks = t->run->engine->hooks;
    struct engine_create_try try = {t->object.component, t->object.name, inputs, NULL, 0};
    struct cloud_error last;
    for (;;) {
        const struct value *next = NULL;
        if (hooks->next_try(hooks->self, t->a, t->node->entry->hook, &try, &next, &t->diags) < 0)
            return -1;
        if (!next)
            return try.error && !diags_has_error(&t->diags)
                       ? object_report(&t->object, "creating the")
                       : -1;
        t->object.attrs = next;
        t->object.item = NULL;
        if (object_create(&t->object, true) == 0)
            return 0;
        if (diags_has_error(&t->diags))
            return -1;
        if (cancel_is_set(t->run->work->cancel) || work_left_ms(t->run->work) == 0)
            return object_report(&t->object, "creating the");
        last = t->object.error;
        try.error = &last;
        try.tries++;
    }
}

static int run_create(struct task *t, const struct value *inputs)
{
    const struct engine_hooks *hooks = t->run->engine->hooks;
    t->object.attrs = inputs;
    t->incomplete = true;
    log_at(LOG_INFO, "Creating component", LOG_STR("component", t->node->name),
           LOG_STR("kind", t->node->component->kind));
    int rc = t->node->entry->hook && hooks && hooks->next_try ? create_by_hook(t, inputs)
                                                              : object_create(&t->object, false);
    if (rc == 0)
        t->incomplete = false;
    bool exists = rc == 0 || t->recorded;
    return exists && put_record(t) < 0 ? -1 : rc;
}

static const struct value *overlay(struct arena *a, const struct value *base,
                                   const struct value *top)
{
    for (size_t i = 0; base && i < value_count(top); i++)
        base = value_with(a, base, top->members[i].key.ptr, top->members[i].value);
    return base;
}

/* What object_complete() has not set: the other attributes that differ. Returns how many. */
static size_t not_completed(const struct object *o, const char *const *attrs, size_t count,
                            const char **ret)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct component_attr *attr = component_attr_find(o->component, attrs[i]);
        bool completed = attr && attr->input && !attr->in_create &&
                         value_is_known(value_get(o->attrs, attrs[i]));
        if (!completed)
            ret[kept++] = attrs[i];
    }
    return kept;
}

/* What an earlier apply could not make, and nothing but another in its place helps. */
static int run_anew(struct task *t, const struct value *inputs)
{
    log_at(LOG_INFO, "Removing what could not be made", LOG_STR("component", t->node->name));
    if (object_destroy(&t->object) < 0)
        return -1;
    pthread_mutex_lock(&t->run->lock);
    records_remove(t->run->records, t->node->name);
    pthread_mutex_unlock(&t->run->lock);
    t->object.destroying = false;
    t->object.item = NULL;
    return run_create(t, inputs);
}

/* What is wanted on top of what is there. What counts only when it is set is let go of when it is
 * not: somebody else sets it from now on. */
static const struct value *wanted(struct task *t, const struct value *inputs)
{
    const struct component *c = t->object.component;
    const struct value *v = overlay(t->a, t->object.prior, inputs);
    for (size_t i = 0; v && i < c->attr_count; i++)
        if (c->attrs[i].if_set && value_is_null(value_get(inputs, c->attrs[i].name)))
            v = value_with(t->a, v, c->attrs[i].name, value_null(t->a, c->attrs[i].type));
    return v;
}

static int run_update(struct task *t, const struct record *rec, const struct value *inputs)
{
    const char *const *attrs = NULL;
    size_t count = 0;
    struct object *o = &t->object;
    o->prior = record_actual(t->a, rec);
    o->attrs = wanted(t, inputs);
    t->incomplete = rec->incomplete;
    if (o->attrs && rec->incomplete && object_is_unmade(o)) {
        o->attrs = o->prior;
        return run_anew(t, inputs);
    }
    if (!o->prior || !o->attrs ||
        compare_attrs(t->a, t->run->engine, o->component, inputs, o->prior, &attrs, &count) < 0)
        return -1;
    /* What drifted is by now as it is wanted: an update that was killed has set it. */
    if (!count && !rec->incomplete)
        return rec->drifted ? put_record(t) : 0;
    log_at(LOG_INFO, "Updating component", LOG_STR("component", t->node->name),
           LOG_INT("attributes", (int64_t)count));
    for (size_t i = 0; i < count; i++)
        if (component_attr_find(o->component, attrs[i])->change == COMPONENT_REPLACE)
            return diags_error(
                &t->diags, NULL, "A component has to be replaced after all",
                "%s \"%s\": %s came out different from the plan. Run apply again: the "
                "next plan replaces it.",
                o->component->title, t->node->name, attrs[i]);
    /* An interrupted create goes on where it was: readiness, then what is not set yet. After a
     * change that has failed, another change is what may help. */
    if (rec->incomplete && !(count && object_has_failed(o))) {
        const char **rest = arena_calloc(t->a, count + 1, sizeof(char *));
        if (object_complete(o) < 0)
            return object_report(o, "completing the");
        if (!rest)
            return -1;
        count = not_completed(o, attrs, count, rest);
        attrs = rest;
    }
    int rc = object_update(o, attrs, count);
    t->incomplete = rc < 0;
    /* Until all is set, the record keeps what was there: the next plan compares anew. */
    if (rc < 0)
        o->attrs = o->prior;
    return put_record(t) < 0 ? -1 : rc;
}

/* What is set now of a component that is there; the rest is noted for the end. */
static const struct value *inputs_for_now(struct task *t, const struct record *rec,
                                          const struct value *inputs)
{
    struct run *r = t->run;
    const struct engine_hooks *hooks = r->engine->hooks;
    const struct value *actual = record_actual(t->a, rec), *first = NULL;
    if (r->at_last || !actual || !hooks || !hooks->first_inputs)
        return inputs;
    first = hooks->first_inputs(hooks->self, t->a, t->node->name, actual, inputs);
    r->late[t->node - r->graph->nodes] = first != NULL;
    return first ? first : inputs;
}

static int run_node(struct task *t)
{
    struct run *r = t->run;
    const struct value *inputs =
        graph_inputs(t->a, r->engine, r->graph, t->node, resolve, t, &t->diags);
    if (!inputs)
        return -1;
    if (!value_is_wholly_known(inputs))
        return diags_error(
            &t->diags, NULL, "A component's input is not known",
            "%s \"%s\" cannot be made: an input is still unknown. What exists is in the "
            "state.",
            t->object.component->title, t->node->name);
    pthread_mutex_lock(&r->lock);
    const struct record *found = records_find(r->records, t->node->name);
    struct record rec = found ? *found : (struct record){.name = NULL};
    pthread_mutex_unlock(&r->lock);
    return found && !rec.missing ? run_update(t, &rec, inputs_for_now(t, &rec, inputs))
                                 : run_create(t, inputs);
}

/* That a cloud is out of reach is said once: under the lock. */
static bool is_said(struct task *t, int rc)
{
    struct run *r = t->run;
    if (rc == 0 || !engine_is_out_of_reach(r->engine, t->object.component, &t->object.error))
        return false;
    bool said = r->told_out_of_reach;
    r->told_out_of_reach = true;
    return said;
}

/* Errors from a thread reach the run's list; an error without words would be lost. */
static int task_end(struct task *t, int rc)
{
    struct run *r = t->run;
    pthread_mutex_lock(&r->lock);
    if (t->failed_to_record)
        rc = diags_error(
            r->diags, NULL, "Out of memory",
            "The object of component \"%s\" could not be recorded. It carries the owner tags of "
            "%s \"%s\".",
            t->object.name, r->engine->resource_type, value_cstr(r->engine->name, ""));
    if (rc < 0 && !diags_has_error(&t->diags) && !t->failed_to_record)
        diags_error(r->diags, NULL, "A component failed", "Component \"%s\": memory ran out.",
                    t->object.name);
    if (!is_said(t, rc)) {
        if (t->node)
            diags_set_path(&t->diags, graph_path(t->a, r->graph, t->node));
        diags_merge(r->diags, &t->diags);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static int apply_job(void *self, size_t job)
{
    struct run *r = self;
    _cleanup_arena_ struct arena *a = arena_new();
    struct task t = {.run = r, .a = a, .node = &r->graph->nodes[job]};
    if (!a) {
        pthread_mutex_lock(&r->lock);
        diags_error(r->diags, NULL, "Out of memory", "Component \"%s\".", t.node->name);
        pthread_mutex_unlock(&r->lock);
        return -1;
    }
    diags_init(&t.diags, a);
    object_init(&t, t.node->component, t.node->name);
    return task_end(&t, run_node(&t));
}

/* ---- destroying records ---- */

static int destroy_by_code(struct task *t, const struct record *rec)
{
    const struct engine_destroyer *d = t->run->engine->destroyer;
    return d ? d->destroy(d->self, t->a, rec->component, t->object.attrs, &t->diags) : 0;
}

static int destroy_job(void *self, size_t job)
{
    struct run *r = self;
    _cleanup_arena_ struct arena *a = arena_new();
    struct task t = {.run = r, .a = a};
    const char *name = r->victims[job];
    pthread_mutex_lock(&r->lock);
    struct record rec = *records_find(r->records, name);
    pthread_mutex_unlock(&r->lock);
    if (!a)
        return -1;
    diags_init(&t.diags, a);
    object_init(&t, rec.component, name);
    t.object.changed = NULL;
    t.object.attrs = record_actual(a, &rec);
    bool by_code = rec.component->destroyed_by != NULL;
    bool nothing =
        rec.missing || rec.component->adopt_only || (!rec.component->destroy_count && !by_code);
    if (!nothing)
        log_at(LOG_INFO, "Destroying component", LOG_STR("component", name),
               LOG_STR("kind", rec.component->kind));
    int rc = nothing           ? 0
             : !t.object.attrs ? -1
             : by_code         ? destroy_by_code(&t, &rec)
                               : object_destroy(&t.object);
    if (rc == 0) {
        pthread_mutex_lock(&r->lock);
        records_remove(r->records, name);
        pthread_mutex_unlock(&r->lock);
    }
    return task_end(&t, rc);
}

static bool needs(const struct record *r, const char *name)
{
    for (size_t i = 0; i < r->need_count; i++)
        if (strcmp(r->needs[i], name) == 0)
            return true;
    return false;
}

struct waits {
    size_t **deps;
    size_t *counts;
    bool *seen;
};

/* Whether job `from` waits for job `to`, over any number of others. */
static bool waits_for(struct waits *w, size_t from, size_t to)
{
    if (from == to)
        return true;
    w->seen[from] = true;
    for (size_t i = 0; i < w->counts[from]; i++)
        if (!w->seen[w->deps[from][i]] && waits_for(w, w->deps[from][i], to))
            return true;
    return false;
}

/* Records of one resource come from several applies, whose graphs may have had another order: what
 * would close a circle is left out. */
static void add_wait(struct waits *w, size_t count, size_t job, size_t before)
{
    memset(w->seen, 0, count * sizeof(*w->seen));
    if (!waits_for(w, before, job))
        w->deps[job][w->counts[job]++] = before;
}

/* Jobs for the victims: each waits for those that were built on it. */
static int destroy_records(struct run *r, const char **victims, size_t count)
{
    size_t **deps = arena_calloc(r->a, count, sizeof(*deps));
    size_t *dep_counts = arena_calloc(r->a, count, sizeof(*dep_counts));
    enum schedule_status *status = arena_calloc(r->a, count, sizeof(*status));
    struct waits w = {deps, dep_counts, arena_calloc(r->a, count, sizeof(bool))};
    bool ok = deps && dep_counts && status && w.seen;
    for (size_t i = 0; ok && i < count; i++)
        ok = (deps[i] = arena_calloc(r->a, count, sizeof(**deps))) != NULL;
    if (!ok)
        return diags_error(r->diags, NULL, "Out of memory", "Nothing was destroyed.");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            if (k != i && needs(records_find(r->records, victims[k]), victims[i]))
                add_wait(&w, count, i, k);
    r->victims = victims;
    struct schedule s = {.count = count,
                         .deps = (const size_t *const *)deps,
                         .dep_counts = dep_counts,
                         .run = destroy_job,
                         .self = r,
                         .cancel = r->work->cancel,
                         .keep_going = true,
                         .status = status};
    return schedule_run(&s);
}

/* ---- what a failed apply puts back ---- */

enum { PUT_BACK_MS = 60000 };

static void could_not_put_back(struct run *r, const struct object *o)
{
    diags_warning(r->diags, NULL, "A component is missing until the next apply",
                  "%s \"%s\" was taken away for an update that then failed, and could not be put "
                  "back (%s). The next apply makes it again.",
                  o->component->title, o->name, o->error.message ? o->error.message : "no memory");
}

/* Makes an object again as it was, where it is not there any more. */
static void put_back(struct run *r, const struct work *w, struct record rec)
{
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags quiet;
    if (!a)
        return;
    diags_init(&quiet, a);
    struct object o = {.engine = r->engine,
                       .work = w,
                       .a = a,
                       .component = rec.component,
                       .name = rec.name,
                       .attrs = rec.attrs,
                       .diags = &quiet};
    if (object_read(&o, false) != OBJECT_GONE)
        return;
    log_at(LOG_INFO, "Putting a component back", LOG_STR("component", rec.name));
    if (object_create(&o, false) < 0) {
        could_not_put_back(r, &o);
        return;
    }
    rec.attrs = o.attrs;
    rec.drifted = NULL;
    records_put(r->a, r->records, &rec);
}

/* Whether what a record was built on is still to be put back. */
static bool is_early(const struct records *all, const bool *left, const struct record *rec)
{
    for (size_t i = 0; i < all->count; i++)
        if (left[i] && needs(rec, all->items[i].name))
            return true;
    return false;
}

/* What updates take away for their time comes back when they fail: what is there as before is to
 * work as before, also when the next apply is long in coming. */
static void put_back_all(struct run *r)
{
    const struct work work = work_with_least(r->work, PUT_BACK_MS);
    bool *left = arena_calloc(r->a, r->records->count, sizeof(*left));
    size_t count = 0;
    for (size_t i = 0; left && i < r->records->count; i++) {
        const struct record *rec = &r->records->items[i];
        left[i] = rec->component->put_back && !rec->missing;
        count += left[i];
    }
    for (size_t pass = count; pass > 0 && !cancel_is_hard(work.cancel); pass--)
        for (size_t i = 0; i < r->records->count; i++)
            if (left[i] && !is_early(r->records, left, &r->records->items[i])) {
                put_back(r, &work, r->records->items[i]);
                left[i] = false;
            }
}

/* The records whose change is `action`. */
static size_t pick_victims(const struct run *r, enum engine_action action, const char **victims)
{
    size_t count = 0;
    for (size_t i = 0; i < r->changes->count; i++) {
        const struct engine_change *ch = &r->changes->items[i];
        if (ch->action == action && records_find(r->records, ch->name))
            victims[count++] = ch->name;
    }
    return count;
}

/* ---- the phases of an apply ---- */

static int make_nodes(struct run *r)
{
    const struct graph *g = r->graph;
    const size_t **deps = arena_calloc(r->a, g->count, sizeof(*deps));
    size_t *dep_counts = arena_calloc(r->a, g->count, sizeof(*dep_counts));
    enum schedule_status *status = arena_calloc(r->a, g->count, sizeof(*status));
    if (!deps || !dep_counts || !status)
        return diags_error(r->diags, NULL, "Out of memory", "Nothing was made.");
    for (size_t i = 0; i < g->count; i++) {
        deps[i] = g->nodes[i].deps;
        dep_counts[i] = g->nodes[i].dep_count;
    }
    struct schedule s = {.count = g->count,
                         .deps = deps,
                         .dep_counts = dep_counts,
                         .run = apply_job,
                         .self = r,
                         .cancel = r->work->cancel,
                         .status = status};
    return schedule_run(&s);
}

/* What takes away what other components needed while they were made. */
static int make_late(struct run *r)
{
    int rc = 0;
    r->at_last = true;
    for (size_t i = 0; rc == 0 && i < r->graph->count; i++)
        if (r->late[i])
            rc = cancel_is_set(r->work->cancel) ? -1 : apply_job(r, i);
    return rc;
}

/* The first names of a list, and how many more there are. */
struct name_list {
    struct buf text;
    size_t count;
};

static void name_list_add(struct name_list *l, const char *name)
{
    if (l->count++ < NAMES_SAID)
        buf_printf(&l->text, "%s%s", l->text.len ? ", " : " Not made: ", name);
}

/* What exists now and what does not: what a user needs to know after a failure. */
static void say_what_exists(struct run *r, size_t from)
{
    struct name_list lacking = {BUF_INIT(64 * 1024), 0};
    size_t shown = 0;
    for (size_t i = 0; i < r->graph->count; i++) {
        const struct node *n = &r->graph->nodes[i];
        const struct record *rec = records_find(r->records, n->name);
        shown += !n->component->hidden;
        if (!n->component->hidden && (!rec || rec->missing))
            name_list_add(&lacking, n->name);
    }
    if (lacking.count > NAMES_SAID)
        buf_printf(&lacking.text, " and %zu more", lacking.count - NAMES_SAID);
    if (lacking.count)
        buf_append_char(&lacking.text, '.');
    bool cancelled = cancel_is_set(r->work->cancel) && diags_count(r->diags) == from;
    diags_error(r->diags, NULL, cancelled ? "The apply was cancelled" : "The apply is not complete",
                "What exists is in the state: %zu of %zu components.%s\nRun apply again to go on "
                "from there (what exists is kept, also where the plan says \"replaced\"), or "
                "destroy to remove it.",
                shown - lacking.count, shown, buf_cstr(&lacking.text));
    buf_clean_up(&lacking.text);
}

static int apply_phases(struct run *r)
{
    struct engine_changes *changes = arena_new_object(r->a, struct engine_changes);
    size_t before = diags_count(r->diags);
    if (!changes || engine_plan(r->a, r->engine, r->graph, r->records, changes, r->diags) < 0)
        return -1;
    r->changes = changes;
    const char **victims = arena_calloc(r->a, changes->count, sizeof(*victims));
    r->late = arena_calloc(r->a, r->graph->count, sizeof(*r->late));
    if (!victims || !r->late)
        return diags_error(r->diags, NULL, "Out of memory", "Nothing was made.");
    int rc = destroy_records(r, victims, pick_victims(r, ENGINE_REPLACE, victims));
    if (rc == 0)
        rc = make_nodes(r);
    if (rc == 0)
        rc = destroy_records(r, victims, pick_victims(r, ENGINE_DESTROY, victims));
    if (rc == 0)
        rc = make_late(r);
    if (rc < 0) {
        put_back_all(r);
        say_what_exists(r, before);
    }
    return rc;
}

static void run_init(struct run *r, struct arena *a, const struct engine *e, const struct work *w,
                     struct records *records, struct diags *diags)
{
    *r = (struct run){.a = a, .engine = e, .work = w, .records = records, .diags = diags};
    pthread_mutex_init(&r->lock, NULL);
}

int engine_apply(struct arena *a, const struct engine *e, const struct work *w,
                 const struct graph *g, const struct records *prior, struct records *ret,
                 struct diags *diags)
{
    struct run r;
    if (records_copy(a, ret, prior) < 0) {
        *ret = *prior;
        return diags_error(diags, NULL, "Out of memory", "Nothing was made.");
    }
    run_init(&r, a, e, w, ret, diags);
    r.graph = g;
    int rc = apply_phases(&r);
    claim_release(a, e, w, ret, diags);
    pthread_mutex_destroy(&r.lock);
    return rc;
}

int engine_destroy(struct arena *a, const struct engine *e, const struct work *w,
                   const struct records *prior, struct records *ret, struct diags *diags)
{
    struct run r;
    const char **victims = arena_calloc(a, prior->count, sizeof(*victims));
    if (records_copy(a, ret, prior) < 0 || !victims) {
        *ret = *prior;
        return diags_error(diags, NULL, "Out of memory", "Nothing was destroyed.");
    }
    for (size_t i = 0; i < prior->count; i++)
        victims[i] = prior->items[i].name;
    run_init(&r, a, e, w, ret, diags);
    int rc = destroy_records(&r, victims, prior->count);
    pthread_mutex_destroy(&r.lock);
    if (rc < 0 && !diags_has_error(diags))
        diags_error(diags, NULL, "The destroy was cancelled",
                    "What is left is in the state. Run destroy again to remove it.");
    return rc;
}
