/* Reading gcloud's settings. */
#include "gcp/gcloud.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "gcp/config.h"
#include "gcp/text_file.h"

const char *gcloud_directory(struct arena *a)
{
    const char *dir = gcp_env("CLOUDSDK_CONFIG"), *home = gcp_env("HOME");
    if (dir)
        return arena_strdup(a, dir);
    return home ? arena_printf(a, "%s/.config/gcloud", home) : NULL;
}

static struct slice trim(struct slice s)
{
    while (s.len && isspace((unsigned char)s.ptr[0]))
        s = slice_from(s.ptr + 1, s.len - 1);
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static void take(struct arena *a, struct slice section, struct slice name, struct slice value,
                 struct gcloud_properties *p)
{
    const struct {
        const char *section, *name;
        const char **place;
    } known[] = {{"core", "project", &p->project},
                 {"compute", "region", &p->region},
                 {"compute", "zone", &p->zone}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (value.len && slice_eq_str(section, known[i].section) &&
            slice_eq_str(name, known[i].name))
            *known[i].place = arena_strndup(a, value.ptr, value.len);
}

void gcloud_properties_add(struct arena *a, struct slice text, struct gcloud_properties *p)
{
    struct slice section = SLICE_EMPTY;
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct slice line = trim(slice_from(text.ptr, len));
        text = slice_from(text.ptr + len + (end ? 1 : 0), text.len - len - (end ? 1 : 0));
        if (!line.len || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (line.ptr[0] == '[') {
            const char *close = memchr(line.ptr, ']', line.len);
            size_t inside = close ? (size_t)(close - line.ptr) - 1 : 0;
            section = trim(slice_from(line.ptr + 1, inside));
            continue;
        }
        const char *equals = memchr(line.ptr, '=', line.len);
        if (!equals)
            continue;
        size_t name = (size_t)(equals - line.ptr);
        take(a, section, trim(slice_from(line.ptr, name)),
             trim(slice_from(equals + 1, line.len - name - 1)), p);
    }
}

/* A name that is a file's, not a path. */
static bool is_name(const char *s)
{
    return *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* 1 when there is no such file. */
static int add_file(struct arena *a, const char *path, struct gcloud_properties *ret,
                    struct diags *diags)
{
    struct slice text;
    const char *why = NULL;
    int rc = path ? gcp_read_text_file(a, path, &text, &why) : 1;
    if (rc < 0)
        diags_warning(diags, NULL, "gcloud's settings cannot be read",
                      "%s: %s. Its project, region and zone are not used.", path, why);
    if (rc == 0)
        gcloud_properties_add(a, text, ret);
    return rc;
}

void gcloud_properties_read(struct arena *a, const char *directory, struct gcloud_properties *ret,
                            struct diags *diags)
{
    const char *named = gcp_env("CLOUDSDK_ACTIVE_CONFIG_NAME"), *name = named, *why = NULL;
    struct slice text;
    memset(ret, 0, sizeof(*ret));
    /* Of older versions; the active configuration comes before it. */
    add_file(a, arena_printf(a, "%s/properties", directory), ret, diags);
    const char *active = arena_printf(a, "%s/active_config", directory);
    if (!name && active && gcp_read_text_file(a, active, &text, &why) == 0)
        name = trim(text).len ? arena_strndup(a, trim(text).ptr, trim(text).len) : NULL;
    if (!name)
        name = "default";
    if (strcmp(name, "NONE") == 0)
        return;
    int rc = is_name(name)
                 ? add_file(a, arena_printf(a, "%s/configurations/config_%s", directory, name), ret,
                            diags)
                 : 1;
    if (rc == 1 && named)
        diags_warning(diags, NULL, "No such gcloud configuration",
                      "CLOUDSDK_ACTIVE_CONFIG_NAME is \"%s\", but %s has no configuration of that "
                      "name. Check the name (gcloud config configurations list), or unset it.",
                      named, directory);
}
