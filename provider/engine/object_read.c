/* Reading one cloud object: its attributes, its state, and waiting for a state. */
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

enum { REASON_MOST = 16384, POLL_MS = 1000, POLL_MOST_MS = 15000, PAGES_MOST = 100 };

/* ---- selecting ---- */

/* The object among those that an answer lists, or NULL. A cloud lists for a while what is gone: an
 * object that is still there comes first. */
static const struct value *pick(struct object *o, const struct component_read *r,
                                const struct value *answer)
{
    const char *attr = r->match_attr ? r->match_attr : o->component->id_attr;
    struct slice want = value_slice(value_get(o->attrs, attr));
    if (!r->items && r->present && !template_select(o->a, answer, r->present))
        return NULL;
    if (!r->items)
        return !r->match || slice_eq(value_slice(template_select(o->a, answer, r->match)), want)
                   ? answer
                   : NULL;
    const struct value *items = template_select(o->a, answer, r->items);
    if (!strchr(r->items, '*'))
        return items;
    const struct value *gone = NULL;
    for (size_t i = 0; i < value_count(items); i++) {
        const struct value *item = value_at(items, i);
        const struct value *found = r->match ? template_select(o->a, item, r->match) : NULL;
        if (r->match && !slice_eq(value_slice(found), want))
            continue;
        if (object_state_of(o->a, &o->component->states, item) != OBJECT_STATE_GONE)
            return item;
        gone = gone ? gone : item;
    }
    return gone;
}

static int call(struct object *o, const struct cloud_operation *op, const struct value *request,
                const struct value **ret)
{
    const struct engine_cloud at = engine_cloud_of(o->engine, o->component);
    if (o->last && o->last->op == op && value_equal(o->last->request, request)) {
        *ret = o->last->answer;
        return 0;
    }
    if (at.driver->call(at.client, o->work, o->a, o->engine->region, op, request, ret, &o->error) <
        0)
        return -1;
    if (o->last)
        *o->last = (struct object_answer){op, request, *ret};
    return 0;
}

/* The request for the page after this answer; NULL: it was the last one. */
static const struct value *next_page(struct object *o, const struct component_read *r,
                                     const struct value *request, const struct value *answer)
{
    if (!r->next_token)
        return NULL;
    /* Answers spell it with a small letter where requests have a capital one. */
    char lower[64] = {0};
    strncpy(lower, r->next_token, sizeof(lower) - 1);
    lower[0] = (char)(lower[0] | 0x20);
    const struct value *next = value_get(answer, r->next_token);
    next = value_slice(next).len ? next : value_get(answer, lower);
    return value_slice(next).len ? value_with(o->a, request, r->next_token, next) : NULL;
}

static enum object_found no_answer(const struct object *o, const struct component_read *r)
{
    bool gone = o->error.class_ == CLOUD_ERROR_NOT_FOUND ||
                cloud_error_in(r->not_found, r->not_found_count, &o->error);
    return gone ? OBJECT_GONE : OBJECT_FAILED;
}

/* All pages until the object is on one. */
static enum object_found read_with(struct object *o, const struct component_read *r,
                                   const struct value **ret)
{
    const struct value *request = NULL, *answer = NULL;
    if (object_eval(o, r->request, &request) < 0)
        return OBJECT_FAILED;
    for (int page = 0; request && page < PAGES_MOST; page++) {
        if (call(o, r->op, request, &answer) < 0)
            return no_answer(o, r);
        *ret = pick(o, r, answer);
        if (*ret)
            return OBJECT_FOUND;
        request = next_page(o, r, request, answer);
    }
    return OBJECT_GONE;
}

/* ---- attributes ---- */

/* "routeSet.gatewayId" with read_where "destinationCidrBlock=0.0.0.0/0": the list before the last
 * part, the member that fits, then the last part. */
static const struct value *select_where(struct arena *a, const struct value *item, const char *path,
                                        const char *where)
{
    const char *last = strrchr(path, '.'), *equals = strchr(where, '=');
    if (!last || !equals)
        return NULL;
    const char *list = arena_printf(a, "%.*s.*", (int)(last - path), path);
    const char *key = arena_strndup(a, where, (size_t)(equals - where));
    const struct value *members = list ? template_select(a, item, list) : NULL;
    for (size_t i = 0; key && i < value_count(members); i++) {
        const struct value *m = value_at(members, i);
        const struct value *found =
            template_transform(a, TRANSFORM_STRING, template_select(a, m, key));
        if (slice_eq_str(value_slice(found), equals + 1))
            return template_select(a, m, last + 1);
    }
    return NULL;
}

