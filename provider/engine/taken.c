/* Objects of others that stand where one is to be made. */
#include <pthread.h>

#include "engine/internal.h"

enum { PATIENCE_MS = 20000 }; /* of a plan, which can do without an answer */

/* Where the cloud does not say whose an object is, the component's table says what to do. */
static void say_what_to_do(const struct object *o)
{
    const char *summary = arena_printf(o->a, "The %s is there already", o->component->title);
    diags_error(o->diags, NULL, summary ? summary : "It is there already",
                "Component \"%s\" of %s \"%s\" cannot be made: there is one for %s, which is not "
                "this resource's. %s",
                o->name, o->engine->resource_type, value_cstr(o->engine->name, ""),
                value_cstr(value_get(o->attrs, o->component->id_attr), "it"), o->component->taken);
}

bool object_is_taken(struct object *o)
{
    const struct cloud_driver *driver = engine_cloud_of(o->engine, o->component).driver;
    const struct value *request = NULL;
    struct object probe = *o;
    if ((!driver->describe_foreign && !o->component->taken) || !o->component->find.op ||
        object_eval(&probe, o->component->find.request, &request) < 0 ||
        !value_is_wholly_known(request) || object_find(&probe) != OBJECT_FOUND ||
        object_is_owned(&probe))
        return false;
    if (o->component->taken) {
        say_what_to_do(o);
        return true;
    }
    const char *whose = driver->describe_foreign(o->a, probe.item);
    diags_error(o->diags, NULL, "The name is taken",
                "Component \"%s\" of %s \"%s\" cannot be made: %s. It is left as it is. Choose "
                "another name, or hand it over to this resource, as the guide \"Troubleshooting\" "
                "says.",
                o->name, o->engine->resource_type, value_cstr(o->engine->name, ""),
                whose ? whose : "an object of its name is there already");
    return true;
}

/* ---- before anything is made ---- */

struct taken {
    const struct engine *engine;
    const struct work *work;
    const struct engine_change **changes;
    struct diags *diags;
    pthread_mutex_t lock; /* of diags */
};

static int check_job(void *self, size_t index)
{
    struct taken *t = self;
    const struct engine_change *ch = t->changes[index];
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags diags;
    if (!a)
        return 0;
    diags_init(&diags, a);
    struct object o = {.engine = t->engine,
                       .work = t->work,
                       .a = a,
                       .component = ch->component,
                       .name = ch->name,
                       .attrs = ch->attrs_after,
                       .diags = &diags};
    if (object_is_taken(&o)) {
        diags_set_path(&diags, ch->path);
        pthread_mutex_lock(&t->lock);
        diags_merge(t->diags, &diags);
        pthread_mutex_unlock(&t->lock);
    }
    return 0;
}

int engine_check_taken(struct arena *a, const struct engine *e, const struct work *w,
                       const struct engine_changes *changes, struct diags *diags)
{
    size_t before = diags->errors, count = 0;
    struct work patient = *w;
    int64_t most = w->clock->monotonic_ms(w->clock->self) + PATIENCE_MS;
    struct taken t = {.engine = e,
                      .work = &patient,
                      .changes = arena_calloc(a, changes->count, sizeof(*t.changes)),
                      .diags = diags};
    for (size_t i = 0; t.changes && i < changes->count; i++) {
        const struct engine_change *ch = &changes->items[i];
        bool elsewhere = engine_cloud_of(e, ch->component).client != e->client;
        if (ch->action == ENGINE_CREATE && (elsewhere || ch->component->taken))
            t.changes[count++] = ch;
    }
    patient.deadline_ms = most < w->deadline_ms ? most : w->deadline_ms;
    pthread_mutex_init(&t.lock, NULL);
    engine_parallel(count, check_job, &t, w->cancel);
    pthread_mutex_destroy(&t.lock);
    return diags->errors > before ? -1 : 0;
}
