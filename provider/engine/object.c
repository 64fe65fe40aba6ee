/* One cloud object at work: its scope, its steps, create, update, destroy. */
#include "base/log.h"
#include "engine/internal.h"

#include <string.h>

#include "value/codec.h"

enum {
    RESTARTS_MOST = 10,
    LOOK_MS = 10000,
    RETRY_MS = 120000,
    RETRY_PAUSE_MS = 1000,
    RETRY_PAUSE_MOST_MS = 15000
};

struct engine_cloud engine_cloud_of(const struct engine *e, const struct component *c)
{
    for (size_t i = 0; c->cloud && i < e->more_count; i++)
        if (strcmp(e->more[i].driver->cloud, c->cloud) == 0)
            return e->more[i];
    return (struct engine_cloud){e->driver, e->client};
}

bool engine_is_out_of_reach(const struct engine *e, const struct component *c,
                            const struct cloud_error *err)
{
    return engine_cloud_of(e, c).client != e->client && cloud_error_is_unanswered(err);
}

/* ---- scope ---- */

/* FNV-1a twice with different starts: 128 bits that tell inputs apart; nothing is kept secret by
 * it. NULL when memory is out: the token of a part of the inputs would be another one. */
static const struct value *client_token(struct object *o)
{
    const struct engine *e = o->engine;
    _cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
    buf_printf(&b, "%s/%s/%s/%s/%s/%s/", e->nonce ? e->nonce : "", e->account ? e->account : "",
               e->region ? e->region : "", e->resource_type, value_cstr(e->name, ""), o->name);
    value_json_write(&b, o->attrs, true);
    if (o->repeats)
        buf_printf(&b, "/%d", o->repeats);
    if (b.failed)
        return NULL;
    uint64_t h[2] = {14695981039346656037u, 0x6c62272e07bb0142u};
    for (size_t i = 0; i < b.len; i++)
        for (size_t k = 0; k < 2; k++)
            h[k] = (h[k] ^ (unsigned char)b.ptr[i]) * 1099511628211u;
    return value_printf(o->a, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(h[0] >> 32),
                        (unsigned)(h[0] >> 16) & 0xffff, (unsigned)(h[0] >> 4) & 0xfff,
                        (unsigned)(h[1] >> 48) & 0xfff,
                        (unsigned long long)(h[1] & 0xffffffffffffu));
}

static const struct value *own_attr(const struct value *attrs, const char *path)
{
    const struct value *v = path ? value_path(attrs, path) : attrs;
    return value_is_null(v) ? NULL : v;
}

static const struct value *id_list(struct object *o)
{
    const struct value *id = value_get(o->attrs, o->component->id_attr);
    return value_is_known(id) ? value_tuple(o->a, &id, 1) : NULL;
}

static const struct value *owner_filter(struct object *o)
{
    const struct engine *e = o->engine;
    const struct cloud_driver *d = engine_cloud_of(e, o->component).driver;
    const struct value *tags = d->owner_tags(o->a, e->resource_type, e->name, o->name);
    return tags ? d->owner_filter(o->a, tags) : NULL;
}

/* What every request may name: NULL only when memory is out. */
static const struct value *surroundings(struct object *o, const char *root)
{
    const struct engine *e = o->engine;
    if (strcmp(root, "token") == 0)
        return client_token(o);
    if (strcmp(root, "owner_filter") == 0)
        return owner_filter(o);
    if (strcmp(root, "region") == 0)
        return value_str(o->a, e->region);
    if (strcmp(root, "account") == 0)
        return value_str(o->a, e->account);
    return value_str(o->a, e->partition);
}

static int lookup(void *self, struct arena *a, const char *root, const char *path,
                  const struct value **ret)
{
    struct object *o = self;
    (void)a;
    if (!*root)
        *ret = own_attr(o->attrs, path);
    else if (strcmp(root, "prior") == 0)
        *ret = own_attr(o->prior, path);
    else if (strcmp(root, "element") == 0)
        *ret = own_attr(o->element, path);
    else if (strcmp(root, "ids") == 0)
        *ret = id_list(o);
    else if (!(*ret = surroundings(o, root)))
        return -1;
    return 0;
}

int object_eval(struct object *o, const struct template *t, const struct value **ret)
{
    const struct value *v = NULL;
    if (t && template_eval(o->a, t, lookup, o, &v) < 0) {
        memset(&o->error, 0, sizeof(o->error));
        o->error.class_ = CLOUD_ERROR_INVALID;
        o->error.message = "the request could not be put together";
        return -1;
    }
    *ret = v ? v : value_object(o->a, NULL, 0);
    return *ret ? 0 : -1;
}

