/* The checks of single values: patterns, ranges, lengths, choices, networks, durations, JSON. */
#include "schema/validators.h"

#include <regex.h>

#include "value/codec.h"

enum { PATTERN_TEXT_MAX = 65536, SHOWN_MAX = 200 };

/* What is checked, for messages. */
struct subject {
    const struct schema_validator *v;
    const struct value *value;
    bool sensitive;
    const struct path *path;
    struct diags *diags;
};

/* The value as a message shows it: quoted, shortened, censored. */
static const char *shown(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    if (s->sensitive || s->value->sensitive)
        return "a sensitive value";
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
    const char *text = value_format(&b, s->value) ? "this value" : buf_cstr(&b);
    size_t len = strlen(text);
    if (len <= SHOWN_MAX)
        return arena_strdup(a, text);
    /* Not in the middle of a character. */
    size_t cut = SHOWN_MAX;
    while (cut && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    return arena_printf(a, "%.*s… (%zu bytes)", (int)cut, text, len);
}

/* "<path> is <value>, but has to be <expected>[: <message>]." */
static void violated(const struct subject *s, const char *expected)
{
    const char *what = shown(s);
    if (s->v->message && s->v->kind == SCHEMA_PATTERN)
        diags_error(s->diags, s->path, "Invalid value", "%s is %s, but has to be %s.",
                    path_string(s->diags->arena, s->path), what, s->v->message);
    else
        diags_error(s->diags, s->path, "Invalid value", "%s is %s, but has to be %s%s%s.",
                    path_string(s->diags->arena, s->path), what, expected,
                    s->v->message ? ": " : "", s->v->message ? s->v->message : "");
}

/* "between 1 and 40", "at least 1", "at most 40" */
static const char *bounds(struct arena *a, const struct schema_validator *v)
{
    if (v->min == INT64_MIN)
        return arena_printf(a, "at most %lld", (long long)v->max);
    if (v->max == INT64_MAX)
        return arena_printf(a, "at least %lld", (long long)v->min);
    if (v->min == v->max)
        return arena_printf(a, "%lld", (long long)v->min);
    return arena_printf(a, "between %lld and %lld", (long long)v->min, (long long)v->max);
}

static void check_pattern(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    struct slice text = value_slice(s->value);
    const char *expected = arena_printf(a, "text that matches ^%s$", s->v->pattern);
    const char *anchored = arena_printf(a, "^(%s)$", s->v->pattern);
    regex_t re;
    if (!anchored || text.len > PATTERN_TEXT_MAX ||
        memchr(text.ptr ? text.ptr : "", '\0', text.len)) {
        violated(s, expected);
        return;
    }
    if (regcomp(&re, anchored, REG_EXTENDED | REG_NOSUB)) {
        violated(s, expected);
        return;
    }
    int rc = regexec(&re, value_cstr(s->value, ""), 0, NULL, 0);
    regfree(&re);
    if (rc)
        violated(s, expected);
}

static void check_range(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    const struct number *n = s->value->number;
    const struct number *min = number_from_int(a, s->v->min), *max = number_from_int(a, s->v->max);
    if (!min || !max || (s->v->min != INT64_MIN && number_compare(n, min) < 0) ||
        (s->v->max != INT64_MAX && number_compare(n, max) > 0))
        violated(s, bounds(a, s->v));
}

static void check_length(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    bool text = s->value->type->kind == TYPE_STRING;
    size_t len = text ? value_slice(s->value).len : value_count(s->value);
    bool too_short = s->v->min != INT64_MIN && (int64_t)len < s->v->min;
    bool too_long = s->v->max != INT64_MAX && (int64_t)len > s->v->max;
    /* Unknown members of a set may turn out to be equal. */
    if (s->value->type->kind == TYPE_SET && !value_is_wholly_known(s->value) && len > 1)
        too_short = too_long = false;
    if (!too_short && !too_long)
        return;
    diags_error(s->diags, s->path, "Invalid value", "%s has %zu %s, but has to have %s%s%s.",
                path_string(a, s->path), len,
                text       ? (len == 1 ? "byte" : "bytes")
                : len == 1 ? "member"
                           : "members",
                bounds(a, s->v), s->v->message ? ": " : "", s->v->message ? s->v->message : "");
}

static void check_one_of(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    const char *list = "";
    for (size_t i = 0; i < s->v->choice_count; i++) {
        if (slice_eq_str(value_slice(s->value), s->v->choices[i]))
            return;
        const char *before = i == 0 ? "" : i + 1 == s->v->choice_count ? " or " : ", ";
        list = arena_printf(a, "%s%s\"%s\"", list ? list : "", before, s->v->choices[i]);
    }
    violated(s, list ? list : "one of the choices");
}

/* ---- networks ---- */

/* A decimal number without leading zeros; advances *at. */
static int decimal(struct slice text, size_t *at, unsigned max, unsigned *ret)
{
    size_t start = *at;
    unsigned n = 0;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9' && *at - start < 3)
        n = n * 10 + (unsigned)(text.ptr[(*at)++] - '0');
    if (*at == start || n > max || (*at - start > 1 && text.ptr[start] == '0'))
        return -1;
    *ret = n;
    return 0;
}

int cidr_parse(struct slice text, uint32_t *ret_address, int *ret_prefix)
{
    uint32_t address = 0;
    unsigned part = 0;
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        if (decimal(text, &at, 255, &part) || at == text.len ||
            text.ptr[at++] != (i < 3 ? '.' : '/'))
            return -1;
        address = address << 8 | part;
    }
    if (decimal(text, &at, 32, &part) || at != text.len)
        return -1;
    *ret_address = address;
    *ret_prefix = (int)part;
    return 0;
}