static const struct value *attr_from(struct arena *a, const struct component_attr *attr,
                                     const char *path, const struct value *item)
{
    struct diags ignored;
    diags_init(&ignored, a);
    const struct value *v = attr->read_where ? select_where(a, item, path, attr->read_where)
                                             : template_select(a, item, path);
    if (!v)
        v = value_null(a, &type_dynamic);
    v = template_transform(a, attr->read_as, v);
    /* Empty elements of XML are empty strings. */
    bool empty = value_is_known(v) && v->type->kind == TYPE_STRING && !v->string.len;
    if (!v || (empty && attr->type->kind != TYPE_STRING))
        v = value_null(a, &type_dynamic);
    if (value_is_null(v) && attr->absent)
        return attr->absent;
    const struct value *typed = value_convert(a, v, attr->type, NULL, &ignored);
    return typed ? typed : value_null(a, attr->type);
}

const struct value *object_attrs_from(struct arena *a, const struct component *c,
                                      const struct value *attrs, const struct value *item,
                                      const char *extra)
{
    for (size_t i = 0; attrs && i < c->attr_count; i++) {
        const struct component_attr *attr = &c->attrs[i];
        const char *colon = attr->read_path ? strchr(attr->read_path, ':') : NULL;
        bool fits = colon ? extra && strlen(extra) == (size_t)(colon - attr->read_path) &&
                                strncmp(extra, attr->read_path, strlen(extra)) == 0
                          : attr->read_path && !extra;
        if (fits)
            attrs = value_with(a, attrs, attr->name,
                               attr_from(a, attr, colon ? colon + 1 : attr->read_path, item));
    }
    return attrs;
}

/* ---- lists ---- */

/* What a listed object is called: where the list says, or as the component's name is read. */
static const struct value *name_of(struct object *o, const struct component_read *r,
                                   const struct value *item)
{
    const struct component_attr *id = component_attr_find(o->component, o->component->id_attr);
    if (r->match)
        return template_select(o->a, item, r->match);
    bool whole = value_is_known(item) && item->type->kind == TYPE_OBJECT;
    return whole && id->read_path ? attr_from(o->a, id, id->read_path, item) : item;
}

enum object_found object_list(struct object *o, const struct component_read *r,
                              const struct value **ret)
{
    const struct value *request = NULL, *answer = NULL, *keys = value_tuple(o->a, NULL, 0);
    if (object_eval(o, r->request, &request) < 0)
        return OBJECT_FAILED;
    for (int page = 0; request && keys && page < PAGES_MOST; page++) {
        if (call(o, r->op, request, &answer) < 0)
            return no_answer(o, r);
        const struct value *items = template_select(o->a, answer, r->items);
        for (size_t i = 0; keys && i < value_count(items); i++) {
            const struct value *key = name_of(o, r, value_at(items, i));
            if (value_slice(key).len)
                keys = value_tuple_join(o->a, keys, value_tuple(o->a, &key, 1));
        }
        request = next_page(o, r, request, answer);
    }
    *ret = keys;
    return keys ? OBJECT_FOUND : OBJECT_FAILED;
}

/* ---- states ---- */

static bool state_in(const char *const *list, size_t count, struct slice state)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(list[i]);
        bool prefix = n && list[i][n - 1] == '*';
        if (prefix ? state.len >= n - 1 && strncmp(state.ptr, list[i], n - 1) == 0
                   : slice_eq_str(state, list[i]))
            return true;
    }
    return false;
}

enum object_state object_state_of(struct arena *a, const struct component_states *s,
                                  const struct value *item)
{
    if (s->gone_path && !value_is_null(template_select(a, item, s->gone_path)))
        return OBJECT_STATE_GONE;
    if (!s->path)
        return OBJECT_READY;
    struct slice state = value_slice(template_select(a, item, s->path));
    if (state_in(s->gone, s->gone_count, state))
        return OBJECT_STATE_GONE;
    if (state_in(s->failed, s->failed_count, state) || state_in(s->unmade, s->unmade_count, state))
        return OBJECT_STATE_FAILED;
    return state_in(s->ready, s->ready_count, state) ? OBJECT_READY : OBJECT_PENDING;
}

