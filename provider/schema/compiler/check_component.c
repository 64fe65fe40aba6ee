/* Checks of one cloud object: that every reference names something, that every attribute is mapped,
 * and that every operation is among the permissions. */
#include "schemac.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Where a request stands: what it may refer to. */
struct scope {
    bool token, element, ids, owner_filter, prior, inputs_only;
    bool create, extra;
    bool owner_filter_seen, ids_seen, token_seen;
};

struct component_attr_def *component_attr_find(const struct component_def *d, const char *name)
{
    size_t len = strcspn(name, ".");
    for (size_t i = 0; i < d->attr_count; i++) {
        if (strlen(d->attrs[i].name) == len && strncmp(d->attrs[i].name, name, len) == 0)
            return &d->attrs[i];
    }
    return NULL;
}

struct component_def *component_find(const struct compilation *c, const char *kind)
{
    for (size_t i = 0; i < c->component_count; i++) {
        if (strcmp(c->components[i]->kind, kind) == 0)
            return c->components[i];
    }
    return NULL;
}

/* ---- references ---- */

static const char *const special_roots[] = {"token",  "element", "ids",       "owner_filter",
                                            "region", "account", "partition", "prior"};

static bool is_special(const char *root)
{
    for (size_t i = 0; i < COUNT(special_roots); i++) {
        if (strcmp(special_roots[i], root) == 0)
            return true;
    }
    return false;
}

static void resolve_special(struct compilation *c, const struct component_def *d, struct tmpl *t,
                            struct scope *s)
{
    const char *why = NULL;
    if (strcmp(t->root, "token") == 0 && !s->token)
        why = "\"$token\" in a step without \"token\"";
    if (strcmp(t->root, "element") == 0 && !s->element)
        why = "\"$element\" in a step without \"each\"";
    if (strcmp(t->root, "ids") == 0 && !s->ids)
        why = "\"$ids\" in a call that is no batch";
    if (strcmp(t->root, "owner_filter") == 0 && !s->owner_filter)
        why = "\"$owner_filter\" stands in \"find\" only";
    if (strcmp(t->root, "prior") == 0) {
        struct component_attr_def *a = t->path ? component_attr_find(d, t->path) : NULL;
        if (!s->prior)
            why = "\"$prior\" stands in updates only";
        else if (!a)
            why = "\"$prior\" names no attribute";
    } else if (t->path && strcmp(t->root, "element") != 0) {
        why = "it has no members";
    }
    if (why)
        refuse(c, t->at, "%s", why);
    s->token_seen |= strcmp(t->root, "token") == 0;
    s->ids_seen |= strcmp(t->root, "ids") == 0;
}

static void resolve(struct compilation *c, const struct component_def *d, struct tmpl *t,
                    struct scope *s)
{
    for (size_t i = 0; i < t->member_count; i++)
        resolve(c, d, t->members[i].value, s);
    if (t->kind != TMPL_REF)
        return;
    const char *dot = strchr(t->ref, '.');
    const char *first = text(c, "%.*s", (int)strcspn(t->ref, "."), t->ref);
    if (is_special(first)) {
        t->root = first;
        t->path = dot ? dot + 1 : NULL;
        resolve_special(c, d, t, s);
        return;
    }
    struct component_attr_def *a = component_attr_find(d, first);
    t->root = "";
    t->path = t->ref;
    if (!a) {
        refuse(c, t->at, "\"$%s\": there is no attribute \"%s\"", t->ref, first);
        return;
    }
    if (s->inputs_only && !a->input)
        refuse(c, t->at, "\"$%s\" is not known when the object is looked for", t->ref);
    a->sent = true;
}

static bool sends(const struct tmpl *t, const char *attr)
{
    if (t->kind == TMPL_REF)
        return t->root && !*t->root && strncmp(t->path, attr, strlen(attr)) == 0 &&
               (!t->path[strlen(attr)] || t->path[strlen(attr)] == '.');
    for (size_t i = 0; i < t->member_count; i++) {
        if (sends(t->members[i].value, attr))
            return true;
    }
    return false;
}

/* ---- operations ---- */

/* IAM actions are named as the operations are; S3 is the exception. */
static void check_permission(struct compilation *c, const struct component_def *d,
                             const struct place *at, const struct operation_def *op)
{
    const char *service = op->service ? op->service : d->service;
    if (strcmp(d->cloud, "aws") != 0 || !service || strcmp(service, "s3") == 0)
        return;
    for (size_t i = 0; i < d->permissions.count; i++) {
        const char *colon = strchr(d->permissions.items[i], ':');
        if (colon && strcmp(colon + 1, op->name) == 0)
            return;
    }
    refuse(c, at, "\"permissions\" lacks \"%s:%s\"", service, op->name);
}

