/* The first step of a plan: configuration, defaults and prior values become a planned state that
 * the cores accept (they check it in internal/plans/objchange: AssertPlanValid). */
#include "schema/schema.h"

enum absent { ABSENT_UNKNOWN, ABSENT_NULL };

struct filler {
    struct arena *arena;
    enum absent
        absent; /* what a computed value is that has neither configuration nor prior value */
    struct diags *diags; /* may be NULL */
    bool failed;         /* memory is out */
    bool refused;        /* diags says why */
    size_t comparisons;  /* of elements of sets, so far */
};

static const struct value *fill_attr(struct filler *f, const struct schema_attr *a,
                                     const struct value *config, const struct value *prior,
                                     bool existing, const struct path *path);

/* An object of type `t` from the attributes' filled values; `extra` (may be NULL) is one more
 * member. */
static const struct value *fill_object(struct filler *f, const struct type *t,
                                       const struct schema_attr *attrs, size_t count,
                                       const struct value *config, const struct value *prior,
                                       const struct path *path, const struct value_member *extra)
{
    bool existing = value_is_known(prior);
    struct value_member *members = arena_new_array(f->arena, count + 1, struct value_member);
    if (!members)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct schema_attr *a = &attrs[i];
        members[i].key = slice_str(a->name);
        members[i].value =
            fill_attr(f, a, value_get(config, a->name), existing ? value_get(prior, a->name) : NULL,
                      existing, path_attribute(f->arena, path, a->name));
        if (!members[i].value)
            return NULL;
    }
    if (extra)
        members[count++] = *extra;
    return value_object_of(f->arena, t, members, count);
}

static const struct value *fill_element(struct filler *f, const struct schema_attr *a,
                                        const struct value *config, const struct value *prior,
                                        const struct path *path)
{
    if (!value_is_known(config))
        return config;
    const struct type *t = a->nesting == SCHEMA_NESTING_SINGLE ? a->type : a->type->elem;
    return fill_object(f, t, a->attrs, a->attr_count, config, prior, path, NULL);
}

/* ---- sets: which prior element a configured one continues ---- */

/* A matching of configured elements (rows) with prior ones (columns), as large as can be: greedy
 * choices could leave an element without its own prior one, and so show a difference where there is
 * none. */
struct matching {
    size_t rows, columns;
    bool *fits;     /* rows x columns */
    size_t *row_of; /* by column; SIZE_MAX: free */
    bool *tried;    /* columns, in one search */
};

/* Largest set that is matched, and the most comparisons of elements in one plan; above them every
 * computed value of a set's elements counts as new. */
enum { MATCH_MAX = 512, COMPARISONS_MAX = 2000000 };

static bool continues(struct filler *f, const struct schema_attr *attrs, size_t count,
                      const struct value *config, const struct value *prior);

/* Finds a column for `row`, moving other rows where that helps. As deep as there are rows. */
static bool match_row(struct matching *m, size_t row)
{
    for (size_t k = 0; k < m->columns; k++) {
        if (!m->fits[row * m->columns + k] || m->tried[k])
            continue;
        m->tried[k] = true;
        if (m->row_of[k] == SIZE_MAX || match_row(m, m->row_of[k])) {
            m->row_of[k] = row;
            return true;
        }
    }
    return false;
}

/* The number of rows that have a column. While the configuration holds unknowns, only equal
 * elements match: what the others turn out to be may match differently when the plan is made again
 * at apply. */
