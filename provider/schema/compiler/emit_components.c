/* tables_components.c and resources/tables.h: cloud objects, what resources are made of,
 * permissions. */
#include "schemac.h"

#include <string.h>

static const char *boolean(bool b)
{
    return b ? "true" : "false";
}

static void member(FILE *f, const char *name, const char *s)
{
    if (!s)
        return;
    fprintf(f, ".%s = ", name);
    emit_string(f, s);
    fputs(", ", f);
}

/* ---- templates ---- */

static void emit_template(struct compilation *c, FILE *f, const struct tmpl *t);

static void emit_template_members(struct compilation *c, FILE *f, const struct tmpl *t)
{
    if (!t->member_count)
        return;
    fputs(".members = (const struct template_member[]){", f);
    for (size_t i = 0; i < t->member_count; i++) {
        fputs("{", f);
        emit_string(f, t->members[i].name);
        fputs(", ", f);
        emit_template(c, f, t->members[i].value);
        fputs("}, ", f);
    }
    fprintf(f, "}, .member_count = %zu, ", t->member_count);
}

static void emit_template(struct compilation *c, FILE *f, const struct tmpl *t)
{
    static const char *const kinds[] = {"TEMPLATE_LITERAL", "TEMPLATE_REF",   "TEMPLATE_OBJECT",
                                        "TEMPLATE_TUPLE",   "TEMPLATE_FIRST", "TEMPLATE_JOIN"};
    fprintf(f, "&(const struct template){.kind = %s, ", kinds[t->kind]);
    if (t->transform)
        fprintf(f, ".transform = %s, ", t->transform);
    if (t->kind == TMPL_LITERAL) {
        const char *s = json_string_value(t->literal);
        json_t *plain = s && s[0] == '$' ? json_string(s + 1) : json_incref(t->literal);
        fputs(".literal = ", f);
        emit_value(c, f, NULL, plain);
        json_decref(plain);
    }
    member(f, "root", t->root);
    member(f, "path", t->path);
    emit_template_members(c, f, t);
    fputs("}", f);
}

static void template_member(struct compilation *c, FILE *f, const char *name, const struct tmpl *t)
{
    if (!t)
        return;
    fprintf(f, ".%s = ", name);
    emit_template(c, f, t);
    fputs(", ", f);
}

/* ---- parts of a component ---- */

static void emit_operation(FILE *f, const struct operation_def *op)
{
    fputs(".op = &(const struct cloud_operation){", f);
    member(f, "service", op->service);
    member(f, "name", op->name);
    member(f, "method", op->method);
    member(f, "uri", op->uri);
    member(f, "token_param", op->token);
    fprintf(f, ".idempotent = %s}, ", boolean(op->idempotent));
}

static void emit_states(FILE *f, const struct states_def *s)
{
    fputs("{", f);
    member(f, "path", s->path);
    emit_strings(f, "pending", "pending_count", &s->pending);
    emit_strings(f, "ready", "ready_count", &s->ready);
    emit_strings(f, "gone", "gone_count", &s->gone);
    emit_strings(f, "failed", "failed_count", &s->failed);
    emit_strings(f, "unmade", "unmade_count", &s->unmade);
    emit_strings(f, "undeleted", "undeleted_count", &s->undeleted);
    member(f, "reason_path", s->reason);
    member(f, "gone_path", s->gone_when);
    emit_strings(f, "expect", "expect_count", &s->expect);
    fputs("}", f);
}

static void emit_outputs(FILE *f, const struct step_def *s)
{
    if (!s->output_count)
        return;
    fputs(".outputs = (const struct component_output[]){", f);
    for (size_t i = 0; i < s->output_count; i++) {
        const struct output_def *o = &s->outputs[i];
        fputs("{", f);
        emit_string(f, o->attr);
        fputs(", ", f);
        emit_string(f, o->path);
        fprintf(f, ", %s}, ", o->transform ? o->transform : "TRANSFORM_NONE");
    }
    fprintf(f, "}, .output_count = %zu, ", s->output_count);
}

static void emit_read(struct compilation *c, FILE *f, const struct read_def *r)
{
    fputs("{", f);
    emit_operation(f, &r->op);
    template_member(c, f, "request", r->request);
    fprintf(f, ".batch = %s, ", boolean(r->batch));
    member(f, "items", r->items);
    member(f, "match", r->match);
    member(f, "match_attr", r->match_attr);
    member(f, "present", r->present);
    emit_strings(f, "not_found", "not_found_count", &r->not_found);
    member(f, "next_token", r->next_token);
    member(f, "when_attr", r->when);
    fputs("}", f);
}