static void check_request(struct compilation *c, const struct component_def *d,
                          const struct place *at, struct operation_def *op, struct tmpl *request,
                          struct scope *s)
{
    if (!op->service)
        op->service = d->service;
    check_permission(c, d, at, op);
    if (request->kind != TMPL_OBJECT)
        refuse(c, at, "a request is an object");
    resolve(c, d, request, s);
    if (s->ids && !s->ids_seen)
        refuse(c, at, "a batch that does not use \"$ids\"");
    if (op->token && !s->token_seen)
        refuse(c, at, "\"token\" is \"%s\", but the request has no \"$token\"", op->token);
}

static void check_when(struct compilation *c, const struct component_def *d, const struct place *at,
                       const char *attr, const char *equals)
{
    if (!attr)
        return;
    const char *name = strncmp(attr, "prior.", 6) == 0 ? attr + 6 : attr;
    struct component_attr_def *a = component_attr_find(d, name);
    if (!a || strchr(name, '.')) {
        refuse(c, at, "the condition names no attribute: \"%s\"", attr);
        return;
    }
    if (equals && a->type && strcmp(a->type->kind, "TYPE_STRING") != 0)
        refuse(c, at, "\"equals\" compares strings; \"%s\" is a %s", attr, type_text(c, a->type));
    a->sent = true;
}

static void check_outputs(struct compilation *c, const struct component_def *d,
                          const struct step_def *s)
{
    for (size_t i = 0; i < s->output_count; i++) {
        struct component_attr_def *a = component_attr_find(d, s->outputs[i].attr);
        if (!a || strchr(s->outputs[i].attr, '.'))
            refuse(c, s->outputs[i].at, "there is no attribute \"%s\"", s->outputs[i].attr);
        else
            a->set = true;
    }
}

static void check_read(struct compilation *c, const struct component_def *d, struct read_def *r,
                       struct scope scope)
{
    if (!r->op.name || !r->request)
        return;
    scope.ids = r->batch;
    check_when(c, d, r->at, r->when, NULL);
    if (r->when && !scope.extra)
        refuse(c, r->at, "\"when\" is for extra reads and steps");
    check_request(c, d, r->at, &r->op, r->request, &scope);
    if (r->match_attr && !component_attr_find(d, r->match_attr))
        refuse(c, r->at, "\"match_attr\": there is no attribute \"%s\"", r->match_attr);
}

/* What is listed is looked for then, by its key, and told by its tags from what is another's. */
static void check_list(struct compilation *c, struct component_def *d)
{
    struct read_def *list = &d->list;
    bool owned = false;
    for (size_t i = 0; i < d->attr_count; i++)
        owned |= d->attrs[i].tags || d->attrs[i].owner;
    if (!list->op.name)
        return;
    if (list->batch || !list->items || !d->find.op.name || !owned)
        refuse(c, list->at,
               "\"list\" has \"items\", is no batch, and is for what has tags and \"find\"");
    check_read(c, d, list, (struct scope){.inputs_only = true});
}

/* What is in the way is asked for when the object is refused to be destroyed. */
static void check_held(struct compilation *c, struct component_def *d)
{
    struct held_def *h = &d->held;
    if (!h->at)
        return;
    if (!h->codes.count || !h->by_count || !d->destroy.count)
        refuse(c, h->at, "\"held\" has codes of calls that destroy, and who to ask then");
    if (h->advice && (!*h->advice || h->advice[strlen(h->advice) - 1] != '.'))
        refuse(c, h->at, "\"advice\" is made of sentences");
    for (size_t i = 0; i < h->by_count; i++) {
        struct read_def *r = &h->by[i].read;
        if (r->batch || !r->items)
            refuse(c, r->at, "what holds an object is listed: \"items\", and no batch");
        check_read(c, d, r, (struct scope){0});
    }
}

/* What a ready object is expected to have is seen in its own read. */
static void check_expect(struct compilation *c, const struct component_def *d,
                         const struct place *at, const struct states_def *s)
{
    for (size_t i = 0; i < s->expect.count; i++) {
        const char *name = s->expect.items[i];
        const struct component_attr_def *a = component_attr_find(d, name);
        if (!a || !a->input || !a->read || strchr(a->read, ':'))
            refuse(c, at, "\"expect\" names no input that is read: \"%s\"", name);
    }
}

