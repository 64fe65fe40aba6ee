/* What keeps an object from being deleted, and is not this resource's: the error names it. */
#include "engine/internal.h"

#include <string.h>

enum { LOOK_MS = 10000, NAMES_MOST = 20, TEXT_MOST = 8192 };

/* "attached policy a, attached policy b": as many as a message holds. */
static size_t add_names(struct buf *b, const char *what, const struct value *names, size_t before)
{
    size_t count = value_count(names);
    for (size_t i = 0; i < count && before + i < NAMES_MOST; i++)
        buf_printf(b, "%s%s %s", b->len ? ", " : "", what, value_cstr(value_at(names, i), ""));
    return before + count;
}

/* What is in the way, in words; NULL: nothing is seen. Who may not be asked says nothing. */
static const char *holders(struct object *o)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    const struct component_held *held = &o->component->held;
    size_t count = 0;
    for (size_t i = 0; i < held->by_count; i++) {
        const struct value *names = NULL;
        if (object_list(o, &held->by[i].read, &names) == OBJECT_FOUND)
            count = add_names(&b, held->by[i].name, names, count);
    }
    if (count > NAMES_MOST)
        buf_printf(&b, ", and %zu more", count - NAMES_MOST);
    return b.len ? arena_buf(o->a, &b) : NULL;
}

static const char *who_holds(struct object *o)
{
    struct object probe = *o;
    const struct work work = work_with_least(o->work, LOOK_MS);
    probe.work = &work;
    return holders(&probe);
}

bool object_is_held(struct object *o, int64_t for_ms, bool last)
{
    const struct component_held *held = &o->component->held;
    bool patient = !held->patience_ms || for_ms < held->patience_ms;
    if (!o->destroying || (patient && !last) || cancel_is_hard(o->work->cancel) ||
        !cloud_error_in(held->codes, held->code_count, &o->error))
        return false;
    const char *who = who_holds(o);
    if (!who)
        return false;
    size_t len = strlen(o->error.message);
    len -= len && o->error.message[len - 1] == '.';
    const char *text = arena_printf(o->a, "%.*s. In the way: %s. %s", (int)len, o->error.message,
                                    who, held->advice);
    o->error.message = text ? text : o->error.message;
    o->error.advised = true;
    return true;
}
