/* Checking a configuration: every attribute with its validators, then the rules over several. */
#include "schema/validators.h"

struct checker {
    struct arena *arena;
    struct diags *diags;
};

/* ---- attributes ---- */

static void check_attrs(struct checker *k, const struct schema_attr *attrs, size_t count,
                        const struct value *v, const struct path *path);

static const struct path *member_path(struct checker *k, const struct value *v, size_t i,
                                      const struct path *path)
{
    if (v->type->kind == TYPE_MAP)
        return path_key(k->arena, path, v->members[i].key);
    if (v->type->kind == TYPE_LIST)
        return path_index(k->arena, path, (int64_t)i);
    return path; /* members of a set have no path of their own */
}

static void check_validators(struct checker *k, const struct schema_attr *a, const struct value *v,
                             const struct path *path)
{
    bool sensitive = (a->flags & (SCHEMA_SENSITIVE | SCHEMA_WRITE_ONLY)) != 0;
    for (size_t i = 0; i < a->validator_count; i++) {
        const struct schema_validator *check = &a->validators[i];
        if (!check->each) {
            validator_apply(check, v, sensitive, path, k->diags);
            continue;
        }
        for (size_t m = 0; m < value_count(v); m++) {
            if (value_is_known(value_at(v, m)))
                validator_apply(check, value_at(v, m), sensitive, member_path(k, v, m, path),
                                k->diags);
        }
    }
}

/* No collection that we take means anything by a null member. */
static void check_null_members(struct checker *k, const struct value *v, const struct path *path)
{
    enum type_kind kind = v->type->kind;
    if (kind != TYPE_LIST && kind != TYPE_SET && kind != TYPE_MAP)
        return;
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value *m = value_at(v, i);
        const struct path *at = member_path(k, v, i, path);
        if (value_is_null(m))
            diags_error(k->diags, at, "Null value in a collection",
                        "%s holds a null. Leave the member out, or give it a value.",
                        path_string(k->arena, path));
        else if (value_is_known(m))
            check_null_members(k, m, at);
    }
}

static void check_nested(struct checker *k, const struct schema_attr *a, const struct value *v,
                         const struct path *path)
{
    if (a->nesting == SCHEMA_NESTING_SINGLE) {
        check_attrs(k, a->attrs, a->attr_count, v, path);
        return;
    }
    for (size_t i = 0; i < value_count(v); i++) {
        if (value_is_known(value_at(v, i)))
            check_attrs(k, a->attrs, a->attr_count, value_at(v, i), member_path(k, v, i, path));
    }
}

static void check_attr(struct checker *k, const struct schema_attr *a, const struct value *v,
                       const struct path *path)
{
    if (value_is_null(v)) {
        if (a->flags & SCHEMA_REQUIRED)
            diags_error(k->diags, path, "Missing required argument",
                        "%s is required, but it is not set (or set to null).",
                        path_string(k->arena, path));
        return;
    }
    if (!(a->flags & (SCHEMA_REQUIRED | SCHEMA_OPTIONAL))) {
        diags_error(k->diags, path, "Value for a read-only attribute",
                    "%s is decided by the provider and cannot be set. Remove it from the "
                    "configuration.",
                    path_string(k->arena, path));
        return;
    }
    if (a->deprecation)
        diags_warning(k->diags, path, "Attribute is deprecated", "%s", a->deprecation);
    if (value_is_unknown(v))
        return;
    check_null_members(k, v, path);
    check_validators(k, a, v, path);
    if (a->nesting != SCHEMA_NESTING_NONE)
        check_nested(k, a, v, path);
}

static void check_attrs(struct checker *k, const struct schema_attr *attrs, size_t count,
                        const struct value *v, const struct path *path)
{
    for (size_t i = 0; i < count; i++)
        check_attr(k, &attrs[i], value_get(v, attrs[i].name),
                   path_attribute(k->arena, path, attrs[i].name));
}

static void check_timeouts(struct checker *k, const struct value *timeouts)
{
    static const struct schema_validator duration = {.kind = SCHEMA_DURATION};
    const struct path *block = path_attribute(k->arena, NULL, "timeouts");
    for (size_t i = 0; i < value_count(timeouts); i++) {
        const struct value *v = value_at(timeouts, i);
        const struct type_attr *a = &timeouts->type->attrs[i];
        const struct path *path = path_attribute(k->arena, block, a->name);
        int64_t ms = 0;
        if (!value_is_known(v))
            continue;
        if (schema_duration_parse(value_slice(v), &ms) == 0 && ms >= 0 && ms < 1000)
            diags_error(k->diags, path, "Invalid value", "%s is shorter than a second.",
                        path_string(k->arena, path));
        else
            validator_apply(&duration, v, false, path, k->diags);
    }
}

