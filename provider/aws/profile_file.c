/* Reading the AWS SDKs' shared files. */
#include "aws/profile_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { FILE_MOST = 1 << 20, SECTIONS_MOST = 4096, KEYS_MOST = 65536 };

void aws_profiles_init(struct aws_profiles *p, struct arena *a)
{
    memset(p, 0, sizeof(*p));
    p->arena = a;
}

const struct aws_section *aws_profiles_find(const struct aws_profiles *p,
                                            enum aws_section_kind kind, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->sections[i].kind == kind && strcmp(p->sections[i].name, name) == 0)
            return &p->sections[i];
    return NULL;
}

const char *aws_section_get(const struct aws_section *s, const char *key)
{
    for (size_t i = 0; s && i < s->key_count; i++)
        if (strcmp(s->keys[i].name, key) == 0)
            return s->keys[i].value;
    return NULL;
}

static struct slice trim(struct slice s)
{
    while (s.len && isspace((unsigned char)s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* "value  # comment": a comment starts at '#' or ';' behind white space. */
static struct slice without_comment(struct slice s)
{
    for (size_t i = 1; i < s.len; i++)
        if ((s.ptr[i] == '#' || s.ptr[i] == ';') && isspace((unsigned char)s.ptr[i - 1]))
            return trim(slice_from(s.ptr, i));
    return s;
}

static char *lower(struct arena *a, struct slice s)
{
    char *p = arena_strndup(a, s.ptr, s.len);
    for (char *c = p; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return p;
}

/* The section's kind and name from what stands between the brackets; false for unknown sections,
 * which are passed over as the SDKs do. */
static bool section_title(struct slice title, bool credentials, enum aws_section_kind *kind,
                          struct slice *name)
{
    static const struct {
        const char *word;
        enum aws_section_kind kind;
    } words[] = {{"profile", AWS_SECTION_PROFILE},
                 {"sso-session", AWS_SECTION_SSO_SESSION},
                 {"services", AWS_SECTION_SERVICES}};
    *kind = AWS_SECTION_PROFILE;
    *name = title;
    if (credentials || slice_eq_str(title, "default"))
        return title.len > 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t n = strlen(words[i].word);
        if (title.len > n && slice_has_prefix(title, words[i].word) &&
            isspace((unsigned char)title.ptr[n])) {
            *kind = words[i].kind;
            *name = trim(slice_from(title.ptr + n, title.len - n));
            return name->len > 0;
        }
    }
    return false;
}

static struct aws_section *section_open(struct aws_profiles *p, enum aws_section_kind kind,
                                        struct slice name)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->sections[i].kind == kind && slice_eq_str(name, p->sections[i].name))
            return &p->sections[i];
    if (p->count >= SECTIONS_MOST)
        return NULL;
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 8;
        void *grown = arena_grow(p->arena, p->sections, p->count, cap, sizeof(*p->sections));
        if (!grown)
            return NULL;
        p->sections = grown;
        p->cap = cap;
    }
    struct aws_section *s = &p->sections[p->count];
    memset(s, 0, sizeof(*s));
    s->kind = kind;
    s->name = arena_strndup(p->arena, name.ptr, name.len);
    if (!s->name)
        return NULL;
    p->count++;
    return s;
}

static int key_set(struct aws_profiles *p, struct aws_section *s, const char *name,
                   struct slice value)
{
    char *copy = arena_strndup(p->arena, value.ptr ? value.ptr : "", value.len);
    if (!name || !copy || p->keys >= KEYS_MOST)
        return -1;
    for (size_t i = 0; i < s->key_count; i++) {
        if (strcmp(s->keys[i].name, name) == 0) {
            s->keys[i].value = copy;
            return 0;
        }
    }
    if (s->key_count == s->key_cap) {
        size_t cap = s->key_cap ? 2 * s->key_cap : 8;
        void *grown = arena_grow(p->arena, s->keys, s->key_count, cap, sizeof(*s->keys));
        if (!grown)
            return -1;
        s->keys = grown;
        s->key_cap = cap;
    }
    s->keys[s->key_count++] = (struct aws_profile_key){name, copy};
    p->keys++;
    return 0;
}

