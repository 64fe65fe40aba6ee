/* XML to values, through expat. */
#include "aws/xml.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

enum { DEPTH_MOST = 64, ELEMENTS_MOST = 1 << 20, TEXT_MOST = 16 << 20 };

/* An element while it is open. */
struct element {
    const char *name;
    struct value_member *members;
    size_t count, cap;
    struct buf text;
};

struct reader {
    struct arena *a;
    XML_Parser parser;
    struct element open[DEPTH_MOST];
    size_t depth, elements;
    const struct value *root;
    const char *root_name;
    const char *why;
};

static void stop(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = arg;
    (void)attributes;
    if (r->depth == DEPTH_MOST || ++r->elements > ELEMENTS_MOST) {
        stop(r, "it is nested too deep, or has too many elements");
        return;
    }
    const char *colon = strchr(name, ':');
    struct element *e = &r->open[r->depth++];
    memset(e, 0, sizeof(*e));
    buf_init(&e->text, TEXT_MOST);
    e->name = arena_strdup(r->a, colon ? colon + 1 : name);
    if (!e->name)
        stop(r, "memory ran out");
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
    struct reader *r = arg;
    if (r->depth && buf_append(&r->open[r->depth - 1].text, text, (size_t)len) < 0)
        stop(r, "a text is too long");
}

static bool is_list_member(struct slice name)
{
    return slice_eq_str(name, "item") || slice_eq_str(name, "member");
}

static bool is_list(const struct element *e)
{
    for (size_t i = 0; i < e->count; i++)
        if (!is_list_member(e->members[i].key))
            return false;
    return e->count > 0;
}

static const struct value *tuple_of(struct reader *r, const struct element *e)
{
    const struct value **elems = arena_calloc(r->a, e->count, sizeof(struct value *));
    for (size_t i = 0; elems && i < e->count; i++)
        elems[i] = e->members[i].value;
    return elems ? value_tuple(r->a, elems, e->count) : NULL;
}

/* The text of an element without children. White space with a line break in it is the layout of an
 * empty list, not a text. */
static const struct value *text_of(struct reader *r, const struct element *e)
{
    struct slice s = buf_slice(&e->text);
    size_t i = 0;
    while (i < s.len && strchr(" \t\r\n", s.ptr[i]))
        i++;
    if (e->text.failed)
        return NULL;
    bool layout = i == s.len && s.len && memchr(s.ptr, '\n', s.len);
    return value_string(r->a, layout ? SLICE_EMPTY : s);
}

/* A member and its place: members of one name stand together when sorted, in their order. */
struct placed {
    struct value_member member;
    size_t order;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int c = slice_cmp(x->member.key, y->member.key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* The `n` values of one name: the value itself when there is one. */
static const struct value *joined(struct reader *r, const struct placed *first, size_t n)
{
    const struct value **elems = n > 1 ? arena_calloc(r->a, n, sizeof(struct value *)) : NULL;
    if (n == 1)
        return first->member.value;
    for (size_t i = 0; elems && i < n; i++)
        elems[i] = first[i].member.value;
    return elems ? value_tuple(r->a, elems, n) : NULL;
}

static const struct value *object_of(struct reader *r, const struct element *e)
{
    struct placed *all = arena_new_array(r->a, e->count, struct placed);
    struct value_member *m = arena_new_array(r->a, e->count, struct value_member);
    if (!all || !m)
        return NULL;
    for (size_t i = 0; i < e->count; i++)
        all[i] = (struct placed){e->members[i], i};
    qsort(all, e->count, sizeof(*all), compare_placed);
    size_t count = 0;
    for (size_t i = 0, n = 1; i < e->count; i += n) {
        for (n = 1; i + n < e->count && slice_eq(all[i].member.key, all[i + n].member.key);)
            n++;
        m[count++] = (struct value_member){all[i].member.key, joined(r, &all[i], n)};
    }
    return value_object(r->a, m, count);
}

static int element_add(struct reader *r, struct element *parent, const char *name,
                       const struct value *v)
{
    if (parent->count == parent->cap) {
        size_t cap = parent->cap ? 2 * parent->cap : 8;
        void *grown =
            arena_grow(r->a, parent->members, parent->count, cap, sizeof(*parent->members));
        if (!grown)
            return -1;
        parent->members = grown;
        parent->cap = cap;
    }
    parent->members[parent->count++] = (struct value_member){slice_str(name), v};
    return 0;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reader *r = arg;
    (void)name;
    if (!r->depth || r->why)
        return;
    struct element *e = &r->open[--r->depth];
    const struct value *v = is_list(e) ? tuple_of(r, e)
                            : e->count ? object_of(r, e)
                                       : text_of(r, e);
    const char *closed = e->name;
    buf_clean_up(&e->text);
    bool kept = v && (r->depth == 0 || element_add(r, &r->open[r->depth - 1], closed, v) == 0);
    if (!kept)
        stop(r, "memory ran out");
    if (kept && r->depth == 0) {
        r->root = v;
        r->root_name = closed;
    }
}

static void XMLCALL on_entity(void *arg, const XML_Char *name, int is_parameter,
                              const XML_Char *value, int value_len, const XML_Char *base,
                              const XML_Char *system_id, const XML_Char *public_id,
                              const XML_Char *notation)
{
    (void)name, (void)is_parameter, (void)value, (void)value_len, (void)base, (void)system_id;
    (void)public_id, (void)notation;
    stop(arg, "it defines entities");
}

int aws_xml_parse(struct arena *a, struct slice text, const struct value **ret,
                  const char **ret_root, const char **ret_why)
{
    struct reader *r = arena_new_object(a, struct reader);
    XML_Parser parser = r && text.len <= INT32_MAX ? XML_ParserCreate(NULL) : NULL;
    if (!parser) {
        *ret_why = "memory ran out";
        return -1;
    }
    r->a = a;
    r->parser = parser;
    XML_SetUserData(parser, r);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetEntityDeclHandler(parser, on_entity);
    bool whole = XML_Parse(parser, text.ptr ? text.ptr : "", (int)text.len, 1) == XML_STATUS_OK;
    if (!whole && !r->why)
        r->why = arena_printf(a, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(parser),
                              XML_ErrorString(XML_GetErrorCode(parser)));
    while (r->depth)
        buf_clean_up(&r->open[--r->depth].text);
    XML_ParserFree(parser);
    if (!whole || r->why || !r->root) {
        *ret_why = r->why ? r->why : "it is empty";
        return -1;
    }
    *ret = r->root;
    if (ret_root)
        *ret_root = r->root_name;
    return 0;
}
