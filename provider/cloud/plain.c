/* Plain values, and amounts as Kubernetes writes them ("API reference", Quantity). */
#include "cloud/plain.h"

#include <string.h>

/* ---- quantities ---- */

/* Billionths, as much as the API's largest amount (2^63 - 1) and more has. */
__extension__ typedef unsigned __int128 nanos;

enum { NANO_DIGITS = 9, NANO = 1000000000, KIBI = 1024, EXPONENT_MOST = 40, TEXT_MOST = 64 };

struct amount {
    nanos n;      /* digits */
    int exponent; /* of ten, in billionths */
    int shift;    /* of two */
    bool negative, scientific;
};

static bool times(nanos *n, unsigned by)
{
    return !__builtin_mul_overflow(*n, (nanos)by, n);
}

static const char *take_digits(const char *p, struct amount *q, bool *any)
{
    bool point = false;
    for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        *any = true;
        if (!times(&q->n, 10) || __builtin_add_overflow(q->n, (nanos)(*p - '0'), &q->n))
            return NULL;
        q->exponent -= point;
    }
    return p;
}

/* "e3", "E-2": what follows the letter. */
static bool take_exponent(const char *p, struct amount *q)
{
    int e = 0, sign = *p == '-' ? -1 : 1;
    p += *p == '-' || *p == '+';
    if (!*p)
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if ((e = 10 * e + (*p - '0')) > EXPONENT_MOST)
            return false;
    q->exponent += sign * e;
    return !*p;
}

static bool take_suffix(const char *p, struct amount *q)
{
    static const char tens[] = "num kMGTPE", twos[] = "KMGTPE";
    if (!*p)
        return true;
    const char *at = p[1] == 'i' && !p[2] ? strchr(twos, *p) : NULL;
    if (at) {
        q->shift = 10 * (int)(at - twos + 1);
        return true;
    }
    at = !p[1] && *p != ' ' ? strchr(tens, *p) : NULL;
    if (at) {
        q->exponent += 3 * (int)(at - tens) - NANO_DIGITS;
        return true;
    }
    q->scientific = *p == 'e' || *p == 'E';
    return q->scientific && take_exponent(p + 1, q);
}

/* The amount in whole billionths, rounded away from zero. */
static bool in_nanos(struct amount *q)
{
    bool rest = false;
    q->exponent += NANO_DIGITS;
    for (int i = 0; i < q->shift; i++)
        if (!times(&q->n, 2))
            return false;
    for (; q->exponent > 0 && q->n; q->exponent--)
        if (!times(&q->n, 10))
            return false;
    for (; q->exponent < 0 && (q->n || rest); q->exponent++) {
        rest |= q->n % 10 != 0;
        if (!(q->n /= 10))
            break;
    }
    q->n += rest;
    return true;
}

/* False when the text is none. */
static bool parse(struct slice text, struct amount *ret)
{
    bool any = false;
    char copy[TEXT_MOST];
    *ret = (struct amount){.negative = text.len && *text.ptr == '-'};
    if (!text.len || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *p = take_digits(copy + (*copy == '-' || *copy == '+'), ret, &any);
    return p && any && take_suffix(p, ret) && in_nanos(ret);
}

static const struct value *written(struct arena *a, const struct amount *q, nanos n,
                                   const char *suffix)
{
    char digits[TEXT_MOST];
    size_t at = sizeof(digits);
    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + (int)(n % 10));
    while (n /= 10);
    return value_printf(a, "%s%s%s", q->negative && q->n ? "-" : "", &digits[at], suffix);
}

/* NULL when the text is none. */
static const struct value *quantity(struct arena *a, struct slice text)
{
    struct amount q;
    return parse(text, &q) ? written(a, &q, q.n, "n") : NULL;
}

/* The longest suffix with which the number stays whole. */
static const struct value *shortest(struct arena *a, const struct amount *q, nanos n, unsigned step,
                                    const char *const *suffixes, size_t count)
{
    size_t i = 0;
    for (; n && n % step == 0 && i + 1 < count; i++)
        n /= step;
    return written(a, q, n, n ? suffixes[i] : "");
}

