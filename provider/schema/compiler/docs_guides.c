/* The guides that are drawn from the component tables: what each resource creates, and the least
 * that the credentials have to be allowed for it. */
#include <string.h>

#include "docs.h"

typedef void (*cloud_fn)(struct compilation *c, FILE *f, const struct schema_def *s,
                         const struct cloud_def *cloud);

/* A part for every resource that has components, in it one for each cloud. */
static void each_cloud(struct compilation *c, FILE *f, cloud_fn write)
{
    for (size_t i = 0; i < c->resources.count; i++) {
        const struct schema_def *s = c->resources.items[i];
        if (s->cloud_count)
            fprintf(f, "## %s\n\n%s\n\n", s->type, s->description);
        for (size_t k = 0; k < s->cloud_count; k++) {
            fprintf(f, "### %s on %s\n\n", s->type, docs_cloud_name(s->clouds[k].cloud));
            write(c, f, s, &s->clouds[k]);
        }
    }
}

/* ---- what each resource creates ---- */

static void write_graph(struct compilation *c, FILE *f, const struct schema_def *s,
                        const struct cloud_def *cloud)
{
    const struct docs_graph *g = docs_graph(c, cloud);
    (void)s;
    docs_graph_tree(g, f);
    fputs("| component | object | needs | made |\n|---|---|---|---|\n", f);
    for (size_t i = 0; i < cloud->component_count; i++) {
        const struct resource_component_def *d = cloud->components[i];
        if (!d->component->hidden)
            fprintf(f, "| `%s` | %s | %s | %s |\n", d->name, d->component->title,
                    docs_graph_needs(g, i), docs_made(c, d));
    }
    fputs("\n", f);
}

void docs_guide_components(struct compilation *c, FILE *f)
{
    fputs("# What each resource creates\n\n"
          "One resource stands for many cloud objects, its components. A plan lists them in "
          "`components`, by the names that stand here; the state holds their ids.\n\n"
          "In the trees, each component stands below one that it needs; those in brackets it needs "
          "too. What needs nothing of each other is made at the same time, and everything is "
          "removed in the opposite order. `{key}` stands for the zone, range or name that there is "
          "one of each for. What is not made (column *made*) is not waited for.\n\n",
          f);
    each_cloud(c, f, write_graph);
}

/* ---- permissions ---- */

static void write_list(FILE *f, const struct strings *all)
{
    for (size_t i = 0; i < all->count; i++)
        fprintf(f, "- `%s`\n", all->items[i]);
    fputs("\n", f);
}

static void add_service(struct compilation *c, struct strings *all, const char *service)
{
    if (service && !strings_have(all, service))
        strings_add(c, all, service);
}

static void add_services_of_steps(struct compilation *c, struct strings *all,
                                  const struct steps *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        add_service(c, all, steps->items[i].op.service);
}

/* The services that the components of a cloud are made, read and removed with. */
static struct strings services_of(struct compilation *c, const struct cloud_def *cloud)
{
    struct strings all = {0};
    for (size_t i = 0; i < cloud->component_count; i++) {
        const struct component_def *d = cloud->components[i]->component;
        if (is_in_cluster(d))
            continue;
        add_service(c, &all, d->service);
        add_services_of_steps(c, &all, &d->create);
        add_services_of_steps(c, &all, &d->destroy);
        for (size_t k = 0; k < d->update_count; k++)
            add_services_of_steps(c, &all, &d->updates[k].steps);
    }
    strings_sort(&all);
    return all;
}

static void write_gcp_services(struct compilation *c, FILE *f, const struct cloud_def *cloud)
{
    struct strings all = services_of(c, cloud);
    fputs("These APIs have to be enabled in the project:\n\n```shell\ngcloud services enable", f);
    for (size_t i = 0; i < all.count; i++)
        fprintf(f, " \\\n  %s.googleapis.com", all.items[i]);
    fputs("\n```\n\n", f);
}

static const char *listed(struct compilation *c, const struct strings *list)
{
    const char *s = "";
    for (size_t i = 0; i < list->count; i++)
        s = text(c, "%s%s`%s`", s, i ? ", " : "", list->items[i]);
    return s;
}

