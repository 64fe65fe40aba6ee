/* What has to happen to make a graph real, without any call. */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

struct planner {
    struct arena *a;
    const struct engine *engine;
    const struct graph *graph;
    const struct records *prior;
    struct engine_changes *changes;
    struct diags *diags;
};

static struct engine_change *change_find(const struct engine_changes *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->items[i].name, name) == 0)
            return &c->items[i];
    return NULL;
}

const struct value *changes_attr(const struct engine_changes *c, const char *name, const char *attr)
{
    const struct engine_change *change = change_find(c, name);
    bool stays = change && change->action != ENGINE_DESTROY;
    return stays ? value_get(change->attrs_after, attr) : NULL;
}

static const struct value *resolve(void *self, struct arena *a, const char *component,
                                   const char *attr)
{
    struct planner *p = self;
    (void)a;
    return changes_attr(p->changes, component, attr);
}

/* The attributes of an object that is to be made: inputs as wanted, all else unknown. */
static const struct value *attrs_of_new(struct planner *p, const struct component *c,
                                        const struct value *inputs)
{
    struct value_member *m = arena_new_array(p->a, c->attr_count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < c->attr_count; i++) {
        const struct component_attr *attr = &c->attrs[i];
        const struct value *v = value_get(inputs, attr->name);
        if (!v && attr->output)
            v = value_unknown_not_null(p->a, attr->type);
        if (v)
            m[count++] = (struct value_member){slice_str(attr->name), v};
    }
    return m ? value_object(p->a, m, count) : NULL;
}

static const struct value *attrs_after_update(struct planner *p, const struct value *actual,
                                              const struct value *inputs)
{
    const struct value *v = actual;
    for (size_t i = 0; v && i < value_count(inputs); i++)
        v = value_with(p->a, v, inputs->members[i].key.ptr, inputs->members[i].value);
    return v;
}

static bool needs_replace(const struct component *c, const char *const *attrs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (component_attr_find(c, attrs[i])->change == COMPONENT_REPLACE)
            return true;
    return false;
}

/* An update's answers may give an object another id: until then it is not known. */
static void forget_outputs(struct arena *a, const struct component_update *u,
                           struct engine_change *ch)
{
    for (size_t i = 0; i < u->step_count; i++)
        for (size_t k = 0; k < u->steps[i].output_count && ch->attrs_after; k++) {
            const char *name = u->steps[i].outputs[k].attr;
            const struct component_attr *attr = component_attr_find(ch->component, name);
            ch->attrs_after = value_with(a, ch->attrs_after, name, value_unknown(a, attr->type));
        }
}

/* Warnings and outputs of the updates that will run. */
static int take_updates(struct arena *a, struct engine_change *ch)
{
    const struct component *c = ch->component;
    const char **list = arena_calloc(a, c->update_count, sizeof(*list));
    if (!list)
        return -1;
    for (size_t i = 0; i < c->update_count; i++) {
        bool runs = false;
        for (size_t k = 0; k < c->updates[i].attr_count; k++)
            for (size_t m = 0; m < ch->attr_count; m++)
                runs |= strcmp(c->updates[i].attrs[k], ch->attrs[m]) == 0;
        if (runs && c->updates[i].warning)
            list[ch->warning_count++] = c->updates[i].warning;
        if (runs)
            forget_outputs(a, &c->updates[i], ch);
    }
    ch->warnings = list;
    return 0;
}

static int plan_node(struct planner *p, const struct node *n, struct engine_change *ch)
{
    const struct record *r = records_find(p->prior, n->name);
    const struct value *inputs = graph_inputs(p->a, p->engine, p->graph, n, resolve, p, p->diags);
    if (!inputs)
        return -1;
    *ch = (struct engine_change){
        .name = n->name, .component = n->component, .path = graph_path(p->a, p->graph, n)};
    bool exists = r && !r->missing && r->component == n->component;
    if (!exists) {
        ch->action = ENGINE_CREATE;
        ch->attrs_after = attrs_of_new(p, n->component, inputs);
        return ch->attrs_after ? 0 : -1;
    }
    const struct value *actual = record_actual(p->a, r);
    if (!actual || compare_attrs(p->a, p->engine, n->component, inputs, actual, &ch->attrs,
                                 &ch->attr_count) < 0)
        return -1;
    if (needs_replace(n->component, ch->attrs, ch->attr_count)) {
        ch->action = ENGINE_REPLACE;
        ch->attrs_after = attrs_of_new(p, n->component, inputs);
    } else if (ch->attr_count || r->incomplete) {
        ch->action = ENGINE_UPDATE;
        ch->attrs_after = attrs_after_update(p, actual, inputs);
        if (take_updates(p->a, ch) < 0)
            return -1;
    } else {
        ch->action = ENGINE_NONE;
        ch->attrs_after = actual;
    }
    return ch->attrs_after ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct engine_change *)a)->name, ((const struct engine_change *)b)->name);
}

int engine_plan(struct arena *a, const struct engine *e, const struct graph *g,
                const struct records *prior, struct engine_changes *ret, struct diags *diags)
{
    *ret = (struct engine_changes){
        arena_new_array(a, g->count + prior->count, struct engine_change), 0};
    struct planner p = {a, e, g, prior, ret, diags};
    size_t before = diags->errors;
    bool ok = ret->items != NULL;
    /* The table is in an order that respects the references: what a node refers to is planned. */
    for (size_t i = 0; ok && i < g->count; i++) {
        ok = plan_node(&p, &g->nodes[i], &ret->items[ret->count]) == 0;
        ret->count += ok;
    }
    for (size_t i = 0; ok && i < prior->count; i++) {
        const struct record *r = &prior->items[i];
        if (!graph_find(g, r->name))
            ret->items[ret->count++] = (struct engine_change){
                .name = r->name, .component = r->component, .action = ENGINE_DESTROY};
    }
    if (!ok)
        return diags->errors > before
                   ? -1
                   : diags_error(diags, NULL, "Out of memory", "The plan could not be made.");
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
    return 0;
}

/* ---- what cannot be gone on with ---- */

static bool goes(const struct engine_changes *c, const char *name)
{
    const struct engine_change *ch = change_find(c, name);
    return ch && (ch->action == ENGINE_REPLACE || ch->action == ENGINE_DESTROY);
}

/* Whether something that a record was built on goes. One that does not say what it was built on
 * stands on what its component refers to. */
static bool loses_ground(const struct graph *g, const struct engine_changes *c,
                         const struct record *r)
{
    const struct node *n = r->need_count ? NULL : graph_find(g, r->name);
    bool loses = false;
    for (size_t i = 0; i < r->need_count; i++)
        loses |= goes(c, r->needs[i]);
    for (size_t i = 0; n && i < n->dep_count; i++)
        loses |= goes(c, g->nodes[n->deps[i]].name);
    return loses;
}

bool engine_undermines(const struct graph *g, const struct records *r,
                       const struct engine_changes *c)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->items[i].missing && !goes(c, r->items[i].name) && loses_ground(g, c, &r->items[i]))
            return true;
    return false;
}