struct reader {
    struct aws_profiles *profiles;
    struct aws_section *section; /* NULL: one that is passed over */
    const char *parent;          /* the key that nested ones belong to; NULL: none */
    const char *path;
    size_t line;
    bool credentials;
    struct diags *diags;
};

static int malformed(struct reader *r, const char *why)
{
    return diags_error(r->diags, NULL, "AWS configuration file cannot be read",
                       "%s, line %zu: %s. Correct the file, or name another one with "
                       "AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE.",
                       r->path, r->line, why);
}

static int read_title(struct reader *r, struct slice line)
{
    const char *end = memchr(line.ptr, ']', line.len);
    if (!end)
        return malformed(r, "a section title without a closing bracket");
    enum aws_section_kind kind = AWS_SECTION_PROFILE;
    struct slice name;
    struct slice title = trim(slice_from(line.ptr + 1, (size_t)(end - line.ptr) - 1));
    r->section = NULL;
    r->parent = NULL;
    if (!section_title(title, r->credentials, &kind, &name))
        return 0;
    r->section = section_open(r->profiles, kind, name);
    return r->section ? 0 : malformed(r, "too many sections");
}

static int read_key(struct reader *r, struct slice line, bool indented)
{
    struct arena *a = r->profiles->arena;
    if (!r->section)
        return 0;
    const char *equals = memchr(line.ptr, '=', line.len);
    if (!equals)
        return indented && !r->parent ? 0 : malformed(r, "a line without '='");
    struct slice name = trim(slice_from(line.ptr, (size_t)(equals - line.ptr)));
    struct slice value = trim(slice_from(equals + 1, line.len - (size_t)(equals - line.ptr) - 1));
    char *key = lower(a, name);
    if (!name.len || !key)
        return malformed(r, "a key without a name");
    if (indented && r->parent) {
        key = arena_printf(a, "%s.%s", r->parent, key);
    } else {
        r->parent = value.len ? NULL : key;
    }
    return key_set(r->profiles, r->section, key, without_comment(value)) < 0
               ? malformed(r, "too many keys")
               : 0;
}

static int read_line(struct reader *r, struct slice raw)
{
    struct slice line = trim(raw);
    if (!line.len || line.ptr[0] == '#' || line.ptr[0] == ';')
        return 0;
    bool indented = isspace((unsigned char)raw.ptr[0]) != 0;
    if (line.ptr[0] == '[' && !indented)
        return read_title(r, line);
    return read_key(r, line, indented);
}

int aws_profiles_add(struct aws_profiles *p, struct slice text, bool credentials, const char *path,
                     struct diags *diags)
{
    struct reader r = {p, NULL, NULL, path, 0, credentials, diags};
    if (text.len > FILE_MOST)
        return malformed(&r, "the file is over 1 MiB");
    if (text.len && memchr(text.ptr, '\0', text.len))
        return malformed(&r, "the file is not text");
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        r.line++;
        if (len && read_line(&r, slice_from(text.ptr, len)) < 0)
            return -1;
        size_t used = len + (end ? 1 : 0);
        text = slice_from(text.ptr + used, text.len - used);
    }
    return 0;
}

int aws_profiles_add_file(struct aws_profiles *p, const char *path, bool credentials,
                          struct diags *diags)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : diags_error(diags, NULL, "AWS configuration file cannot be read", "%s: %s.",
                                 path, strerror(errno));
    _cleanup_buf_ struct buf b = BUF_INIT(FILE_MOST);
    char piece[4096];
    size_t n = 0;
    setvbuf(f, NULL, _IONBF, 0); /* a buffer of the C library would not be zeroed */
    while (!b.failed && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_append(&b, piece, n);
    bool broken = ferror(f) != 0;
    fclose(f);
    explicit_bzero(piece, sizeof(piece));
    if (broken)
        return diags_error(diags, NULL, "AWS configuration file cannot be read",
                           "%s: reading it failed.", path);
    if (b.failed)
        return diags_error(diags, NULL, "AWS configuration file cannot be read",
                           "%s: the file is over 1 MiB.", path);
    return aws_profiles_add(p, buf_slice(&b), credentials, path, diags);
}
