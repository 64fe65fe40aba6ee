/* Who is at work on a resource that no state knows yet: a tag that its maker puts on one of its
 * objects, and takes away before the state is given back. */
#include "engine/internal.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LATE_S = 60, RELEASE_MS = 10000 };

/* ---- the text: UNTIL-HOST-PID-START, in what any cloud's label may hold ---- */

/* FNV-1a over the machine's boot and the process namespace: a pid means something only there. */
static uint64_t host_digest(void)
{
    char text[256] = {0}, space[128] = {0};
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    size_t n = f ? fread(text, 1, 64, f) : 0;
    if (f)
        fclose(f);
    ssize_t len = readlink("/proc/self/ns/pid", space, sizeof(space) - 1);
    if (!n || len <= 0)
        return 0;
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    for (ssize_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)space[i]) * 1099511628211u;
    return h;
}

/* When a process was started, in the kernel's ticks (proc(5), field 22 of stat). 0: not known, or
 * there is none, or it has ended and nobody has asked for its status: in many containers the first
 * process never does. */
static unsigned long long start_of(long pid)
{
    char path[64], text[1024] = {0};
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    /* The name is in brackets, and may hold anything. */
    const char *p = n ? strrchr(text, ')') : NULL;
    unsigned long long start = 0;
    if (p && (strncmp(p, ") Z", 3) == 0 || strncmp(p, ") X", 3) == 0))
        return 0;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p && sscanf(p, " %llu", &start) == 1 ? start : 0;
}

const char *engine_claim_new(struct arena *a, const struct work *w)
{
    int64_t now = w->clock->unix_s(w->clock->self), left = work_left_ms(w);
    int64_t until = left == INT64_MAX ? now + 86400 : now + left / 1000 + LATE_S;
    return arena_printf(a, "%llx-%016llx-%ld-%llu", (unsigned long long)until,
                        (unsigned long long)host_digest(), (long)getpid(), start_of(getpid()));
}

enum engine_claim engine_claim_of(struct slice text, int64_t now_s, int64_t *ret_until_s)
{
    char copy[80];
    unsigned long long until = 0, host = 0, start = 0;
    long pid = 0;
    int used = 0;
    *ret_until_s = 0;
    if (!text.len || text.len >= sizeof(copy))
        return ENGINE_CLAIM_NONE;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    bool read =
        sscanf(copy, "%15llx-%16llx-%10ld-%20llu%n", &until, &host, &pid, &start, &used) == 4;
    if (!read || (size_t)used != text.len || pid <= 0)
        return ENGINE_CLAIM_NONE;
    *ret_until_s = (int64_t)until;
    if (now_s > (int64_t)until)
        return ENGINE_CLAIM_LEFT;
    bool here = host && start && host == host_digest();
    return here && start_of(pid) != start ? ENGINE_CLAIM_LEFT : ENGINE_CLAIM_HELD;
}

/* ---- putting it on, taking it away ---- */

static const struct component_attr *tags_attr(const struct component *c)
{
    for (size_t i = 0; i < c->attr_count; i++)
        if (c->attrs[i].tags)
            return &c->attrs[i];
    return NULL;
}

const struct value *record_claim(const struct engine *e, const struct records *r)
{
    const struct record *rec = e->claimed ? records_find(r, e->claimed) : NULL;
    const struct component_attr *attr = rec && !rec->missing ? tags_attr(rec->component) : NULL;
    const char *tag = rec ? engine_cloud_of(e, rec->component).driver->claim_tag : NULL;
    const struct value *v = attr && tag ? value_get(value_get(rec->attrs, attr->name), tag) : NULL;
    return value_is_known(v) ? v : NULL;
}

static const struct value *without(struct arena *a, const struct value *map, const char *key)
{
    struct value_member *m = arena_new_array(a, value_count(map) + 1, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(map); i++)
        if (!slice_eq_str(map->members[i].key, key))
            m[count++] = map->members[i];
    return m ? value_map(a, &type_string, m, count) : NULL;
}

void claim_release(struct arena *a, const struct engine *e, const struct work *w,
                   struct records *records, struct diags *diags)
{
    if (!record_claim(e, records) || cancel_is_hard(w->cancel))
        return;
    struct record rec = *records_find(records, e->claimed);
    const char *tag = engine_cloud_of(e, rec.component).driver->claim_tag;
    const char *name = tags_attr(rec.component)->name;
    /* Also when the time was up: the state that goes back is the owner from now on. */
    const struct work work = work_with_least(w, RELEASE_MS);
    struct diags quiet;
    diags_init(&quiet, a);
    const struct value *tags = without(a, value_get(rec.attrs, name), tag);
    struct object o = {.engine = e,
                       .work = &work,
                       .a = a,
                       .component = rec.component,
                       .name = rec.name,
                       .attrs = tags ? value_with(a, rec.attrs, name, tags) : NULL,
                       .prior = rec.attrs,
                       .diags = &quiet};
    if (o.attrs && object_update(&o, &name, 1) == 0) {
        rec.attrs = o.attrs;
        records_put(a, records, &rec);
        return;
    }
    diags_warning(diags, NULL, "A tag is left over",
                  "The tag \"%s\" of component \"%s\", which says that it is being made, could not "
                  "be removed (%s). The next apply removes it.",
                  tag, rec.name, o.error.message ? o.error.message : "no memory");
}
