/* The least-privilege policies: an IAM policy for AWS, a custom role for Google Cloud, each of the
 * permissions in the component tables. */
#include <string.h>

#include "docs.h"

/* ---- AWS ---- */

struct statement {
    struct strings actions;
    const struct strings *resources; /* NULL: all */
    const char *condition;           /* members of a JSON object; NULL: none */
};

static bool is_tagged(const struct component_def *d)
{
    for (size_t i = 0; i < d->attr_count; i++) {
        if (d->attrs[i].tags && d->attrs[i].in_create)
            return true;
    }
    return false;
}

static bool begins(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

/* The action removes the component's own object, which has had its tags since it was made. */
static bool removes_tagged(const struct component_def *d, const char *action)
{
    if (!is_tagged(d) ||
        !(begins(action, "Delete") || begins(action, "Terminate") || begins(action, "Release")))
        return false;
    for (size_t i = 0; i < d->destroy.count; i++) {
        if (d->destroy.items[i].op.name && strcmp(d->destroy.items[i].op.name, action) == 0)
            return true;
    }
    return false;
}

/* EC2 knows the tags of what is to be removed (Service Authorization Reference, "Amazon EC2":
 * aws:ResourceTag); every component that needs the permission has to be such an object. */
static bool is_for_tagged(const struct cloud_def *cloud, const char *permission)
{
    if (!begins(permission, "ec2:") || strings_have(&cloud->permissions, permission))
        return false;
    for (size_t i = 0; i < cloud->component_count; i++) {
        const struct component_def *d = cloud->components[i]->component;
        if (strings_have(&d->permissions, permission) &&
            !removes_tagged(d, permission + strlen("ec2:")))
            return false;
    }
    return true;
}

/* The limit that says most about it; NULL: none. */
static const struct limit_def *limit_of(const struct cloud_def *cloud, const char *permission)
{
    const struct limit_def *best = NULL;
    for (size_t i = 0; i < cloud->limit_count; i++) {
        const struct limit_def *l = &cloud->limits[i];
        if (limit_covers(l, permission) &&
            (!best || strlen(l->permission) > strlen(best->permission)))
            best = l;
    }
    bool all = best && best->resources.count == 1 && strcmp(best->resources.items[0], "*") == 0;
    return all ? NULL : best;
}

static void write_list(FILE *f, const char *name, const struct strings *list, const char *end)
{
    fprintf(f, "      \"%s\": [\n", name);
    for (size_t i = 0; i < list->count; i++)
        fprintf(f, "        \"%s\"%s\n", list->items[i], i + 1 < list->count ? "," : "");
    fprintf(f, "      ]%s\n", end);
}

static void write_statement(FILE *f, const struct statement *s, bool first)
{
    const char *end = s->condition ? "," : "";
    if (!s->actions.count)
        return;
    fprintf(f, "%s    {\n      \"Effect\": \"Allow\",\n", first ? "" : ",\n");
    write_list(f, "Action", &s->actions, ",");
    if (s->resources)
        write_list(f, "Resource", s->resources, end);
    else
        fprintf(f, "      \"Resource\": \"*\"%s\n", end);
    if (s->condition)
        fprintf(f, "      \"Condition\": {%s}\n", s->condition);
    fputs("    }", f);
}

/* The condition of who is handed a role. */
static const char *passed_to(struct compilation *c, const struct cloud_def *cloud)
{
    const char *list = "";
    for (size_t i = 0; i < cloud->passed_to.count; i++)
        list = text(c, "%s%s\"%s\"", list, i ? ", " : "", cloud->passed_to.items[i]);
    return text(c, "\"StringLike\": {\"iam:PassedToService\": [%s]}", list);
}

/* One statement for what is not limited, one for what removes tagged objects, one for each limit,
 * and one for handing a role to a service. */
static void write_statements(struct compilation *c, FILE *f, const struct schema_def *s,
                             const struct cloud_def *cloud)
{
    static const char pass[] = "iam:PassRole";
    struct strings all = permissions_of(c, cloud);
    size_t count = cloud->limit_count + 3;
    struct statement *list = take(c, count, sizeof(*list));
    struct statement *tagged = &list[1], *passing = &list[count - 1];
    tagged->condition =
        text(c, "\"StringLike\": {\"aws:ResourceTag/llm:resource\": \"%s/*\"}", s->type);
    passing->condition = passed_to(c, cloud);
    for (size_t i = 0; i < all.count; i++) {
        const struct limit_def *l = limit_of(cloud, all.items[i]);
        struct statement *to = strcmp(all.items[i], pass) == 0      ? passing
                               : l                                  ? &list[2 + (l - cloud->limits)]
                               : is_for_tagged(cloud, all.items[i]) ? tagged
                                                                    : &list[0];
        strings_add(c, &to->actions, all.items[i]);
        to->resources = l ? &l->resources : NULL;
    }
    for (size_t i = 0, written = 0; i < count; i++) {
        write_statement(f, &list[i], written == 0);
        written += list[i].actions.count > 0;
    }
}

void docs_aws_policy(struct compilation *c, FILE *f, const struct schema_def *s,
                     const struct cloud_def *cloud)
{
    fprintf(f,
            "An IAM policy, for example as `%s.json` for "
            "`aws iam create-policy --policy-name %s --policy-document file://%s.json`. Of EC2's "
            "objects, only those may be removed that carry the tag which the provider gives to "
            "what it makes. In another partition than `aws`, change the ARNs.\n\n"
            "```json\n{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n",
            s->type, s->type, s->type);
    write_statements(c, f, s, cloud);
    fputs("\n  ]\n}\n```\n\n", f);
}

/* ---- Google Cloud ---- */

void docs_gcp_role(struct compilation *c, FILE *f, const struct schema_def *s,
                   const struct cloud_def *cloud)
{
    struct strings all = permissions_of(c, cloud);
    fprintf(f,
            "A custom role, for example as `%s.yaml` for "
            "`gcloud iam roles create %s --project=PROJECT --file=%s.yaml`:\n\n"
            "```yaml\ntitle: %s\ndescription: What the llm provider needs for %s.\nstage: GA\n"
            "includedPermissions:\n",
            s->type, s->type, s->type, s->type, s->type);
    for (size_t i = 0; i < all.count; i++)
        fprintf(f, "  - %s\n", all.items[i]);
    fputs("```\n\n", f);
}