const struct value *plain_quantity(struct arena *a, const struct value *v)
{
    static const char *const tens[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"},
                             *const twos[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    struct amount q;
    if (!value_is_known(v) || v->type->kind != TYPE_STRING || !parse(value_slice(v), &q) ||
        q.scientific)
        return v;
    nanos whole = q.n / NANO, rest = q.n % NANO;
    if (q.shift && whole >= KIBI)
        return shortest(a, &q, whole + (rest != 0), KIBI, twos, 7);
    return shortest(a, &q, q.n, 1000, tens, 10);
}

static const struct value *amount_of(struct arena *a, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    struct slice text = value_slice(v);
    if (v->type->kind == TYPE_NUMBER && number_format(&b, v->number) == 0)
        text = buf_slice(&b);
    const struct value *q = quantity(a, text);
    return q ? q : v;
}

static const struct value *single_of(struct arena *a, const struct value *v)
{
    if (v->type->kind != TYPE_NUMBER)
        return v;
    const struct number *n =
        number_from_double(a, (double)(float)number_to_double(v->number, NULL));
    return n ? value_number(a, n) : v;
}

/* ---- plain values ---- */

/* One form for texts and numbers that mean the same. */
typedef const struct value *scalar_form(struct arena *a, const struct value *v);

static const struct value *shaped(struct arena *a, const struct value *v, scalar_form *scalar);

static const struct value *plain_members(struct arena *a, const struct value *v,
                                         scalar_form *scalar)
{
    struct value_member *m = arena_new_array(a, v->count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < v->count; i++)
        if (!value_is_null(v->members[i].value))
            m[count++] =
                (struct value_member){v->members[i].key, shaped(a, v->members[i].value, scalar)};
    return m ? value_object(a, m, count) : NULL;
}

static const struct value *plain_elements(struct arena *a, const struct value *v,
                                          scalar_form *scalar)
{
    const struct value **e = arena_new_array(a, v->count, const struct value *);
    for (size_t i = 0; e && i < v->count; i++)
        e[i] = shaped(a, v->members[i].value, scalar);
    return e ? value_tuple(a, e, v->count) : NULL;
}

static const struct value *shaped(struct arena *a, const struct value *v, scalar_form *scalar)
{
    if (value_is_null(v))
        return value_null(a, &type_dynamic);
    if (value_is_unknown(v))
        return value_unknown(a, &type_dynamic);
    switch (v->type->kind) {
    case TYPE_STRING:
    case TYPE_NUMBER:
        return scalar ? scalar(a, v) : v;
    case TYPE_BOOL:
        return v;
    case TYPE_MAP:
    case TYPE_OBJECT:
        return plain_members(a, v, scalar);
    default:
        return plain_elements(a, v, scalar);
    }
}

const struct value *plain_value(struct arena *a, const struct value *v, bool quantities)
{
    return shaped(a, v, quantities ? amount_of : NULL);
}

const struct value *plain_float32(struct arena *a, const struct value *v)
{
    return shaped(a, v, single_of);
}

static bool is_empty(const struct value *v)
{
    return value_is_known(v) && ((v->type->kind == TYPE_TUPLE && !v->count) ||
                                 (v->type->kind == TYPE_STRING && !v->string.len));
}

bool plain_includes(const struct value *has, const struct value *wanted)
{
    if (!value_is_known(has) || !value_is_known(wanted) || has->type->kind != wanted->type->kind)
        return value_equal(has, wanted);
    bool object = wanted->type->kind == TYPE_OBJECT, tuple = wanted->type->kind == TYPE_TUPLE;
    if (!object && !tuple)
        return value_equal(has, wanted);
    if (tuple && has->count != wanted->count)
        return false;
    for (size_t i = 0; i < wanted->count; i++) {
        const struct value_member *m = &wanted->members[i];
        const struct value *of = object ? value_get_slice(has, m->key) : value_at(has, i);
        if (!(is_empty(m->value) && !of) && !plain_includes(of, m->value))
            return false;
    }
    return true;
}
