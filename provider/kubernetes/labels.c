/* Who owns an object: labels with the names that the GCP room uses, and the recommended one that
 * says which program manages it ("Recommended Labels"). */
#include "kubernetes/labels.h"

#include <string.h>

#include "cloud/sigv4.h"

enum { LABEL_MOST = 63, DIGITS = 8 };

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_inner(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
}

static bool is_label(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (!is_inner(text[i]))
            return false;
    return len == 0 ||
           (len <= LABEL_MOST && is_alphanumeric(text[0]) && is_alphanumeric(text[len - 1]));
}

const char *kubernetes_label(struct arena *a, const char *text)
{
    if (is_label(text))
        return arena_strdup(a, text);
    const char *digest = sigv4_sha256_hex(a, slice_str(text));
    char *copy = arena_strdup(a, text);
    if (!digest || !copy)
        return NULL;
    for (char *p = copy; *p; p++)
        if (!is_inner(*p))
            *p = '-';
    size_t first = strspn(copy, "-_."), len = strnlen(copy + first, LABEL_MOST - DIGITS - 1);
    return arena_printf(a, "%.*s%s%.*s", (int)len, copy + first, len ? "-" : "", DIGITS, digest);
}

static const struct value *label(struct arena *a, const char *text)
{
    const char *shaped = kubernetes_label(a, text);
    return shaped ? value_str(a, shaped) : NULL;
}

const struct value *kubernetes_owner_tags(struct arena *a, const char *resource_type,
                                          const struct value *name, const char *component)
{
    const struct value *owner = value_unknown(a, &type_string);
    if (value_is_known(name)) {
        const char *text = arena_printf(a, "%s--%s", resource_type, value_cstr(name, ""));
        owner = text ? label(a, text) : NULL;
    }
    const struct value_member m[] = {
        {SLICE_LIT("app.kubernetes.io/managed-by"), value_str(a, "terraform-provider-llm")},
        {SLICE_LIT("llm-component"), label(a, component)},
        {SLICE_LIT("llm-resource"), owner}};
    return value_map(a, &type_string, m, 3);
}

const struct value *kubernetes_owner_filter(struct arena *a, const struct value *tags)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    for (size_t i = 0; i < value_count(tags); i++)
        buf_printf(&b, "%s%.*s=%s", b.len ? "," : "", (int)tags->members[i].key.len,
                   tags->members[i].key.ptr, value_cstr(tags->members[i].value, ""));
    return value_buf(a, &b);
}