static size_t match(struct filler *f, struct arena *arena, const struct schema_attr *a,
                    const struct value *config, const struct value *prior, struct matching *m)
{
    bool known = value_is_wholly_known(config);
    size_t matched = 0;
    *m = (struct matching){.rows = value_count(config), .columns = value_count(prior)};
    if (m->rows > MATCH_MAX || m->columns > MATCH_MAX)
        m->columns = 0;
    m->fits = arena_new_array(arena, m->rows * m->columns, bool);
    m->row_of = arena_new_array(arena, m->columns, size_t);
    m->tried = arena_new_array(arena, m->columns, bool);
    if (!m->fits || !m->row_of || !m->tried) {
        f->failed = true;
        m->columns = 0;
    }
    for (size_t k = 0; k < m->columns; k++)
        m->row_of[k] = SIZE_MAX;
    for (size_t i = 0; i < m->rows; i++) {
        const struct value *c = value_at(config, i);
        for (size_t k = 0; k < m->columns; k++) {
            const struct value *p = value_at(prior, k);
            m->fits[i * m->columns + k] =
                known ? continues(f, a->attrs, a->attr_count, c, p) : value_equal(c, p);
            m->tried[k] = false;
        }
        matched += match_row(m, i);
        for (size_t k = 0; k < m->columns; k++)
            m->tried[k] = false;
    }
    return matched;
}

static bool set_continues(struct filler *f, const struct schema_attr *a, const struct value *config,
                          const struct value *prior)
{
    struct arena *scratch _cleanup_arena_ = arena_new();
    struct matching m;
    if (!scratch) {
        f->failed = true;
        return false;
    }
    return match(f, scratch, a, config, prior, &m) == value_count(config);
}

static bool continues_attr(struct filler *f, const struct schema_attr *a,
                           const struct value *config, const struct value *prior)
{
    if (a->flags & SCHEMA_WRITE_ONLY)
        return true;
    if (value_is_null(config) && a->default_value)
        config = a->default_value;
    if (value_equal(config, prior))
        return true;
    if (value_is_null(config))
        return (a->flags & SCHEMA_COMPUTED) != 0;
    if (a->nesting == SCHEMA_NESTING_NONE || !value_is_known(config) || !value_is_known(prior) ||
        value_count(config) != value_count(prior))
        return false;
    if (a->nesting == SCHEMA_NESTING_SINGLE)
        return continues(f, a->attrs, a->attr_count, config, prior);
    if (a->nesting == SCHEMA_NESTING_SET)
        return set_continues(f, a, config, prior);
    for (size_t i = 0; i < value_count(config); i++) {
        if (!slice_eq(config->members[i].key, prior->members[i].key) ||
            !continues(f, a->attrs, a->attr_count, value_at(config, i), value_at(prior, i)))
            return false;
    }
    return true;
}

/* True when `prior` can have come from `config`: they differ in computed values only. */
static bool continues(struct filler *f, const struct schema_attr *attrs, size_t count,
                      const struct value *config, const struct value *prior)
{
    if (f->comparisons++ > COMPARISONS_MAX)
        return false;
    if (!value_is_known(config) || !value_is_known(prior))
        return value_equal(config, prior);
    for (size_t i = 0; i < count; i++) {
        if (!continues_attr(f, &attrs[i], value_get(config, attrs[i].name),
                            value_get(prior, attrs[i].name)))
            return false;
    }
    return true;
}

static const struct value *fill_set(struct filler *f, const struct schema_attr *a,
                                    const struct value *config, const struct value *prior,
                                    const struct path *path)
{
    size_t count = value_count(config);
    const struct value **elems = arena_new_array(f->arena, count, const struct value *);
    const struct value **matches = arena_new_array(f->arena, count, const struct value *);
    struct matching m;
    if (!elems || !matches)
        return NULL;
    match(f, f->arena, a, config, prior, &m);
    for (size_t k = 0; k < m.columns; k++) {
        if (m.row_of[k] != SIZE_MAX)
            matches[m.row_of[k]] = value_at(prior, k);
    }
    for (size_t i = 0; i < count; i++)
        elems[i] = fill_element(f, a, value_at(config, i), matches[i], path);
    const struct value *ret = value_set(f->arena, a->type->elem, elems, count);
    if (ret && value_count(ret) < count && f->diags) {
        f->refused = true;
        diags_error(f->diags, path, "Equal elements in a set",
                    "Two elements of %s are the same once their defaults are filled in. Remove one "
                    "of them.",
                    path_string(f->arena, path));
    }
    return ret;
}

/* ---- lists, maps, single objects ---- */

