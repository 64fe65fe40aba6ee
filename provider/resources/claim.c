/* What is found under a resource's name before it is made. */
#include "resources/claim.h"

/* 1 with a warning when the apply that made it was killed, -1 with an error when it is at work, 0
 * when no claim says either. */
static int check_claim(const struct composite_context *c, const char *what, const char *object,
                       const struct value *tags, const char *id, const char *import_name)
{
    const struct clock *clock = c->work->clock;
    const struct path *path = path_attribute(c->arena, NULL, "name");
    const struct value *text = value_get(tags, c->driver->claim_tag);
    int64_t until = 0, now = clock->unix_s(clock->self);
    switch (engine_claim_of(value_slice(text), now, &until)) {
    case ENGINE_CLAIM_LEFT:
        diags_warning(c->diags, path, "An interrupted apply is continued",
                      "The apply that made %s %s was killed before it could write a state. "
                      "It will be used.",
                      object, id);
        return 1;
    case ENGINE_CLAIM_HELD:
        return diags_error(
            c->diags, path, "The name is taken",
            "An apply is making a %s \"%s\" in %s (%s %s), or was killed on another "
            "machine. If it was, it can be gone on with in %lld minutes, or be imported now: "
            "%s/%s/%s.",
            what, value_cstr(value_get(c->config, "name"), ""), c->region, object, id,
            (long long)((until - now) / 60 + 1), c->cloud, c->region, import_name);
    default:
        return 0;
    }
}

int claim_check_found(const struct composite_context *c, const char *what, const char *object,
                      const struct value *tags, const char *id, const char *unfinished)
{
    return claim_check_named(c, what, object, tags, id, unfinished,
                             value_cstr(value_get(c->config, "name"), ""));
}

int claim_check_named(const struct composite_context *c, const char *what, const char *object,
                      const struct value *tags, const char *id, const char *unfinished,
                      const char *import_name)
{
    const struct path *path = path_attribute(c->arena, NULL, "name");
    const char *name = value_cstr(value_get(c->config, "name"), "");
    int claim = check_claim(c, what, object, tags, id, import_name);
    if (claim)
        return claim < 0 ? -1 : 0;
    if (!unfinished)
        return diags_error(c->diags, path, "The name is taken",
                           "A %s \"%s\" exists in %s (%s %s), and this state does not have it. "
                           "Choose another name, or import it: %s/%s/%s.",
                           what, name, c->region, object, id, c->cloud, c->region, import_name);
    diags_warning(c->diags, path, "An interrupted apply is continued", "%s", unfinished);
    return 0;
}