static void check_step(struct compilation *c, const struct component_def *d, struct step_def *s,
                       struct scope scope)
{
    check_when(c, d, s->at, s->when.attr, s->when.equals);
    check_when(c, d, s->at, s->unless.attr, s->unless.equals);
    if (s->wait_read)
        check_read(c, d, s->wait_read, scope);
    if (s->wait)
        check_expect(c, d, s->at, s->wait);
    if (s->wait_read && s->wait->expect.count)
        refuse(c, s->at, "\"expect\" is about the object, which this wait does not read");
    if (!s->op.name) {
        if (!s->wait_read && !d->read.op.name)
            refuse(c, s->at, "a wait without a \"read\" to look with");
        return;
    }
    if (!s->request)
        return;
    if (s->each) {
        struct component_attr_def *a = component_attr_find(d, s->each_attr);
        if (!a || !a->type || !a->type->elem)
            refuse(c, s->at, "\"each\" is about a collection, which \"%s\" is not", s->each_attr);
        else
            a->sent = true;
    }
    scope.element = s->each != NULL;
    scope.token = s->op.token != NULL;
    check_request(c, d, s->at, &s->op, s->request, &scope);
    check_outputs(c, d, s);
}

static void check_steps(struct compilation *c, const struct component_def *d, struct steps *steps,
                        struct scope scope)
{
    for (size_t i = 0; i < steps->count; i++)
        check_step(c, d, &steps->items[i], scope);
}

static void check_updates(struct compilation *c, const struct component_def *d)
{
    for (size_t i = 0; i < d->update_count; i++) {
        struct update_def *u = &d->updates[i];
        for (size_t k = 0; k < u->attrs.count; k++) {
            struct component_attr_def *a = component_attr_find(d, u->attrs.items[k]);
            if (!a || !a->input) {
                refuse(c, u->at, "there is no input \"%s\"", u->attrs.items[k]);
                continue;
            }
            a->sent = true;
            for (size_t j = 0; j < i; j++) {
                if (strings_have(&d->updates[j].attrs, a->name))
                    refuse(c, u->at, "another update sets \"%s\" too", a->name);
            }
        }
        check_steps(c, d, &u->steps, (struct scope){.prior = true});
    }
}

/* ---- attributes ---- */

static bool updated(const struct component_def *d, const char *attr)
{
    for (size_t i = 0; i < d->update_count; i++) {
        if (strings_have(&d->updates[i].attrs, attr))
            return true;
    }
    return false;
}

static bool created(const struct component_def *d, const char *attr)
{
    for (size_t i = 0; i < d->create.count; i++) {
        const struct step_def *s = &d->create.items[i];
        if (s->request && sends(s->request, attr))
            return true;
    }
    return false;
}

static void check_read_path(struct compilation *c, const struct component_def *d,
                            struct component_attr_def *a)
{
    if (!a->read && (a->read_as || a->read_where))
        refuse(c, a->at, "\"read_as\" and \"read_where\" need \"read\"");
    if (a->absent && (!a->read || json_is_null(a->absent)))
        refuse(c, a->at, "\"absent\" is a value, and needs \"read\"");
    else if (a->absent && a->type)
        type_check_json(c, place_key(c, a->at, "absent"), a->type, a->absent);
    if (a->read_where && !strchr(a->read_where, '='))
        refuse(c, a->at, "\"read_where\" is written \"name=value\"");
    if (!a->read)
        return;
    a->set = true;
    if (!d->read.op.name)
        refuse(c, a->at, "\"read\" in an object that is never read");
    size_t len = strcspn(a->read, ":.");
    if (a->read[len] != ':')
        return;
    for (size_t i = 0; i < d->extra_read_count; i++) {
        if (strlen(d->extra_reads[i].name) == len &&
            strncmp(d->extra_reads[i].name, a->read, len) == 0)
            return;
    }
    refuse(c, a->at, "\"read\" names no extra read: \"%s\"", a->read);
}

