/* What a node's instance says of itself in tags: the node reads its models from them, and an import
 * its configuration. Values over 256 characters go on in KEY-2, KEY-3 … */
#include "resources/gpu_node.h"

#include <stdio.h>
#include <string.h>

#include "schema/tables.h"
#include "value/codec.h"

enum { TEXT_MOST = 8192, PIECES_MOST = 16 };

/* The attributes that llm:settings holds, with the text of their defaults (they are left out). */
static const struct {
    const char *path, *otherwise;
} settings[] = {
    {"custom_model.name", NULL},
    {"custom_model.memory_gib", NULL},
    {"custom_model.disk_gib", NULL},
    {"machine.type", NULL},
    {"machine.candidates", NULL},
    {"machine.provisioning", "on_demand"},
    {"zones", NULL},
    {"disk.size_gib", NULL},
    {"disk.type", NULL},
    {"disk.iops", NULL},
    {"disk.throughput", NULL},
    {"disk.kms_key", NULL},
    {"network.cidr", NULL},
    {"network.vpc_id", NULL},
    {"network.subnet_ids", NULL},
    {"network.security_group_id", NULL},
    {"network.ingress_cidrs", NULL},
    {"egress", "nat"},
    {"tailscale.auth_key_wo_version", NULL},
    {"tailscale.auth_key_secret", NULL},
    {"tailscale.hostname", NULL},
    {"tailscale.tags", NULL},
    {"tailscale.ssh", NULL},
    {"huggingface_token_secret", NULL},
    {"image", NULL},
    {"instance_profile", NULL},
    {"service_account", NULL},
    {"model_cache.s3_uri", NULL},
    {"model_cache.gcs_uri", NULL},
    {"model_cache.snapshot_id", NULL},
    {"log_retention_days", "30"},
    {"power", "running"},
    {"wait_for", "running"},
};
enum { SETTING_COUNT = sizeof(settings) / sizeof(*settings) };

/* What may be there without any setting in it: then "NAME=" says so. */
static const char *const holders[] = {"machine", "disk", "network", "model_cache", "tags"};
enum { HOLDER_COUNT = sizeof(holders) / sizeof(*holders) };

/* ---- writing ---- */

/* Letters that separate nothing here and that every tag may have. */
static bool is_plain(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           strchr("._:/@-", ch);
}

static void append_encoded(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] && is_plain(s.ptr[i]))
            buf_append_char(b, s.ptr[i]);
        else
            buf_printf(b, "+%02x", (unsigned char)s.ptr[i]);
    }
}

static void append_value(struct buf *b, const struct value *v)
{
    if (v->type->kind == TYPE_STRING) {
        append_encoded(b, v->string);
    } else if (v->type->kind == TYPE_NUMBER) {
        number_format(b, v->number);
    } else if (v->type->kind == TYPE_BOOL) {
        buf_append_str(b, v->boolean ? "true" : "false");
    } else {
        for (size_t i = 0; i < value_count(v); i++) {
            if (i)
                buf_append_char(b, ',');
            append_value(b, value_at(v, i));
        }
    }
}

static void append_settings(struct buf *b, const struct value *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct value *v = value_path(config, settings[i].path);
        _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MOST);
        if (!value_is_known(v) || !value_is_wholly_known(v))
            continue;
        append_value(&text, v);
        b->failed |= text.failed;
        if (settings[i].otherwise && slice_eq_str(buf_slice(&text), settings[i].otherwise))
            continue;
        buf_printf(b, "%s%s=%s", b->len ? " " : "", settings[i].path, buf_cstr(&text));
    }
}

/* Whether the text has a setting of the object; a space is always between two settings. */
static bool is_said(const struct buf *b, const char *holder)
{
    size_t len = strlen(holder);
    for (const char *at = buf_cstr(b); at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, holder, len) == 0 && at[len] == '.')
            return true;
    }
    return false;
}

static void append_holders(struct buf *b, const struct value *config)
{
    for (size_t i = 0; i < HOLDER_COUNT; i++) {
        const struct value *v = value_get(config, holders[i]);
        bool empty = value_is_known(v) && (v->type->kind != TYPE_MAP || !value_count(v));
        if (empty && !is_said(b, holders[i]))
            buf_printf(b, "%s%s=", b->len ? " " : "", holders[i]);
    }
}

struct tags {
    struct arena *a;
    struct value_member members[6 * PIECES_MOST];
    size_t count;
    bool failed;
};