bool object_is_unmade(struct object *o)
{
    const struct component_states *s = &o->component->states;
    if (!s->unmade_count || object_read(o, false) != OBJECT_FOUND)
        return false;
    return state_in(s->unmade, s->unmade_count,
                    value_slice(template_select(o->a, o->item, s->path)));
}

bool object_has_failed(struct object *o)
{
    const struct component_states *s = &o->component->states;
    return s->failed_count && object_read(o, false) == OBJECT_FOUND &&
           state_in(s->failed, s->failed_count,
                    value_slice(template_select(o->a, o->item, s->path)));
}

/* ---- reading ---- */

bool object_wants(const struct component_read *r, const struct value *attrs)
{
    return !r->when_attr || !value_is_null(value_get(attrs, r->when_attr));
}

enum object_found object_read(struct object *o, bool take)
{
    const struct component *c = o->component;
    const struct value *item = NULL;
    if (!c->read.op)
        return OBJECT_FOUND;
    enum object_found found = read_with(o, &c->read, &item);
    if (found != OBJECT_FOUND)
        return found;
    if (object_state_of(o->a, &c->states, item) == OBJECT_STATE_GONE)
        return OBJECT_GONE;
    o->item = item;
    if (!take)
        return OBJECT_FOUND;
    o->attrs = object_attrs_from(o->a, c, o->attrs, item, NULL);
    for (size_t i = 0; i < c->extra_read_count; i++) {
        const struct component_extra_read *x = &c->extra_reads[i];
        const struct value *more = NULL;
        if (!object_wants(&x->read, o->attrs))
            continue;
        found = read_with(o, &x->read, &more);
        if (found == OBJECT_FAILED)
            return OBJECT_FAILED;
        o->attrs = object_attrs_from(o->a, c, o->attrs, more, x->name);
    }
    return o->attrs ? OBJECT_FOUND : OBJECT_FAILED;
}

/* What an object is known by is in `find` what the cloud answers, not what we want. */
static const struct value *only_read(struct object *o, const struct value *item)
{
    const struct value *nothing = value_object(o->a, NULL, 0);
    return object_attrs_from(o->a, o->component, nothing, item, NULL);
}

enum object_found object_find(struct object *o)
{
    const struct component *c = o->component;
    const struct value *item = NULL;
    if (!c->find.op)
        return OBJECT_GONE;
    const struct component_read *r = &c->find;
    enum object_found found = read_with(o, r, &item);
    if (found != OBJECT_FOUND)
        return found;
    if (object_state_of(o->a, &c->states, item) == OBJECT_STATE_GONE)
        return OBJECT_GONE;
    o->item = item;
    /* The extra reads may need what only we know: the inputs below what was found. */
    const struct value *found_attrs = only_read(o, item), *scope = o->attrs;
    for (size_t i = 0; scope && i < value_count(found_attrs); i++)
        if (!value_is_null(found_attrs->members[i].value))
            scope = value_with(o->a, scope, found_attrs->members[i].key.ptr,
                               found_attrs->members[i].value);
    o->attrs = scope;
    for (size_t i = 0; scope && found_attrs && i < c->extra_read_count; i++) {
        const struct component_extra_read *x = &c->extra_reads[i];
        const struct value *more = NULL;
        if (!object_wants(&x->read, scope))
            continue;
        found = read_with(o, &x->read, &more);
        if (found != OBJECT_FAILED)
            found_attrs = object_attrs_from(o->a, c, found_attrs,
                                            found == OBJECT_FOUND ? more : NULL, x->name);
    }
    o->attrs = found_attrs;
    return o->attrs ? OBJECT_FOUND : OBJECT_FAILED;
}