int object_report(struct object *o, const char *doing)
{
    const char *what =
        arena_printf(o->a, "%s %s \"%s\" of %s \"%s\"", doing, o->component->title, o->name,
                     o->engine->resource_type, value_cstr(o->engine->name, ""));
    return cloud_error_report(o->diags, NULL, what ? what : doing, &o->error);
}

/* ---- steps ---- */

static const struct value *condition_attr(const struct object *o, const char *name)
{
    bool prior = strncmp(name, "prior.", 6) == 0;
    return prior ? value_get(o->prior, name + 6) : value_get(o->attrs, name);
}

/* Neither null nor false nor empty. */
static bool is_set(const struct value *v)
{
    if (!value_is_known(v))
        return false;
    if (v->type->kind == TYPE_BOOL)
        return v->boolean;
    return v->type->kind < TYPE_LIST ? v->type->kind != TYPE_STRING || v->string.len > 0
                                     : v->count > 0;
}

static bool step_applies(const struct object *o, const struct component_step *s)
{
    if (s->when_attr && s->when_equals)
        return slice_eq_str(value_slice(condition_attr(o, s->when_attr)), s->when_equals);
    if (s->when_attr && !is_set(condition_attr(o, s->when_attr)))
        return false;
    if (s->unless_attr && s->unless_equals)
        return !slice_eq_str(value_slice(condition_attr(o, s->unless_attr)), s->unless_equals);
    return !s->unless_attr || !is_set(condition_attr(o, s->unless_attr));
}

/* One call, again while its error is one that passes with time. 1: the error is tolerated. */
static int call_step(struct object *o, const struct component_step *s, const struct value *request,
                     const struct value **ret)
{
    const struct engine *e = o->engine;
    const struct engine_cloud at = engine_cloud_of(e, o->component);
    const struct clock *clock = o->work->clock;
    int64_t most = s->retry_ms ? s->retry_ms : o->destroying ? INT64_MAX : RETRY_MS;
    int64_t start = clock->monotonic_ms(clock->self), pause = RETRY_PAUSE_MS;
    for (;;) {
        if (at.driver->call(at.client, o->work, o->a, e->region, s->op, request, ret, &o->error) ==
            0)
            return 0;
        if (cloud_error_in(s->tolerate, s->tolerate_count, &o->error))
            return 1;
        bool passes = cloud_error_in(s->retry, s->retry_count, &o->error);
        int64_t since = clock->monotonic_ms(clock->self) - start;
        bool in_time = since + pause <= most && pause < work_left_ms(o->work);
        if (object_is_held(o, since, !passes || !in_time) || !passes || !in_time ||
            clock->sleep_ms(clock->self, pause, o->work->cancel) < 0)
            return -1;
        pause = pause * 3 / 2 < RETRY_PAUSE_MOST_MS ? pause * 3 / 2 : RETRY_PAUSE_MOST_MS;
        /* The cloud has refused it: the same token would only get the same answer again. */
        o->repeats += s->op->token_param != NULL;
        if (s->op->token_param && object_eval(o, s->request, &request) < 0)
            return -1;
    }
}

static int take_outputs(struct object *o, const struct component_step *s,
                        const struct value *answer)
{
    struct diags ignored;
    diags_init(&ignored, o->a);
    for (size_t i = 0; i < s->output_count; i++) {
        const struct component_output *out = &s->outputs[i];
        const struct component_attr *attr = component_attr_find(o->component, out->attr);
        const struct value *v = template_select(o->a, answer, out->path);
        v = v ? template_transform(o->a, out->as, v) : NULL;
        v = v && attr ? value_convert(o->a, v, attr->type, NULL, &ignored) : NULL;
        if (value_is_null(v))
            continue;
        o->attrs = value_with(o->a, o->attrs, out->attr, v);
        if (!o->attrs)
            return -1;
    }
    return 0;
}

static int run_once(struct object *o, const struct component_step *s)
{
    const struct value *request = NULL, *answer = NULL;
    if (object_eval(o, s->request, &request) < 0)
        return -1;
    int rc = call_step(o, s, request, &answer);
    o->item = NULL;
    return rc < 0 ? -1 : rc == 1 ? 0 : take_outputs(o, s, answer);
}