/* One tag, or several when the text is too long for one. */
static void add_tag(struct tags *t, const char *key, const struct buf *text)
{
    struct slice rest = buf_slice(text);
    t->failed |= text->failed;
    for (int piece = 1; rest.len && !t->failed; piece++) {
        size_t len = rest.len < GPU_NODE_TAG_MAX ? rest.len : GPU_NODE_TAG_MAX;
        const char *name = piece == 1 ? key : arena_printf(t->a, "%s-%d", key, piece);
        /* A piece that starts or ends with a space would lose it. */
        while (len < rest.len && len > 1 && (rest.ptr[len] == ' ' || rest.ptr[len - 1] == ' '))
            len--;
        t->failed = piece > PIECES_MOST || !name;
        if (t->failed)
            return;
        t->members[t->count++] =
            (struct value_member){slice_str(name), value_string(t->a, slice_from(rest.ptr, len))};
        rest = slice_from(rest.ptr + len, rest.len - len);
    }
}

static int64_t effective_context(const struct gpu_node_models *m)
{
    const struct catalog_model *model = m->count ? m->choices[0].model : NULL;
    bool shorter = m->runtime == FIT_VLLM && model && model->context_max < m->context_tokens;
    return shorter ? model->context_max : m->context_tokens;
}

const struct value *gpu_node_tags(struct arena *a, const struct value *config,
                                  const struct gpu_node_models *models)
{
    struct tags t = {.a = a};
    _cleanup_buf_ struct buf names = BUF_INIT(TEXT_MOST), served = BUF_INIT(TEXT_MOST),
                             rest = BUF_INIT(TEXT_MOST), context = BUF_INIT(64),
                             runtime = BUF_INIT(64);
    for (size_t i = 0; i < models->count; i++) {
        if (models->choices[i].model)
            buf_printf(&names, "%s%s", names.len ? " " : "", models->names[i]);
        buf_printf(&served, "%s%s", i ? " " : "", gpu_node_served_name(models, i));
    }
    buf_printf(&context, "%lld", (long long)effective_context(models));
    buf_append_str(&runtime, models->runtime == FIT_VLLM ? "vllm" : "ollama");
    if (models->context_tokens != 8192)
        buf_printf(&rest, "context_tokens=%lld", (long long)models->context_tokens);
    append_settings(&rest, config);
    append_holders(&rest, config);
    add_tag(&t, "llm:models", &names);
    add_tag(&t, "llm:served", &served);
    add_tag(&t, "llm:runtime", &runtime);
    add_tag(&t, "llm:context", &context);
    add_tag(&t, "llm:settings", &rest);
    return t.failed ? NULL : value_map(a, &type_string, t.members, t.count);
}

/* ---- reading ---- */

