/* The parts of a resource's page that come from its components: what it creates, and how it is
 * imported. */
#include <string.h>

#include "docs.h"

const char *docs_cloud_name(const char *cloud)
{
    static const struct word words[] = {
        {"aws", "AWS"}, {"gcp", "Google Cloud"}, {"kubernetes", "Kubernetes"}};
    const char *name = word_find(words, sizeof(words) / sizeof(*words), cloud);
    return name ? name : cloud;
}

const char *docs_made(struct compilation *c, const struct resource_component_def *d)
{
    if (d->made)
        return d->made;
    if (!d->for_each)
        return d->when ? "when needed" : "always";
    const char *dot = strrchr(d->for_each->ref, '.');
    return text(c, "for each of `%s`%s", dot ? dot + 1 : d->for_each->ref,
                d->when ? ", when needed" : "");
}

static void write_components(struct compilation *c, FILE *f, const struct cloud_def *cloud)
{
    fputs("| component | object | made |\n|---|---|---|\n", f);
    for (size_t i = 0; i < cloud->component_count; i++) {
        const struct resource_component_def *d = cloud->components[i];
        if (!d->component->hidden)
            fprintf(f, "| `%s` | %s | %s |\n", d->name, d->component->title, docs_made(c, d));
    }
    fputs("\n", f);
}

void docs_clouds(struct compilation *c, FILE *f, const struct schema_def *s)
{
    if (!s->cloud_count || s->kind != FILE_RESOURCE)
        return;
    fputs("## What it creates\n\nA plan lists these in `components`, by name; the state holds "
          "their ids. The guide [What each resource creates](../guides/components.md) shows how "
          "they hang together, and [Permissions](../guides/permissions.md) what the credentials "
          "have to be allowed.\n\n",
          f);
    for (size_t i = 0; i < s->cloud_count; i++) {
        fprintf(f, "### %s\n\n", docs_cloud_name(s->clouds[i].cloud));
        write_components(c, f, &s->clouds[i]);
    }
}

void docs_import(FILE *f, const struct schema_def *s, const struct docs_import_examples *e)
{
    fprintf(f,
            "## Import\n\nWith an `import` block:\n\n```terraform\n%s```\n\n"
            "On the command line:\n\n```shell\n%s```\n\n",
            e->by_id, e->command);
    if (!s->identity)
        return;
    fprintf(f,
            "By identity, with Terraform 1.12 and later or OpenTofu 1.12 and "
            "later:\n\n```terraform\n%s```\n\n"
            "### Identity\n\n",
            e->by_identity);
    for (size_t i = 0; i < s->identity->attr_count; i++)
        fprintf(f, "- `%s` (String) %s\n", s->identity->attrs[i].name,
                s->identity->attrs[i].description);
    fputs("\n", f);
}