static void emit_step(struct compilation *c, FILE *f, const struct step_def *s)
{
    fputs("\n        {", f);
    if (s->op.name)
        emit_operation(f, &s->op);
    template_member(c, f, "request", s->request);
    emit_outputs(f, s);
    if (s->each)
        fprintf(f, ".each = %s, ", s->each);
    member(f, "each_attr", s->each_attr);
    member(f, "when_attr", s->when.attr);
    member(f, "when_equals", s->when.equals);
    member(f, "unless_attr", s->unless.attr);
    member(f, "unless_equals", s->unless.equals);
    emit_strings(f, "tolerate", "tolerate_count", &s->tolerate);
    emit_strings(f, "retry", "retry_count", &s->retry);
    emit_strings(f, "restart", "restart_count", &s->restart);
    fprintf(f, ".retry_ms = %lld, ", (long long)s->retry_ms);
    if (s->wait) {
        fputs(".wait = &(const struct component_states)", f);
        emit_states(f, s->wait);
        fputs(", ", f);
    }
    if (s->wait_read) {
        fputs(".wait_read = &(const struct component_read)", f);
        emit_read(c, f, s->wait_read);
        fputs(", ", f);
    }
    fprintf(f, ".wait_gone = %s}, ", boolean(s->wait_gone));
}

static void emit_steps(struct compilation *c, FILE *f, const char *name, const char *count_name,
                       const struct steps *s)
{
    if (!s->count)
        return;
    fprintf(f, ".%s = (const struct component_step[]){", name);
    for (size_t i = 0; i < s->count; i++)
        emit_step(c, f, &s->items[i]);
    fprintf(f, "}, .%s = %zu,\n    ", count_name, s->count);
}

static void emit_named_reads(struct compilation *c, FILE *f, const char *name,
                             const char *count_name, const struct extra_read_def *reads,
                             size_t count)
{
    if (!count)
        return;
    fprintf(f, ".%s = (const struct component_extra_read[]){", name);
    for (size_t i = 0; i < count; i++) {
        fputs("{", f);
        emit_string(f, reads[i].name);
        fputs(", ", f);
        emit_read(c, f, &reads[i].read);
        fputs("}, ", f);
    }
    fprintf(f, "}, .%s = %zu,\n    ", count_name, count);
}

static void emit_reads(struct compilation *c, FILE *f, const struct component_def *d)
{
    if (d->read.op.name) {
        fputs(".read = ", f);
        emit_read(c, f, &d->read);
        fputs(",\n    ", f);
    }
    if (d->find.op.name) {
        fputs(".find = ", f);
        emit_read(c, f, &d->find);
        fputs(",\n    ", f);
    }
    if (d->list.op.name) {
        fputs(".list = ", f);
        emit_read(c, f, &d->list);
        fputs(",\n    ", f);
    }
    emit_named_reads(c, f, "extra_reads", "extra_read_count", d->extra_reads, d->extra_read_count);
}

static void emit_held(struct compilation *c, FILE *f, const struct held_def *h)
{
    if (!h->at)
        return;
    fputs(".held = {", f);
    emit_strings(f, "codes", "code_count", &h->codes);
    emit_named_reads(c, f, "by", "by_count", h->by, h->by_count);
    member(f, "advice", h->advice);
    fprintf(f, ".patience_ms = %lld},\n    ", (long long)h->patience_ms);
}

static void emit_updates(struct compilation *c, FILE *f, const struct component_def *d)
{
    if (!d->update_count)
        return;
    fputs(".updates = (const struct component_update[]){", f);
    for (size_t i = 0; i < d->update_count; i++) {
        fputs("{", f);
        emit_strings(f, "attrs", "attr_count", &d->updates[i].attrs);
        member(f, "warning", d->updates[i].warning);
        emit_steps(c, f, "steps", "step_count", &d->updates[i].steps);
        fputs("}, ", f);
    }
    fprintf(f, "}, .update_count = %zu,\n    ", d->update_count);
}