bool object_is_owned(const struct object *o)
{
    const struct engine *e = o->engine;
    const struct cloud_driver *d = engine_cloud_of(e, o->component).driver;
    const struct value *owner = d->owner_tags(o->a, e->resource_type, e->name, o->name);
    for (size_t i = 0; i < o->component->attr_count; i++) {
        const struct component_attr *attr = &o->component->attrs[i];
        if (!attr->tags && !attr->owner)
            continue;
        const struct value *tags = value_get(o->attrs, attr->name);
        for (size_t k = 0; k < value_count(owner); k++)
            if (!slice_eq_str(owner->members[k].key, "Name") &&
                !value_equal(owner->members[k].value, value_get_slice(tags, owner->members[k].key)))
                return false;
    }
    return true;
}

/* ---- waiting ---- */

/* What a cloud says of a failure, or of what is in the way: a text, or a list of issues with texts
 * (a code, a message) and lists of texts (ids): "code: message (id, id); …". */
static void write_reason(struct buf *b, const struct value *v, const char *between)
{
    const char *before = "";
    if (value_is_known(v) && v->type->kind == TYPE_STRING)
        buf_append_slice(b, v->string);
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value *m = value_at(v, i);
        bool issue = value_is_known(m) && m->type->kind == TYPE_OBJECT;
        bool ids = !issue && value_count(m);
        bool text = value_slice(m).len > 0;
        if (!issue && !ids && !text)
            continue;
        buf_append_str(b, ids ? " (" : before);
        write_reason(b, m, issue ? ": " : ", ");
        buf_append_str(b, ids ? ")" : "");
        before = between;
    }
}

static const char *reason_of(struct arena *a, const struct component_states *s,
                             const struct value *item)
{
    _cleanup_buf_ struct buf b = BUF_INIT(REASON_MOST);
    if (s->reason_path)
        write_reason(&b, template_select(a, item, s->reason_path), "; ");
    return b.len ? arena_buf(a, &b) : NULL;
}

static int not_in_time(struct object *o, const struct component_states *s, const struct value *item)
{
    bool cancelled = cancel_is_set(o->work->cancel);
    const char *state =
        s->path && item ? value_cstr(template_select(o->a, item, s->path), NULL) : NULL;
    const char *reason = state ? reason_of(o->a, s, item) : NULL;
    bool more = reason && strcmp(reason, state) != 0;
    memset(&o->error, 0, sizeof(o->error));
    o->error.retry_after_ms = -1;
    o->error.class_ = cancelled ? CLOUD_ERROR_CANCELLED : CLOUD_ERROR_DEADLINE;
    o->error.message =
        arena_printf(o->a, "%s while the %s \"%s\" was waited for%s%s%s%s",
                     cancelled ? "it was cancelled" : "the time was up", o->component->title,
                     o->name, state ? "; its last state was " : "", state ? state : "",
                     more ? ": " : "", more ? reason : "");
    if (!o->error.message)
        o->error.message = "it was not ready in time";
    return -1;
}

static int has_failed(struct object *o, const struct component_states *s, const struct value *item)
{
    const char *state = s->path ? value_cstr(template_select(o->a, item, s->path), "") : "";
    const char *reason = reason_of(o->a, s, item);
    memset(&o->error, 0, sizeof(o->error));
    o->error.retry_after_ms = -1;
    o->error.class_ = CLOUD_ERROR_OTHER;
    o->error.message = arena_printf(o->a, "its state became \"%s\"%s%s", state, reason ? ": " : "",
                                    reason ? reason : "");
    if (!o->error.message)
        o->error.message = "it failed";
    return -1;
}

/* The first of what is expected that a ready object does not have; NULL: it is as wanted. */
static const struct component_attr *unlike(struct object *o, const struct component_states *s,
                                           const struct value *item)
{
    const struct engine_cloud at = engine_cloud_of(o->engine, o->component);
    for (size_t i = 0; i < s->expect_count; i++) {
        const struct component_attr *attr = component_attr_find(o->component, s->expect[i]);
        const struct value *want = value_get(o->attrs, attr->name);
        const struct value *seen = attr_from(o->a, attr, attr->read_path, item);
        if (!value_is_null(want) && attr_differs(o->a, &at, attr, want, seen) &&
            !attr_includes(o->a, attr, seen, want))
            return attr;
    }
    return NULL;
}

