/* Exact decimal numbers. */
#include "value/number.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The exact value of a double has at most 767 digits behind the first one that is not zero. */
enum { DIGITS_MOST = 1100, EXPONENT_MOST = 4096 };

/* The canonical form of sign, digits and exponent; NULL when memory is out or a limit is passed. */
static const struct number *canonical(struct arena *a, bool negative, const char *digits,
                                      size_t len, int64_t exponent)
{
    while (len && *digits == '0') {
        digits++;
        len--;
    }
    while (len && digits[len - 1] == '0') {
        len--;
        exponent++;
    }
    struct number *n = arena_new_object(a, struct number);
    if (!n || len > DIGITS_MOST)
        return NULL;
    if (len == 0) {
        n->digits = slice_from("", 0);
        return n;
    }
    if (exponent > EXPONENT_MOST || exponent < -EXPONENT_MOST)
        return NULL;
    char *copy = arena_strndup(a, digits, len);
    if (!copy)
        return NULL;
    n->negative = negative;
    n->digits = slice_from(copy, len);
    n->exponent = (int)exponent;
    return n;
}

/* What number_parse() reads, piece by piece. Zeros are kept back until a digit follows them, so
 * that a long row of them costs nothing. */
struct scan {
    const char *at, *end;
    char digits[DIGITS_MOST];
    size_t len;
    int64_t zeros;
    int64_t exponent;
    bool too_long;
};

static void take_digit(struct scan *s, char c)
{
    if (c == '0') {
        s->zeros += s->len > 0;
        return;
    }
    if (s->zeros >= (int64_t)(sizeof(s->digits) - s->len)) {
        s->too_long = true;
        return;
    }
    memset(s->digits + s->len, '0', (size_t)s->zeros);
    s->len += (size_t)s->zeros;
    s->zeros = 0;
    s->digits[s->len++] = c;
}

/* Returns how many digits there were. */
static size_t scan_digits(struct scan *s, bool fraction)
{
    size_t seen = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, seen++) {
        s->exponent -= fraction;
        take_digit(s, *s->at);
    }
    return seen;
}

static bool scan_exponent(struct scan *s)
{
    if (s->at == s->end || (*s->at != 'e' && *s->at != 'E'))
        return true;
    s->at++;
    bool negative = s->at < s->end && *s->at == '-';
    if (s->at < s->end && (*s->at == '-' || *s->at == '+'))
        s->at++;
    int64_t e = 0;
    size_t seen = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, seen++)
        if (e < INT64_C(1000000000000))
            e = e * 10 + (*s->at - '0');
    s->exponent += negative ? -e : e;
    return seen > 0;
}

const struct number *number_parse(struct arena *a, struct slice text)
{
    if (!text.len)
        return NULL;
    struct scan s = {.at = text.ptr, .end = text.ptr + text.len};
    bool negative = *s.at == '-';
    if (*s.at == '-' || *s.at == '+')
        s.at++;
    if (scan_digits(&s, false) == 0)
        return NULL;
    if (s.at < s.end && *s.at == '.') {
        s.at++;
        if (scan_digits(&s, true) == 0)
            return NULL;
    }
    if (!scan_exponent(&s) || s.at != s.end || s.too_long)
        return NULL;
    return canonical(a, negative, s.digits, s.len, s.exponent + s.zeros);
}

const struct number *number_from_int(struct arena *a, int64_t n)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%" PRId64, n);
    size_t skip = n < 0 ? 1 : 0;
    return canonical(a, n < 0, text + skip, (size_t)len - skip, 0);
}

const struct number *number_from_uint(struct arena *a, uint64_t n)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%" PRIu64, n);
    return canonical(a, false, text, (size_t)len, 0);
}

/* ---- doubles ---- */

/* All digits of a binary number, without zeros behind them: 0.DIGITS × 10^top. */
struct expansion {
    char digits[DIGITS_MOST + 32];
    size_t len;
    int64_t top;
};

/* `x` is positive and finite. The C library prints exactly: one digit, a point, the rest, e and the
 * exponent. */
static void expand(struct expansion *ret, long double x)
{
    snprintf(ret->digits, sizeof(ret->digits), "%.*Le", DIGITS_MOST, x);
    char *e = strchr(ret->digits, 'e');
    ret->top = e ? strtoll(e + 1, NULL, 10) + 1 : 0;
    memmove(ret->digits + 1, ret->digits + 2, DIGITS_MOST);
    ret->len = DIGITS_MOST + 1;
    while (ret->len > 1 && ret->digits[ret->len - 1] == '0')
        ret->len--;
}

static char digit_at(const struct expansion *x, size_t i)
{
    return (char)(i < x->len ? x->digits[i] : '0');
}

static bool rounds_up(const struct expansion *x, size_t len)
{
    if (len + 1 == x->len && x->digits[len] == '5')
        return len > 0 && (x->digits[len - 1] - '0') % 2 != 0;
    return digit_at(x, len) >= '5';
}

static void cut(struct expansion *x, size_t len, bool up)
{
    x->len = len;
    if (!up)
        return;
    while (x->len && x->digits[x->len - 1] == '9')
        x->len--;
    if (x->len) {
        x->digits[x->len - 1]++;
        return;
    }
    x->digits[x->len++] = '1';
    x->top++;
}