static void emit_component_attr(struct compilation *c, FILE *f, const struct component_attr_def *a)
{
    fputs("\n        {.name = ", f);
    emit_string(f, a->name);
    fprintf(f, ", .type = %s, .change = %s, ", a->type->symbol,
            a->change ? a->change : "COMPONENT_KEEP");
    fprintf(f,
            ".input = %s, .output = %s, .required = %s, .sensitive = %s, .in_create = %s, "
            ".is_set = %s, .tags = %s, .owner = %s, ",
            boolean(a->input), boolean(a->output), boolean(a->required), boolean(a->sensitive),
            boolean(a->in_create), boolean(a->is_set), boolean(a->tags), boolean(a->owner));
    member(f, "read_path", a->read);
    if (a->read_as)
        fprintf(f, ".read_as = %s, ", a->read_as);
    if (a->compare_as)
        fprintf(f, ".compare_as = %s, ", a->compare_as);
    if (a->defaults)
        fputs(".defaults = true, ", f);
    if (a->if_set)
        fputs(".if_set = true, ", f);
    member(f, "version_of", a->version_of);
    member(f, "read_where", a->read_where);
    if (a->absent) {
        fputs(".absent = ", f);
        emit_value(c, f, a->type, a->absent);
    }
    fputs("}, ", f);
}

static void emit_component(struct compilation *c, FILE *f, const struct component_def *d)
{
    fprintf(f, "const struct component %s = {\n    ", d->symbol);
    member(f, "kind", d->kind);
    member(f, "cloud", d->cloud);
    member(f, "title", d->title);
    member(f, "destroyed_by", d->destroyed_by);
    member(f, "taken", d->taken);
    fprintf(f, ".hidden = %s, .adopt_only = %s, .put_back = %s,\n", boolean(d->hidden),
            boolean(d->adopt_only), boolean(d->put_back));
    fputs("    .attrs = (const struct component_attr[]){", f);
    for (size_t i = 0; i < d->attr_count; i++)
        emit_component_attr(c, f, &d->attrs[i]);
    fprintf(f, "}, .attr_count = %zu,\n    ", d->attr_count);
    member(f, "id_attr", d->id);
    member(f, "display", d->display);
    emit_steps(c, f, "create", "create_count", &d->create);
    fputs(".states = ", f);
    emit_states(f, &d->states);
    fputs(",\n    ", f);
    emit_reads(c, f, d);
    emit_updates(c, f, d);
    emit_steps(c, f, "destroy", "destroy_count", &d->destroy);
    emit_held(c, f, &d->held);
    emit_strings(f, "permissions", "permission_count", &d->permissions);
    fprintf(f, ".poll_ms = %lld, .poll_max_ms = %lld,\n};\n\n", (long long)d->poll[0],
            (long long)d->poll[1]);
}

/* ---- resources ---- */

static void emit_entry(struct compilation *c, FILE *f, const struct resource_component_def *d)
{
    fputs("    {.name = ", f);
    emit_string(f, d->name);
    fprintf(f, ", .component = &%s, ", d->component->symbol);
    template_member(c, f, "for_each", d->for_each);
    template_member(c, f, "when", d->when);
    member(f, "when_equals", d->when_equals);
    template_member(c, f, "inputs", d->inputs);
    emit_strings(f, "after", "after_count", &d->after);
    member(f, "hook", d->hook);
    template_member(c, f, "attribute", d->attribute);
    fputs("},\n", f);
}

static void emit_resource(struct compilation *c, FILE *f, const struct schema_def *s)
{
    for (size_t i = 0; i < s->cloud_count; i++) {
        const struct cloud_def *cloud = &s->clouds[i];
        fprintf(f, "static const struct resource_component components_%s_%s[] = {\n", s->type,
                cloud->cloud);
        for (size_t k = 0; k < cloud->component_count; k++)
            emit_entry(c, f, cloud->components[k]);
        fputs("};\n\n", f);
    }
    fprintf(f, "const struct resource_table table_%s = {\n    .type_name = ", s->type);
    emit_string(f, s->type);
    fputs(",\n    .clouds = (const struct resource_cloud[]){\n", f);
    for (size_t i = 0; i < s->cloud_count; i++) {
        fputs("        {", f);
        emit_string(f, s->clouds[i].cloud);
        fprintf(f, ", components_%s_%s, %zu},\n", s->type, s->clouds[i].cloud,
                s->clouds[i].component_count);
    }
    fprintf(f, "    },\n    .cloud_count = %zu,\n};\n\n", s->cloud_count);
}

static bool is_op(const struct operation_def *op, const char *name)
{
    return op->name && strcmp(op->name, name) == 0;
}

/* Whether an action is only for listing the keys of a for_each, and the cloud has none of the kind.
 */