static const struct value *fill_list(struct filler *f, const struct schema_attr *a,
                                     const struct value *config, const struct value *prior,
                                     const struct path *path)
{
    size_t count = value_count(config);
    const struct value **elems = arena_new_array(f->arena, count, const struct value *);
    if (!elems)
        return NULL;
    for (size_t i = 0; i < count; i++)
        elems[i] = fill_element(f, a, value_at(config, i), value_at(prior, i),
                                path_index(f->arena, path, (int64_t)i));
    return value_list(f->arena, a->type->elem, elems, count);
}

static const struct value *fill_map(struct filler *f, const struct schema_attr *a,
                                    const struct value *config, const struct value *prior,
                                    const struct path *path)
{
    size_t count = value_count(config);
    struct value_member *members = arena_new_array(f->arena, count, struct value_member);
    if (!members)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice key = config->members[i].key;
        members[i].key = key;
        members[i].value = fill_element(f, a, value_at(config, i), value_get_slice(prior, key),
                                        path_key(f->arena, path, key));
    }
    return value_map(f->arena, a->type->elem, members, count);
}

static const struct value *fill_attr(struct filler *f, const struct schema_attr *a,
                                     const struct value *config, const struct value *prior,
                                     bool existing, const struct path *path)
{
    if (a->flags & SCHEMA_WRITE_ONLY)
        return value_null(f->arena, a->type);
    if (value_is_null(config) && a->default_value)
        config = a->default_value;
    if (value_is_null(config)) {
        if (!(a->flags & SCHEMA_COMPUTED))
            return value_null(f->arena, a->type);
        if (existing && prior)
            return prior;
        return f->absent == ABSENT_NULL ? value_null(f->arena, a->type)
                                        : value_unknown(f->arena, a->type);
    }
    if (value_is_unknown(config) || a->nesting == SCHEMA_NESTING_NONE)
        return config;
    switch (a->nesting) {
    case SCHEMA_NESTING_LIST:
        return fill_list(f, a, config, prior, path);
    case SCHEMA_NESTING_SET:
        return fill_set(f, a, config, prior, path);
    case SCHEMA_NESTING_MAP:
        return fill_map(f, a, config, prior, path);
    default:
        return fill_element(f, a, config, prior, path);
    }
}

static const struct value *fill(struct filler *f, const struct schema *s,
                                const struct value *config, const struct value *prior)
{
    if (!value_is_known(config))
        return config ? config : value_null(f->arena, s->type);
    const struct value_member timeouts = {SLICE_LIT("timeouts"), value_get(config, "timeouts")};
    return fill_object(f, s->type, s->attrs, s->attr_count, config, prior, NULL,
                       s->has_timeouts ? &timeouts : NULL);
}

/* ---- what needs a new resource ---- */

struct replaces {
    struct arena *arena;
    const struct path **paths;
    size_t count, capacity;
    bool failed;
};

static void replaces_add(struct replaces *r, const struct path *path)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 8;
        const struct path **longer =
            arena_grow(r->arena, r->paths, r->count, capacity, sizeof(const struct path *));
        if (!longer) {
            r->failed = true;
            return;
        }
        r->paths = longer;
        r->capacity = capacity;
    }
    r->failed = r->failed || !path;
    r->paths[r->count++] = path;
}

/* A null is a known value here, as the core counts. */
static bool asks(const struct schema_attr *a, const struct value *prior,
                 const struct value *planned)
{
    if (a->replace == SCHEMA_REPLACE_NEVER || (a->flags & SCHEMA_WRITE_ONLY))
        return false;
    if (value_is_null(prior) && value_is_null(planned))
        return false;
    if (value_equal(prior, planned))
        return false;
    return a->replace == SCHEMA_REPLACE_ALWAYS || value_is_wholly_known(planned);
}

/* True when an attribute inside `a` asks for a replacement at a difference. */
static bool any_inside(const struct schema_attr *a)
{
    for (size_t i = 0; i < a->attr_count; i++) {
        if (a->attrs[i].replace != SCHEMA_REPLACE_NEVER || any_inside(&a->attrs[i]))
            return true;
    }
    return false;
}