/* The fewest digits that tell `d`, a positive fraction, from its neighbours at 53 bits of
 * precision, as Go's big.Float writes it with Text('f', -1) (so also the smallest doubles, which
 * have fewer bits, and powers of two, whose lower neighbour is nearer). The borders to the
 * neighbours have one binary digit, and so one decimal digit, more than `d`: no decimal that is
 * shorter lies on them. */
static void shorten(struct expansion *x, double d)
{
    _Static_assert(LDBL_MANT_DIG >= 54, "half a unit in the last place of a double must fit");
    int e = 0;
    frexp(d, &e);
    long double half = ldexpl(1, e - 54);
    struct expansion low, high;
    expand(&low, d - half);
    expand(&high, d + half);
    for (size_t i = 0; i < x->len; i++) {
        bool down = digit_at(&low, i) != x->digits[i], up = digit_at(&high, i) != x->digits[i];
        if (down || up) {
            cut(x, i + 1, up && (!down || rounds_up(x, i + 1)));
            return;
        }
    }
}

const struct number *number_from_double(struct arena *a, double d)
{
    if (!isfinite(d))
        return NULL;
    if (d == 0)
        return number_from_int(a, 0);
    struct expansion x;
    expand(&x, fabsl(d));
    if (d != trunc(d))
        shorten(&x, fabs(d));
    return canonical(a, d < 0, x.digits, x.len, x.top - (int64_t)x.len);
}

/* Magnitudes: the position of the first digit decides, then the digits. */
static int compare_magnitude(const struct number *a, const struct number *b)
{
    if (!a->digits.len || !b->digits.len)
        return (a->digits.len > 0) - (b->digits.len > 0);
    int64_t top_a = (int64_t)a->digits.len + a->exponent;
    int64_t top_b = (int64_t)b->digits.len + b->exponent;
    if (top_a != top_b)
        return top_a < top_b ? -1 : 1;
    return slice_cmp(a->digits, b->digits);
}

int number_compare(const struct number *a, const struct number *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int c = compare_magnitude(a, b);
    return a->negative ? -c : c;
}

static bool to_magnitude(const struct number *n, uint64_t *ret)
{
    uint64_t m = 0;
    if (n->exponent < 0 || n->digits.len + (size_t)n->exponent > 20)
        return n->digits.len == 0 ? (*ret = 0, true) : false;
    for (size_t i = 0; i < n->digits.len + (size_t)n->exponent; i++) {
        unsigned digit = i < n->digits.len ? (unsigned)(n->digits.ptr[i] - '0') : 0;
        if (__builtin_mul_overflow(m, 10u, &m) || __builtin_add_overflow(m, digit, &m))
            return false;
    }
    *ret = m;
    return true;
}

bool number_to_uint(const struct number *n, uint64_t *ret)
{
    return !n->negative && to_magnitude(n, ret);
}

bool number_to_int(const struct number *n, int64_t *ret)
{
    uint64_t m = 0;
    if (!to_magnitude(n, &m) || m > (uint64_t)INT64_MAX + (n->negative ? 1 : 0))
        return false;
    *ret = n->negative ? (int64_t)(0 - m) : (int64_t)m;
    return true;
}

/* Whether the double `d` is `n` to the last digit. */
static bool is_exactly(double d, const struct number *n)
{
    if (n->digits.len == 0 || d == 0 || !isfinite(d))
        return n->digits.len == 0;
    struct expansion x;
    expand(&x, fabsl(d));
    return x.top - (int64_t)x.len == n->exponent &&
           slice_eq(slice_from(x.digits, x.len), n->digits);
}

double number_to_double(const struct number *n, bool *exact)
{
    char text[DIGITS_MOST + 64];
    snprintf(text, sizeof(text), "%s%.*se%d", n->negative ? "-" : "",
             n->digits.len ? (int)n->digits.len : 1, n->digits.len ? n->digits.ptr : "0",
             n->exponent);
    double d = strtod(text, NULL);
    /* A binary fraction ends in 5, which spares most numbers the look at all their digits. */
    bool possible = n->exponent >= 0 || n->digits.ptr[n->digits.len - 1] == '5';
    if (exact)
        *exact = possible && is_exactly(d, n);
    return d;
}

static void append_zeros(struct buf *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        buf_append_char(out, '0');
}

int number_format(struct buf *out, const struct number *n)
{
    int64_t len = (int64_t)n->digits.len, top = len + n->exponent;
    if (len == 0)
        return buf_append_char(out, '0');
    if (n->negative)
        buf_append_char(out, '-');
    if (n->exponent >= 0) {
        buf_append_slice(out, n->digits);
        append_zeros(out, n->exponent);
    } else if (top > 0) {
        buf_append(out, n->digits.ptr, (size_t)top);
        buf_append_char(out, '.');
        buf_append(out, n->digits.ptr + top, (size_t)(len - top));
    } else {
        buf_append_str(out, "0.");
        append_zeros(out, -top);
        buf_append_slice(out, n->digits);
    }
    return out->failed ? -1 : 0;
}
