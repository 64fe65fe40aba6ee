/* The parts of a resource's page that come from its components: what it creates, the permissions it
 * needs, and how it is imported. */
#include <string.h>

#include "docs.h"

static const char *cloud_name(const char *cloud)
{
    static const struct word words[] = {
        {"aws", "AWS"}, {"gcp", "Google Cloud"}, {"kubernetes", "Kubernetes"}};
    const char *name = word_find(words, sizeof(words) / sizeof(*words), cloud);
    return name ? name : cloud;
}

/* "always", "when needed", "for each of `zones`", or what the file says */
static const char *made(struct compilation *c, const struct resource_component_def *d)
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
        if (d->component->hidden)
            continue;
        fprintf(f, "| `%s` | %s | %s |\n", d->name, d->component->title, made(c, d));
    }
    fputs("\n", f);
}

static void write_policy(struct compilation *c, FILE *f, const struct cloud_def *cloud)
{
    struct strings all = permissions_of(c, cloud);
    bool aws = strcmp(cloud->cloud, "aws") == 0;
    fputs(aws ? "```json\n{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n"
                "      \"Effect\": \"Allow\",\n      \"Action\": [\n"
              : "```json\n{\n  \"includedPermissions\": [\n",
          f);
    for (size_t i = 0; i < all.count; i++)
        fprintf(f, "%s\"%s\"%s\n", aws ? "        " : "    ", all.items[i],
                i + 1 < all.count ? "," : "");
    fputs(aws ? "      ],\n      \"Resource\": \"*\"\n    }\n  ]\n}\n```\n\n" : "  ]\n}\n```\n\n",
          f);
}

void docs_clouds(struct compilation *c, FILE *f, const struct schema_def *s)
{
    if (!s->cloud_count)
        return;
    fputs(
        "## What it creates\n\nA plan lists these in `components`, by name; the state holds their "
        "ids.\n\n",
        f);
    for (size_t i = 0; i < s->cloud_count; i++) {
        fprintf(f, "### %s\n\n", cloud_name(s->clouds[i].cloud));
        write_components(c, f, &s->clouds[i]);
    }
    fputs(
        "## Permissions\n\nThe credentials need these and no more. What you bring yourself instead "
        "of having it made needs fewer.\n\n",
        f);
    for (size_t i = 0; i < s->cloud_count; i++) {
        fprintf(f, "### Permissions on %s\n\n", cloud_name(s->clouds[i].cloud));
        write_policy(c, f, &s->clouds[i]);
    }
}

void docs_import(FILE *f, const struct schema_def *s, const char *script)
{
    fprintf(f, "## Import\n\n```shell\n%s```\n\n", script);
    if (!s->identity)
        return;
    fprintf(f,
            "By identity, in an `import` block:\n\n```terraform\nimport {\n  to = %s.example\n"
            "  identity = {\n",
            s->type);
    size_t width = 0;
    for (size_t i = 0; i < s->identity->attr_count; i++) {
        size_t len = strlen(s->identity->attrs[i].name);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < s->identity->attr_count; i++)
        fprintf(f, "    %-*s = \"…\"\n", (int)width, s->identity->attrs[i].name);
    fputs("  }\n}\n```\n\n", f);
    for (size_t i = 0; i < s->identity->attr_count; i++)
        fprintf(f, "- `%s` (String) %s\n", s->identity->attrs[i].name,
                s->identity->attrs[i].description);
    fputs("\n", f);
}