static void check_input(struct compilation *c, const struct component_def *d,
                        const struct component_attr_def *a)
{
    if (!a->change)
        refuse(c, a->at, "an input says what a change does: \"change\"");
    else if (strcmp(a->change, "COMPONENT_UPDATE") == 0 && !a->version_of && !updated(d, a->name))
        refuse(c, a->at, "\"change\" is \"update\", but no update names it");
    if (a->in_create && !created(d, a->name) && !a->unsent)
        refuse(c, a->at, "\"in_create\", but no create step sends it");
    if (!a->sent && !a->unsent)
        refuse(c, a->at, "no request mentions this input (say why with \"unsent\")");
    if (a->sent && a->unsent && !a->in_create)
        refuse(c, a->at, "\"unsent\", but a request mentions it");
    if (a->sensitive && !a->version_of && a->change && strcmp(a->change, "COMPONENT_KEEP") != 0)
        refuse(c, a->at, "a change of a sensitive input is seen through \"version_of\"");
    if (a->defaults && (!a->read || !a->compare_as))
        refuse(c, a->at, "\"defaults\" needs \"read\" and \"compare_as\"");
    const struct component_attr_def *v =
        a->version_of ? component_attr_find(d, a->version_of) : NULL;
    if (a->version_of && (!a->sensitive || !v || !v->input))
        refuse(c, a->at, "\"version_of\" is of a sensitive input, and names another input");
}

static void check_attr(struct compilation *c, const struct component_def *d,
                       struct component_attr_def *a)
{
    check_read_path(c, d, a);
    if (is_special(a->name))
        refuse(c, a->at, "\"$%s\" has another meaning", a->name);
    if (!a->input && !a->output)
        refuse(c, a->at, "an attribute is \"input\" or \"output\"");
    if (a->input)
        check_input(c, d, a);
    else if (a->change || a->required || a->in_create || a->tags || a->owner || a->unsent ||
             a->version_of || a->compare_as || a->defaults)
        refuse(c, a->at, "fields of an input on an output");
    if (a->output && !a->set)
        refuse(c, a->at, "nothing sets this output");
    if (a->tags && a->owner)
        refuse(c, a->at, "tags have the owner already");
    if ((a->tags || a->owner) && a->type && strcmp(a->type->json, "[\"map\",\"string\"]") != 0)
        refuse(c, a->at, "tags are a map of strings");
}

/* ---- the whole object ---- */

static void check_life(struct compilation *c, const struct component_def *d)
{
    if (d->adopt_only) {
        if (d->create.count || d->destroy.count || d->update_count)
            refuse(c, d->at, "\"adopt_only\" excludes create, updates and destroy");
        if (!d->read.op.name)
            refuse(c, d->at, "\"adopt_only\" needs \"read\"");
    } else if (d->destroyed_by) {
        if (!d->hidden || d->create.count || d->destroy.count)
            refuse(c, d->at, "\"destroyed_by\" is for hidden objects without calls of their own");
    } else if (!d->create.count) {
        refuse(c, d->at, "missing field \"create\"");
    } else if (!d->hidden && (!d->destroy.count || !d->read.op.name)) {
        refuse(c, d->at, "an object that is made is read and destroyed too");
    }
    check_expect(c, d, d->at, &d->states);
    if ((d->states.path || d->states.gone_when) && !d->read.op.name)
        refuse(c, d->at, "\"states\" without \"read\"");
    if (!component_attr_find(d, d->id ? d->id : ""))
        refuse(c, place_key(c, d->at, "id"), "there is no attribute \"%s\"", d->id);
    if (!component_attr_find(d, d->display ? d->display : ""))
        refuse(c, place_key(c, d->at, "display"), "there is no attribute \"%s\"", d->display);
    if (!d->permissions.count)
        refuse(c, d->at, "no permissions");
    const char *base = strrchr(d->at->file, '/');
    const char *expected = text(c, "%s_%s", d->cloud, base ? base + 1 : "");
    if (strcmp(expected, text(c, "%s.json", d->kind)) != 0)
        refuse(c, place_key(c, d->at, "kind"), "\"%s\" does not fit the file's name", d->kind);
}

void check_component(struct compilation *c, struct component_def *d)
{
    check_life(c, d);
    check_steps(c, d, &d->create, (struct scope){.create = true});
    check_updates(c, d);
    check_steps(c, d, &d->destroy, (struct scope){0});
    check_read(c, d, &d->read, (struct scope){0});
    for (size_t i = 0; i < d->extra_read_count; i++)
        check_read(c, d, &d->extra_reads[i].read, (struct scope){.extra = true});
    check_read(c, d, &d->find, (struct scope){.owner_filter = true, .inputs_only = true});
    check_list(c, d);
    check_held(c, d);
    for (size_t i = 0; i < d->attr_count; i++)
        check_attr(c, d, &d->attrs[i]);
}
