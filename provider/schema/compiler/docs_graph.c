/* The component graph of a resource in one cloud: what needs what, as a text tree and in words.
 * Components that only look something up are left out, and what is needed through them counts as
 * needed. */
#include <string.h>

#include "docs.h"

struct docs_graph {
    struct compilation *c;
    const struct cloud_def *cloud;
    size_t count;
    bool *reach;    /* [i * count + k]: i needs k, at once or through others */
    bool *need;     /* the same, without what its other needs need already */
    size_t *parent; /* the need that the tree shows i below; `count`: none */
    size_t *depth;
};

static bool shown(const struct docs_graph *g, size_t i)
{
    return !g->cloud->components[i]->component->hidden;
}

static const char *name_of(const struct docs_graph *g, size_t i)
{
    return g->cloud->components[i]->name;
}

/* The check pass puts components after those they need, so that one pass sees all. */
static void find_reach(struct docs_graph *g)
{
    size_t n = g->count;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!g->cloud->components[i]->needs[k])
                continue;
            g->reach[i * n + k] = true;
            for (size_t j = 0; j < k; j++)
                g->reach[i * n + j] |= g->reach[k * n + j];
        }
    }
}

static void find_needs(struct docs_graph *g)
{
    size_t n = g->count;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            bool need = g->reach[i * n + k] && shown(g, k);
            for (size_t j = k + 1; j < i && need; j++)
                need = !(shown(g, j) && g->reach[i * n + j] && g->reach[j * n + k]);
            g->need[i * n + k] = need;
        }
    }
}

/* Each stands below the need that is deepest in the tree, the first of several. */
static void find_parents(struct docs_graph *g)
{
    size_t n = g->count;
    for (size_t i = 0; i < n; i++) {
        g->parent[i] = n;
        for (size_t k = 0; k < i; k++) {
            if (g->need[i * n + k] && (g->parent[i] == n || g->depth[k] > g->depth[g->parent[i]]))
                g->parent[i] = k;
        }
        g->depth[i] = g->parent[i] == n ? 0 : g->depth[g->parent[i]] + 1;
    }
}

const struct docs_graph *docs_graph(struct compilation *c, const struct cloud_def *cloud)
{
    size_t n = cloud->component_count;
    struct docs_graph *g = take(c, 1, sizeof(*g));
    *g = (struct docs_graph){.c = c,
                             .cloud = cloud,
                             .count = n,
                             .reach = take(c, n * n + 1, sizeof(*g->reach)),
                             .need = take(c, n * n + 1, sizeof(*g->need)),
                             .parent = take(c, n + 1, sizeof(*g->parent)),
                             .depth = take(c, n + 1, sizeof(*g->depth))};
    find_reach(g);
    find_needs(g);
    find_parents(g);
    return g;
}

/* What `i` needs, in the words of `format` ("`%s`"), but for `except`. */
static const char *needs_text(const struct docs_graph *g, size_t i, size_t except,
                              const char *quote)
{
    const char *list = "";
    for (size_t k = 0; k < i; k++) {
        if (g->need[i * g->count + k] && k != except)
            list = text(g->c, "%s%s%s%s%s", list, *list ? ", " : "", quote, name_of(g, k), quote);
    }
    return list;
}

const char *docs_graph_needs(const struct docs_graph *g, size_t i)
{
    return needs_text(g, i, g->count, "`");
}

static size_t next_child(const struct docs_graph *g, size_t parent, size_t after)
{
    size_t i = after;
    while (i < g->count && (!shown(g, i) || g->parent[i] != parent))
        i++;
    return i;
}

/* The lines of what stands below `parent`; `indent` is what they all start with. */
static void write_children(const struct docs_graph *g, FILE *f, size_t parent, const char *indent)
{
    bool top = parent == g->count;
    for (size_t i = next_child(g, parent, 0), next; i < g->count; i = next) {
        next = next_child(g, parent, i + 1);
        bool last = next == g->count;
        const char *also = needs_text(g, i, parent, "");
        fprintf(f, "%s%s%s%s%s%s\n", indent,
                top    ? ""
                : last ? "└─ "
                       : "├─ ",
                name_of(g, i), *also ? "  (and " : "", also, *also ? ")" : "");
        write_children(g, f, i, text(g->c, "%s%s", indent, top ? "" : last ? "   " : "│  "));
    }
}

void docs_graph_tree(const struct docs_graph *g, FILE *f)
{
    fputs("```text\n", f);
    write_children(g, f, g->count, "");
    fputs("```\n\n", f);
}