/* Members of `of` that `other` does not have: {key, value} of a map, the member itself of a set. */
static int run_each(struct object *o, const struct component_step *s)
{
    bool added = s->each == COMPONENT_EACH_ADDED;
    const struct value *of = value_get(added ? o->attrs : o->prior, s->each_attr);
    const struct value *other = value_get(added ? o->prior : o->attrs, s->each_attr);
    const struct engine_cloud at = engine_cloud_of(o->engine, o->component);
    for (size_t i = 0; i < value_count(of); i++) {
        bool map = of->type->kind == TYPE_MAP;
        bool present = map && value_get_slice(other, of->members[i].key);
        for (size_t k = 0; !map && !present && k < value_count(other); k++)
            present = value_equal(of->members[i].value, value_at(other, k));
        bool ignored = map && at.driver->ignores_tag(at.client, of->members[i].key);
        if (present || ignored)
            continue;
        const struct value_member pair[] = {
            {SLICE_LIT("key"), value_string(o->a, of->members[i].key)},
            {SLICE_LIT("value"), of->members[i].value}};
        o->element = map ? value_object(o->a, pair, 2) : of->members[i].value;
        if (run_once(o, s) < 0)
            return -1;
    }
    return 0;
}

/* Whether the list begins again, after a pause, because what it has read is outdated. */
static bool begins_again(struct object *o, const struct component_step *s, int *restarts)
{
    const struct clock *clock = o->work->clock;
    if (!cloud_error_in(s->restart, s->restart_count, &o->error) || *restarts == RESTARTS_MOST ||
        RETRY_PAUSE_MS >= work_left_ms(o->work) ||
        clock->sleep_ms(clock->self, RETRY_PAUSE_MS, o->work->cancel) < 0)
        return false;
    ++*restarts;
    o->repeats++;
    return true;
}

static void tell(const struct object *o)
{
    if (o->changed)
        o->changed(o->self, o);
}

int object_run_steps(struct object *o, const struct component_step *steps, size_t count)
{
    int restarts = 0;
    for (size_t i = 0; i < count; i++) {
        const struct component_step *s = &steps[i];
        if (!step_applies(o, s))
            continue;
        int rc = s->wait_read ? object_wait_for(o, s->wait, s->wait_read)
                 : !s->op
                     ? object_wait(o, s->wait_gone || !s->wait ? &o->component->states : s->wait,
                                   s->wait_gone)
                 : s->each == COMPONENT_ONCE ? run_once(o, s)
                                             : run_each(o, s);
        if (rc < 0 && begins_again(o, s, &restarts)) {
            i = (size_t)-1;
            continue;
        }
        if (rc < 0)
            return -1;
        /* The first call of a create has made it: from now on it must not be lost. */
        if (s->op && !o->destroying && value_is_known(value_get(o->attrs, o->component->id_attr)))
            tell(o);
    }
    return 0;
}

/* ---- create ---- */

/* A create whose answer was lost may have happened: look before saying that it failed. */
static bool found_after_loss(struct object *o)
{
    struct object probe = *o;
    /* When the time was up while it was made, it is still looked for: it must not be lost. */
    const struct work work = work_with_least(o->work, LOOK_MS);
    if (!o->error.maybe_processed || cancel_is_hard(work.cancel))
        return false;
    probe.work = &work;
    if (object_find(&probe) != OBJECT_FOUND || !object_is_owned(&probe))
        return false;
    log_at(LOG_WARN, "An object whose create call got no answer exists; it is used",
           LOG_STR("component", o->name));
    for (size_t i = 0; i < value_count(probe.attrs); i++)
        if (!value_is_null(probe.attrs->members[i].value))
            o->attrs = value_with(o->a, o->attrs, probe.attrs->members[i].key.ptr,
                                  probe.attrs->members[i].value);
    tell(o);
    return true;
}

static bool lacks_outputs(const struct object *o)
{
    for (size_t i = 0; i < o->component->attr_count; i++) {
        const struct component_attr *attr = &o->component->attrs[i];
        if (attr->output && attr->read_path && value_is_null(value_get(o->attrs, attr->name)))
            return true;
    }
    return false;
}

/* Outputs alone: inputs stay as they were set, so that the next refresh can compare. */
static void take_missing(struct object *o, const struct value *read)
{
    for (size_t i = 0; read && i < o->component->attr_count; i++) {
        const struct component_attr *attr = &o->component->attrs[i];
        const struct value *v = value_get(read, attr->name);
        bool wanted = attr->output || (attr->input && !attr->if_set &&
                                       value_is_null(value_get(o->attrs, attr->name)));
        if (attr->read_path && wanted && !value_is_null(v))
            o->attrs = value_with(o->a, o->attrs, attr->name, v);
    }
}

static int make_ready(struct object *o)
{
    if (o->component->read.op && (o->component->states.path || o->component->adopt_only) &&
        object_wait(o, &o->component->states, false) < 0)
        return -1;
    if (!o->item && lacks_outputs(o) && object_read(o, false) == OBJECT_FAILED)
        return -1;
    if (o->item)
        take_missing(o, object_attrs_from(o->a, o->component, o->attrs, o->item, NULL));
    return o->attrs ? 0 : -1;
}