static bool lists_nothing(const struct cloud_def *cloud, const struct component_def *d,
                          const char *permission)
{
    const char *colon = strchr(permission, ':');
    if (!colon || !is_op(&d->list.op, colon + 1) || is_op(&d->read.op, colon + 1) ||
        is_op(&d->find.op, colon + 1))
        return false;
    for (size_t i = 0; i < cloud->component_count; i++)
        if (cloud->components[i]->component == d && cloud->components[i]->for_each)
            return false;
    return true;
}

struct strings permissions_of_kind(struct compilation *c, const struct cloud_def *cloud,
                                   const struct component_def *d)
{
    struct strings all = {0};
    for (size_t i = 0; i < d->permissions.count; i++)
        if (!lists_nothing(cloud, d, d->permissions.items[i]))
            strings_add(c, &all, d->permissions.items[i]);
    return all;
}

struct strings permissions_of(struct compilation *c, const struct cloud_def *cloud)
{
    struct strings all = {0};
    for (size_t i = 0; i < cloud->permissions.count; i++)
        strings_add(c, &all, cloud->permissions.items[i]);
    for (size_t i = 0; i < cloud->component_count; i++) {
        const struct component_def *d = cloud->components[i]->component;
        const struct strings own = permissions_of_kind(c, cloud, d);
        for (size_t k = 0; !is_in_cluster(d) && k < own.count; k++) {
            if (!strings_have(&all, own.items[k]))
                strings_add(c, &all, own.items[k]);
        }
    }
    strings_sort(&all);
    return all;
}

static size_t emit_permissions(struct compilation *c, FILE *f, const struct schema_def *s)
{
    for (size_t i = 0; i < s->cloud_count; i++) {
        struct strings all = permissions_of(c, &s->clouds[i]);
        fputs("    {.type_name = ", f);
        emit_string(f, s->type);
        fputs(", .cloud = ", f);
        emit_string(f, s->clouds[i].cloud);
        fputs(", ", f);
        emit_strings(f, "permissions", "permission_count", &all);
        fputs("},\n", f);
    }
    return s->cloud_count;
}

int emit_component_tables(struct compilation *c, FILE *f)
{
    fputs("/* Generated by llm-schemac from schemas/. */\n#include \"resources/tables.h\"\n\n", f);
    emit_types(c, f);
    for (size_t i = 0; i < c->component_count; i++)
        emit_component(c, f, c->components[i]);
    fputs("const struct component *const all_components[] = {\n", f);
    for (size_t i = 0; i < c->component_count; i++)
        fprintf(f, "    &%s,\n", c->components[i]->symbol);
    fprintf(f, "    NULL,\n};\nconst size_t all_component_count = %zu;\n\n", c->component_count);
    for (size_t i = 0; i < c->resources.count; i++)
        emit_resource(c, f, c->resources.items[i]);
    fputs("const struct resource_permissions all_permissions[] = {\n", f);
    size_t count = 0;
    for (size_t i = 0; i < c->resources.count; i++)
        count += emit_permissions(c, f, c->resources.items[i]);
    fprintf(f, "    {.type_name = NULL},\n};\nconst size_t all_permission_count = %zu;\n", count);
    return ferror(f) ? -1 : 0;
}

int emit_component_header(struct compilation *c, FILE *f)
{
    fputs("/* Generated by llm-schemac from schemas/. */\n"
          "#ifndef LLM_RESOURCES_TABLES_H\n#define LLM_RESOURCES_TABLES_H\n\n"
          "#include \"cloud/component.h\"\n\n"
          "/* All kinds of cloud objects, sorted by kind; a NULL follows the last. */\n"
          "extern const struct component *const all_components[];\n"
          "extern const size_t all_component_count;\n\n"
          "/* What a resource needs to be allowed in a cloud, sorted. */\n"
          "struct resource_permissions {\n    const char *type_name, *cloud;\n"
          "    const char *const *permissions;\n    size_t permission_count;\n};\n"
          "/* A last entry with type_name NULL is not counted. */\n"
          "extern const struct resource_permissions all_permissions[];\n"
          "extern const size_t all_permission_count;\n\n",
          f);
    for (size_t i = 0; i < c->component_count; i++)
        fprintf(f, "extern const struct component %s;\n", c->components[i]->symbol);
    for (size_t i = 0; i < c->resources.count; i++)
        fprintf(f, "extern const struct resource_table table_%s;\n", c->resources.items[i]->type);
    fputs("\n#endif\n", f);
    return ferror(f) ? -1 : 0;
}