static void check_cidr(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    uint32_t address;
    int prefix;
    if (cidr_parse(value_slice(s->value), &address, &prefix)) {
        violated(s, "an IPv4 network, for example \"10.42.0.0/16\"");
        return;
    }
    uint32_t mask = prefix ? UINT32_MAX << (32 - prefix) : 0, net = address & mask;
    if (net != address)
        violated(s, arena_printf(a, "a network with host bits zero: \"%u.%u.%u.%u/%d\"", net >> 24,
                                 net >> 16 & 255, net >> 8 & 255, net & 255, prefix));
    else if (prefix < s->v->min || prefix > s->v->max)
        violated(s, arena_printf(a, "a network with a prefix length %s", bounds(a, s->v)));
}

static void check_duration(const struct subject *s)
{
    int64_t ms;
    if (schema_duration_parse(value_slice(s->value), &ms) || ms < 0)
        violated(s, "a duration, for example \"30m\" or \"1h30m\"");
}

static void check_json(const struct subject *s)
{
    struct arena *a = s->diags->arena;
    struct diags why;
    const struct value *parsed = NULL;
    diags_init(&why, a);
    if (value_json_parse(a, value_slice(s->value), &parsed, &why) == 0)
        return;
    violated(s, arena_printf(a, "a JSON document%s%s", why.first && !s->sensitive ? ": " : "",
                             why.first && !s->sensitive ? why.first->detail : ""));
}

void validator_apply(const struct schema_validator *v, const struct value *value, bool sensitive,
                     const struct path *path, struct diags *diags)
{
    const struct subject s = {v, value, sensitive, path, diags};
    switch (v->kind) {
    case SCHEMA_PATTERN:
        check_pattern(&s);
        break;
    case SCHEMA_RANGE:
        check_range(&s);
        break;
    case SCHEMA_LENGTH:
        check_length(&s);
        break;
    case SCHEMA_ONE_OF:
        check_one_of(&s);
        break;
    case SCHEMA_CIDR:
        check_cidr(&s);
        break;
    case SCHEMA_DURATION:
        check_duration(&s);
        break;
    case SCHEMA_JSON:
        check_json(&s);
        break;
    }
}