/* ---- rules ---- */

struct tally {
    size_t set, unknown, null;
    const char *first_set, *first_null;
};

static struct tally count_set(const struct schema_rule *r, const struct value *config)
{
    struct tally t = {0};
    for (size_t i = 0; i < r->path_count; i++) {
        const struct value *v = value_path(config, r->paths[i]);
        if (value_is_unknown(v)) {
            t.unknown++;
        } else if (value_is_null(v)) {
            t.first_null = t.null++ ? t.first_null : r->paths[i];
        } else {
            t.first_set = t.set++ ? t.first_set : r->paths[i];
        }
    }
    return t;
}

/* True when all paths of the rule stand in one nested attribute, which is not set: then the rule
 * has nothing to say. */
static bool parent_is_null(struct arena *a, const struct schema_rule *r, const struct value *config)
{
    const char *dot = strrchr(r->paths[0], '.');
    size_t len = dot ? (size_t)(dot - r->paths[0]) : 0;
    for (size_t i = 1; i < r->path_count && len; i++) {
        const char *other = strrchr(r->paths[i], '.');
        if (!other || (size_t)(other - r->paths[i]) != len ||
            strncmp(r->paths[i], r->paths[0], len) != 0)
            return false;
    }
    const char *parent = len ? arena_strndup(a, r->paths[0], len) : NULL;
    return parent && value_is_null(value_path(config, parent));
}

/* "a", "b" and "c" */
static const char *names(struct arena *a, const struct schema_rule *r, const char *last)
{
    const char *list = "";
    for (size_t i = 0; i < r->path_count && list; i++) {
        const char *before = i == 0 ? "" : i + 1 == r->path_count ? last : ", ";
        list = arena_printf(a, "%s%s\"%s\"", list, before, r->paths[i]);
    }
    return list ? list : "the attributes of a rule";
}

static void broken(struct checker *k, const struct schema_rule *r, const char *at,
                   const char *summary, const char *detail)
{
    diags_error(k->diags, path_parse(k->arena, at), summary, "%s%s%s.", detail ? detail : "",
                r->message ? ": " : "", r->message ? r->message : "");
}

/* At every set attribute but the first. */
static void too_many(struct checker *k, const struct schema_rule *r, const struct value *config,
                     const struct tally *t)
{
    for (size_t i = 0; i < r->path_count; i++) {
        if (!value_is_known(value_path(config, r->paths[i])) || r->paths[i] == t->first_set)
            continue;
        broken(k, r, r->paths[i], "Conflicting attributes",
               arena_printf(k->arena, "\"%s\" cannot be set together with \"%s\"", r->paths[i],
                            t->first_set));
    }
}

static void check_together(struct checker *k, const struct schema_rule *r,
                           const struct value *config, const struct tally *t)
{
    if (!t->set || !t->null)
        return;
    for (size_t i = 0; i < r->path_count; i++) {
        const struct value *v = value_path(config, r->paths[i]);
        if (value_is_null(v))
            broken(k, r, r->paths[i], "Missing attribute",
                   arena_printf(k->arena, "\"%s\" has to be set together with \"%s\"", r->paths[i],
                                t->first_set));
    }
}

static void check_rule(struct checker *k, const struct schema_rule *r, const struct value *config)
{
    struct tally t = count_set(r, config);
    bool one = r->kind == SCHEMA_EXACTLY_ONE;
    if (r->kind == SCHEMA_REQUIRED_TOGETHER) {
        check_together(k, r, config, &t);
        return;
    }
    if ((one || r->kind == SCHEMA_CONFLICTS) && t.set > 1)
        too_many(k, r, config, &t);
    if (r->kind == SCHEMA_CONFLICTS || t.set || t.unknown || parent_is_null(k->arena, r, config))
        return;
    broken(k, r, r->paths[0], "Missing attribute",
           arena_printf(k->arena, "%s of %s has to be set", one ? "One" : "At least one",
                        names(k->arena, r, one ? " or " : " and ")));
}

int schema_validate(const struct schema *s, const struct value *config, struct diags *diags)
{
    struct checker k = {diags->arena, diags};
    size_t before = diags->errors;
    if (!value_is_known(config))
        return 0;
    check_attrs(&k, s->attrs, s->attr_count, config, NULL);
    if (s->has_timeouts)
        check_timeouts(&k, value_get(config, "timeouts"));
    for (size_t i = 0; i < s->rule_count; i++)
        check_rule(&k, &s->rules[i], config);
    return diags->errors == before ? 0 : -1;
}