static int went_back(struct object *o, const struct component_states *s, const struct value *item,
                     const struct component_attr *attr)
{
    const char *reason = reason_of(o->a, s, item);
    const char *seen = value_cstr(attr_from(o->a, attr, attr->read_path, item), NULL);
    memset(&o->error, 0, sizeof(o->error));
    o->error.retry_after_ms = -1;
    o->error.class_ = CLOUD_ERROR_OTHER;
    o->error.message =
        seen ? arena_printf(o->a, "the change was undone: its %s is \"%s\" again%s%s", attr->name,
                            seen, reason ? ": " : "", reason ? reason : "")
             : arena_printf(o->a, "the change of its %s was undone%s%s", attr->name,
                            reason ? ": " : "", reason ? reason : "");
    if (!o->error.message)
        o->error.message = "the change was undone";
    return -1;
}

static int gone_meanwhile(struct object *o)
{
    memset(&o->error, 0, sizeof(o->error));
    o->error.retry_after_ms = -1;
    o->error.class_ = CLOUD_ERROR_NOT_FOUND;
    o->error.message = "it disappeared while it was waited for";
    return -1;
}

static bool is_undeleted(struct object *o, const struct component_states *s,
                         const struct value *item)
{
    return s->path && item &&
           state_in(s->undeleted, s->undeleted_count,
                    value_slice(template_select(o->a, item, s->path)));
}

/* A new object may not be found for a while; one that was seen and is gone will not come back. What
 * was never seen at work may be seen as it was before the call. */
enum { GONE_READS_MOST = 20, EARLIER_READS_MOST = 2 };

/* What is waited for: the object, as its own read sees it, or what `r` reads. */
static enum object_found look(struct object *o, const struct component_read *r, bool want_gone,
                              const struct value **item)
{
    if (r)
        return read_with(o, r, item);
    /* What was just read need not be read again. */
    enum object_found found = o->item && !want_gone ? OBJECT_FOUND : object_read(o, false);
    *item = o->item;
    return found;
}

static int wait_with(struct object *o, const struct component_states *s,
                     const struct component_read *r, bool want_gone)
{
    const struct clock *clock = o->work->clock;
    int64_t pause = o->component->poll_ms ? o->component->poll_ms : POLL_MS;
    int64_t most = o->component->poll_max_ms ? o->component->poll_max_ms : POLL_MOST_MS;
    int gone_reads = 0, earlier_reads = 0;
    bool seen = !r && o->item, at_work = false;
    for (;;) {
        const struct value *item = NULL;
        enum object_found found = look(o, r, want_gone, &item);
        if (found == OBJECT_FAILED)
            return -1;
        enum object_state state =
            found == OBJECT_GONE ? OBJECT_STATE_GONE : object_state_of(o->a, s, item);
        if (want_gone && state == OBJECT_STATE_GONE)
            return 0;
        if (want_gone && is_undeleted(o, s, item) &&
            (at_work || ++earlier_reads > EARLIER_READS_MOST))
            return has_failed(o, s, item);
        const struct component_attr *other =
            !want_gone && state == OBJECT_READY ? unlike(o, s, item) : NULL;
        if (!want_gone && state == OBJECT_READY && !other)
            return 0;
        if (other && (at_work || ++earlier_reads > EARLIER_READS_MOST))
            return went_back(o, s, item, other);
        at_work |= state == OBJECT_PENDING;
        if (!want_gone && state == OBJECT_STATE_FAILED)
            return has_failed(o, s, item);
        if (!want_gone && state == OBJECT_STATE_GONE && !o->component->adopt_only &&
            (seen || ++gone_reads > GONE_READS_MOST))
            return gone_meanwhile(o);
        seen |= found == OBJECT_FOUND;
        o->item = NULL;
        if (pause >= work_left_ms(o->work) ||
            clock->sleep_ms(clock->self, pause, o->work->cancel) < 0)
            return not_in_time(o, s, item);
        pause = pause * 3 / 2 < most ? pause * 3 / 2 : most;
        log_at(LOG_TRACE, "Waiting for a component", LOG_STR("component", o->name),
               LOG_INT("pause_ms", pause));
    }
}

int object_wait(struct object *o, const struct component_states *s, bool want_gone)
{
    return wait_with(o, s, NULL, want_gone);
}

int object_wait_for(struct object *o, const struct component_states *s,
                    const struct component_read *r)
{
    o->item = NULL;
    return wait_with(o, s, r, false);
}