/* The components of the kind of the one at `i`; none when an earlier one has that kind. */
static struct strings of_same_kind(struct compilation *c, const struct cloud_def *cloud, size_t i)
{
    struct strings names = {0};
    const struct component_def *kind = cloud->components[i]->component;
    for (size_t k = 0; k < cloud->component_count; k++) {
        if (cloud->components[k]->component != kind)
            continue;
        if (k < i)
            return (struct strings){0};
        strings_add(c, &names, cloud->components[k]->name);
    }
    return names;
}

/* A line for each kind; those in a cluster, or all others. Returns how many. */
static size_t write_kinds(struct compilation *c, FILE *f, const struct cloud_def *cloud,
                          bool in_cluster)
{
    size_t count = 0;
    for (size_t i = 0; i < cloud->component_count; i++) {
        struct strings names = of_same_kind(c, cloud, i);
        const struct component_def *d = cloud->components[i]->component;
        if (!names.count || is_in_cluster(d) != in_cluster)
            continue;
        if (!count++)
            fputs("| object | components | permissions |\n|---|---|---|\n", f);
        const struct strings own = permissions_of_kind(c, cloud, d);
        fprintf(f, "| %s | %s | %s |\n", d->title, listed(c, &names), listed(c, &own));
    }
    return count;
}

static bool has_objects_in_cluster(const struct cloud_def *cloud)
{
    for (size_t i = 0; i < cloud->component_count; i++)
        if (is_in_cluster(cloud->components[i]->component))
            return true;
    return false;
}

static void write_purposes(struct compilation *c, FILE *f, const struct cloud_def *cloud)
{
    fputs("What each is for:\n\n", f);
    write_kinds(c, f, cloud, false);
    if (cloud->permissions.count)
        fprintf(f, "| checks and look-ups of a plan | | %s |\n", listed(c, &cloud->permissions));
    fputs("\n", f);
    if (!has_objects_in_cluster(cloud))
        return;
    fputs(
        "What the same identity has to be allowed in the cluster, by its role-based access control "
        "(`resource.group:verb`):\n\n",
        f);
    write_kinds(c, f, cloud, true);
    if (cloud->cluster_permissions.count)
        fprintf(f, "| checks and look-ups of a plan | | %s |\n",
                listed(c, &cloud->cluster_permissions));
    fputs("\n", f);
}

static void write_permissions(struct compilation *c, FILE *f, const struct schema_def *s,
                              const struct cloud_def *cloud)
{
    if (strcmp(cloud->cloud, "aws") == 0) {
        docs_aws_policy(c, f, s, cloud);
    } else if (strcmp(cloud->cloud, "gcp") == 0) {
        docs_gcp_role(c, f, s, cloud);
        write_gcp_services(c, f, cloud);
    } else {
        struct strings all = permissions_of(c, cloud);
        write_list(f, &all);
    }
    write_purposes(c, f, cloud);
}

/* A line for each cloud that each of them asks; `heading` before the first. Returns whether there
 * was one. */
static bool write_asked(struct compilation *c, FILE *f, const struct schema_list *list,
                        const char *what, const char *heading)
{
    bool any = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct schema_def *s = list->items[i];
        for (size_t k = 0; k < s->cloud_count; k++, any = true)
            fprintf(f, "%s| %s `%s` | %s | %s | %s |\n", any ? "" : heading, what, s->type,
                    docs_cloud_name(s->clouds[k].cloud), listed(c, &s->clouds[k].permissions),
                    listed(c, &s->clouds[k].cluster_permissions));
    }
    return any;
}

void docs_guide_permissions(struct compilation *c, FILE *f)
{
    fputs("# Permissions\n\n"
          "The least that the credentials have to be allowed, for each resource and cloud: taken "
          "from the tables that the provider works by.\n\n"
          "A permission may be left out when every object that it is for is brought instead of "
          "made.\n\n",
          f);
    each_cloud(c, f, write_permissions);
    static const char heading[] =
        "## Data sources and ephemeral resources\n\n"
        "What they ask for, where it is not among the permissions of a resource beside them.\n\n"
        "| | cloud | permissions | in the cluster |\n|---|---|---|---|\n";
    bool any = write_asked(c, f, &c->data_sources, "data source", heading);
    any |= write_asked(c, f, &c->ephemerals, "ephemeral resource", any ? "" : heading);
    fputs(any ? "\n" : "", f);
}