/* True when one does at a difference that is not known yet, too. */
static bool always_inside(const struct schema_attr *a)
{
    for (size_t i = 0; i < a->attr_count; i++) {
        if (a->attrs[i].replace == SCHEMA_REPLACE_ALWAYS || always_inside(&a->attrs[i]))
            return true;
    }
    return false;
}

static void collect_attr(struct replaces *r, const struct schema_attr *a, const struct value *prior,
                         const struct value *planned, const struct path *path);

static void collect(struct replaces *r, const struct schema_attr *attrs, size_t count,
                    const struct value *prior, const struct value *planned, const struct path *path)
{
    for (size_t i = 0; i < count; i++)
        collect_attr(r, &attrs[i], value_get(prior, attrs[i].name),
                     value_get(planned, attrs[i].name),
                     path_attribute(r->arena, path, attrs[i].name));
}

/* Elements that came, went or changed. An element that went has no path of its own in the plan. */
static void collect_elements(struct replaces *r, const struct schema_attr *a,
                             const struct value *prior, const struct value *planned,
                             const struct path *path)
{
    bool map = a->nesting == SCHEMA_NESTING_MAP, gone = false;
    for (size_t i = 0; i < value_count(planned); i++) {
        struct slice key = planned->members[i].key;
        const struct path *at =
            map ? path_key(r->arena, path, key) : path_index(r->arena, path, (int64_t)i);
        collect(r, a->attrs, a->attr_count, map ? value_get_slice(prior, key) : value_at(prior, i),
                value_at(planned, i), at);
    }
    for (size_t i = 0; i < value_count(prior); i++)
        gone = gone ||
               (map ? !value_get_slice(planned, prior->members[i].key) : i >= value_count(planned));
    if (gone)
        replaces_add(r, path);
}

static void collect_attr(struct replaces *r, const struct schema_attr *a, const struct value *prior,
                         const struct value *planned, const struct path *path)
{
    if (asks(a, prior, planned)) {
        replaces_add(r, path);
        return;
    }
    if (a->nesting == SCHEMA_NESTING_NONE || !any_inside(a) || value_equal(prior, planned))
        return;
    /* What an unknown object turns out to hold may ask for it: the plan that is made again at apply
     * must not be the first to say so. */
    if (value_is_unknown(planned)) {
        if (always_inside(a))
            replaces_add(r, path);
        return;
    }
    if (a->nesting == SCHEMA_NESTING_SINGLE)
        collect(r, a->attrs, a->attr_count, prior, planned, path);
    else if (a->nesting == SCHEMA_NESTING_SET)
        replaces_add(r, path);
    else
        collect_elements(r, a, prior, planned, path);
}

/* ---- the public functions ---- */

int schema_plan(struct arena *a, const struct schema *s, const struct value *config,
                const struct value *prior, const struct value *proposed,
                const struct value **ret_planned, const struct path *const **ret_replace,
                size_t *ret_replace_count, struct diags *diags)
{
    (void)proposed; /* says no more than configuration and prior state do */
    struct filler f = {.arena = a, .absent = ABSENT_UNKNOWN, .diags = diags};
    struct replaces r = {.arena = a};
    const struct value *planned = fill(&f, s, config, prior);
    if (f.refused)
        return -1;
    if (planned && value_is_known(prior) && value_is_known(planned))
        collect(&r, s->attrs, s->attr_count, prior, planned, NULL);
    if (!planned || f.failed || r.failed)
        return diags_error(diags, NULL, "Out of memory", "The plan of %s does not fit into memory.",
                           s->name);
    *ret_planned = planned;
    *ret_replace = r.paths;
    *ret_replace_count = r.count;
    return 0;
}

const struct value *schema_unknown_computed(struct arena *a, const struct schema *s,
                                            const struct value *planned, const struct value *config)
{
    struct filler f = {.arena = a, .absent = ABSENT_UNKNOWN};
    return value_is_known(planned) ? fill(&f, s, config, NULL) : planned;
}

const struct value *schema_defaults(struct arena *a, const struct schema *s,
                                    const struct value *config)
{
    struct filler f = {.arena = a, .absent = ABSENT_NULL};
    return fill(&f, s, config, NULL);
}