static void join_tag(struct buf *b, const struct value *tags, const char *key)
{
    char name[64];
    for (int piece = 1; piece <= PIECES_MOST; piece++) {
        snprintf(name, sizeof(name), piece == 1 ? "%s" : "%s-%d", key, piece);
        struct slice s = value_slice(value_get(tags, name));
        if (!s.len)
            return;
        buf_append_slice(b, s);
    }
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const struct value *decoded(struct arena *a, struct slice s)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    for (size_t i = 0; i < s.len; i++) {
        int high = s.ptr[i] == '+' && i + 2 < s.len ? hex(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex(s.ptr[i + 2]) : -1;
        buf_append_char(&b, (char)(low >= 0 ? high << 4 | low : s.ptr[i]));
        i += low >= 0 ? 2 : 0;
    }
    return value_buf(a, &b);
}

/* Parts of a text between separators, decoded. */
static const struct value *parts(struct arena *a, struct slice s, char separator)
{
    const struct value *items[256];
    size_t count = 0;
    while (s.len && count < 256) {
        const char *end = memchr(s.ptr, separator, s.len);
        size_t len = end ? (size_t)(end - s.ptr) : s.len;
        if (len)
            items[count++] = decoded(a, slice_from(s.ptr, len));
        s = end ? slice_from(end + 1, s.len - len - 1) : SLICE_EMPTY;
    }
    return value_list(a, &type_string, items, count);
}

/* Sets an attribute, making the nested object that it is in. */
static const struct value *set(struct arena *a, const struct value *config, const char *path,
                               const struct value *v)
{
    const char *dot = strchr(path, '.');
    if (!dot || !config)
        return config ? value_with(a, config, path, v) : NULL;
    char *parent = arena_strndup(a, path, (size_t)(dot - path));
    const struct value *object = parent ? value_get(config, parent) : NULL;
    if (object && value_is_null(object))
        object = value_object_of(a, object->type, NULL, 0);
    object = object ? value_with(a, object, dot + 1, v) : NULL;
    return object ? value_with(a, config, parent, object) : NULL;
}

static const struct value *set_text(struct arena *a, const struct value *config, const char *path,
                                    struct slice text)
{
    const struct schema_attr *attr = schema_find(&schema_llm_gpu_node, path);
    struct diags ignored;
    diags_init(&ignored, a);
    if (!attr || !config)
        return config;
    if (attr->nesting == SCHEMA_NESTING_SINGLE || attr->type->kind == TYPE_MAP) {
        bool there = value_is_known(value_get(config, path));
        const struct value *empty = attr->type->kind == TYPE_MAP
                                        ? value_map(a, attr->type->elem, NULL, 0)
                                        : value_object_of(a, attr->type, NULL, 0);
        return there ? config : set(a, config, path, empty);
    }
    bool many = attr->type->kind == TYPE_LIST || attr->type->kind == TYPE_SET;
    const struct value *v = many ? parts(a, text, ',') : decoded(a, text);
    v = value_convert(a, v, attr->type, NULL, &ignored);
    return v ? set(a, config, path, v) : config;
}

static const struct value *apply_settings(struct arena *a, const struct value *config,
                                          struct slice text)
{
    while (text.len && config) {
        const char *space = memchr(text.ptr, ' ', text.len);
        size_t len = space ? (size_t)(space - text.ptr) : text.len;
        const char *equals = memchr(text.ptr, '=', len);
        char *path = equals ? arena_strndup(a, text.ptr, (size_t)(equals - text.ptr)) : NULL;
        if (path)
            config = set_text(a, config, path,
                              slice_from(equals + 1, len - (size_t)(equals - text.ptr) - 1));
        text = space ? slice_from(space + 1, text.len - len - 1) : SLICE_EMPTY;
    }
    return config;
}

/* Attributes with a default, which tags leave out: nested ones only where their object is there. */
static const struct value *set_defaults(struct arena *a, const struct value *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *dot = strchr(settings[i].path, '.');
        char *parent =
            dot ? arena_strndup(a, settings[i].path, (size_t)(dot - settings[i].path)) : NULL;
        bool there = !dot || (parent && value_is_known(value_get(config, parent)));
        if (settings[i].otherwise && there)
            config = set_text(a, config, settings[i].path, slice_str(settings[i].otherwise));
    }
    return set_text(a, config, "context_tokens", SLICE_LIT("8192"));
}

const struct value *gpu_node_config_of_tags(struct arena *a, const struct value *config,
                                            const struct value *tags)
{
    _cleanup_buf_ struct buf names = BUF_INIT(TEXT_MOST), rest = BUF_INIT(TEXT_MOST),
                             runtime = BUF_INIT(TEXT_MOST);
    join_tag(&names, tags, "llm:models");
    join_tag(&rest, tags, "llm:settings");
    join_tag(&runtime, tags, "llm:runtime");
    if (names.failed || rest.failed || runtime.failed)
        return NULL;
    /* Once to make the nested objects, then defaults, then what is said. */
    config = apply_settings(a, config, buf_slice(&rest));
    config = set_defaults(a, config);
    config = apply_settings(a, config, buf_slice(&rest));
    if (names.len && config)
        config = set(a, config, "models", parts(a, buf_slice(&names), ' '));
    if (runtime.len)
        config = set_text(a, config, "runtime", buf_slice(&runtime));
    return config;
}

const struct value *gpu_node_user_tags(const struct composite_context *c, const struct value *tags,
                                       const char *prefix)
{
    const struct value *defaults = c->driver->default_tags(c->client, c->arena);
    struct value_member *m = arena_new_array(c->arena, value_count(tags), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(tags); i++) {
        struct slice key = tags->members[i].key;
        const struct value *usual = value_get_slice(defaults, key);
        bool ours = slice_has_prefix(key, prefix) || slice_eq_str(key, "Name") ||
                    c->driver->ignores_tag(c->client, key);
        if (!ours && !(usual && value_equal(usual, tags->members[i].value)))
            m[count++] = tags->members[i];
    }
    return m && count ? value_map(c->arena, &type_string, m, count) : NULL;
}