int object_complete(struct object *o)
{
    const struct component *c = o->component;
    if (make_ready(o) < 0)
        return -1;
    for (size_t i = 0; i < c->update_count; i++) {
        const struct component_update *u = &c->updates[i];
        bool wanted = false;
        for (size_t k = 0; k < u->attr_count; k++) {
            const struct component_attr *attr = component_attr_find(c, u->attrs[k]);
            wanted |=
                attr && attr->input && !attr->in_create &&
                value_is_known(value_get(o->attrs, attr->name)) &&
                !value_equal(value_get(o->attrs, attr->name), value_get(o->prior, attr->name));
        }
        if (wanted && object_run_steps(o, u->steps, u->step_count) < 0)
            return -1;
    }
    return 0;
}

/* After the create, `prior` is what the create itself has set. */
static const struct value *created_attrs(struct object *o)
{
    const struct component *c = o->component;
    struct value_member *m = arena_new_array(o->a, c->attr_count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < c->attr_count; i++) {
        const struct value *v = value_get(o->attrs, c->attrs[i].name);
        if (v && (c->attrs[i].in_create || !c->attrs[i].input))
            m[count++] = (struct value_member){slice_str(c->attrs[i].name), v};
    }
    return m ? value_object(o->a, m, count) : NULL;
}

/* What a machine is created with and how it is found afterwards may differ: "running" is not sent,
 * but is what a new machine is. */
static const struct value *with_seen_state(struct object *o, const struct value *prior)
{
    if (!o->item)
        return prior;
    const struct value *read =
        object_attrs_from(o->a, o->component, value_object(o->a, NULL, 0), o->item, NULL);
    for (size_t i = 0; prior && i < value_count(read); i++)
        if (!value_get_slice(prior, read->members[i].key) && !value_is_null(read->members[i].value))
            prior = value_with(o->a, prior, read->members[i].key.ptr, read->members[i].value);
    return prior;
}

/* A create that is answered without saying what it has made is as good as one without an answer. */
static int run_create(struct object *o)
{
    const struct component *c = o->component;
    if (object_run_steps(o, c->create, c->create_count) < 0)
        return -1;
    if (value_is_known(value_get(o->attrs, c->id_attr)))
        return 0;
    o->error = (struct cloud_error){
        .class_ = CLOUD_ERROR_PROTOCOL,
        .operation = c->create[0].op ? c->create[0].op->name : NULL,
        .service = c->create[0].op ? c->create[0].op->service : NULL,
        .message =
            arena_printf(o->a, "the answer does not have the %s of what was made", c->id_attr),
        .maybe_processed = true,
        .retry_after_ms = -1};
    return -1;
}

int object_create(struct object *o, bool tries)
{
    const struct component *c = o->component;
    o->prior = NULL;
    if (!c->adopt_only && c->create_count && run_create(o) < 0 &&
        (!found_after_loss(o) || !work_left_ms(o->work))) {
        enum cloud_error_class k = o->error.class_;
        bool exists = value_is_known(value_get(o->attrs, c->id_attr)) && o->item;
        bool elsewhere =
            k == CLOUD_ERROR_CAPACITY || k == CLOUD_ERROR_QUOTA || k == CLOUD_ERROR_UNSUPPORTED;
        if (tries && elsewhere && !exists)
            return -1;
        /* Some clouds have one code for what exists and for what is in use. */
        bool taken = k == CLOUD_ERROR_CONFLICT || (k == CLOUD_ERROR_DEPENDENCY && c->taken);
        if (taken && !exists && object_is_taken(o))
            return -1;
        return object_report(o, "creating the");
    }
    o->prior = created_attrs(o);
    if (make_ready(o) < 0)
        return object_report(o, "waiting for the");
    o->prior = with_seen_state(o, o->prior);
    return object_complete(o) < 0 ? object_report(o, "completing the") : 0;
}

/* ---- update, destroy ---- */

static bool updates_any(const struct component_update *u, const char *const *attrs, size_t count)
{
    for (size_t i = 0; i < u->attr_count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(u->attrs[i], attrs[k]) == 0)
                return true;
    return false;
}

int object_update(struct object *o, const char *const *attrs, size_t count)
{
    const struct component *c = o->component;
    for (size_t i = 0; i < c->update_count; i++) {
        const struct component_update *u = &c->updates[i];
        if (updates_any(u, attrs, count) && object_run_steps(o, u->steps, u->step_count) < 0)
            return object_report(o, "updating the");
    }
    return 0;
}

int object_destroy(struct object *o)
{
    o->destroying = true;
    o->prior = o->attrs;
    if (object_run_steps(o, o->component->destroy, o->component->destroy_count) < 0)
        return object_report(o, "destroying the");
    return 0;
}
