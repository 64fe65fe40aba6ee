/* Reading and writing quantities (apimachinery, pkg/api/resource/quantity.go). */
#include "resources/quantity.h"

#include <string.h>

#include "value/number.h"

/* Digits before what a quantity may hold (2^63-1) are more than it can say exactly. */
enum { DIGITS_MOST = 36 };
#define EXACT_MOST 9e15 /* a double is a whole number exactly up to 2^53 */

enum form { DECIMAL_SI, DECIMAL_EXPONENT, BINARY_SI };

struct suffix {
    enum form form;
    int exponent; /* of 10, or of 1024 */
};

static const char *const binary[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
static const char *const decimal[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};

static bool read_exponent(struct slice s, struct suffix *ret)
{
    int sign = 1, n = 0;
    size_t i = 1;
    if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
        sign = s.ptr[i++] == '-' ? -1 : 1;
    if (i == s.len || s.len - i > 3)
        return false;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        n = n * 10 + (s.ptr[i] - '0');
    }
    *ret = (struct suffix){DECIMAL_EXPONENT, sign * n};
    return true;
}

static bool read_suffix(struct slice s, struct suffix *ret)
{
    for (int i = 1; i < 7; i++)
        if (slice_eq_str(s, binary[i])) {
            *ret = (struct suffix){BINARY_SI, i};
            return true;
        }
    for (int i = 0; i < 10; i++)
        if (slice_eq_str(s, decimal[i])) {
            *ret = (struct suffix){DECIMAL_SI, 3 * (i - 3)};
            return true;
        }
    return s.len > 1 && (*s.ptr == 'e' || *s.ptr == 'E') && read_exponent(s, ret);
}

/* "5", "5.", ".5" and "5.5": more than JSON's numbers. */
static const struct number *read_number(struct arena *a, struct slice s)
{
    bool negative = s.len && *s.ptr == '-';
    size_t from = s.len && (*s.ptr == '-' || *s.ptr == '+'), digits = 0, dots = 0;
    for (size_t i = from; i < s.len; i++) {
        dots += s.ptr[i] == '.';
        digits += s.ptr[i] != '.';
    }
    if (!digits || digits > DIGITS_MOST || dots > 1)
        return NULL;
    while (from + 1 < s.len && s.ptr[from] == '0' && s.ptr[from + 1] != '.')
        from++;
    bool open = s.ptr[s.len - 1] == '.';
    const char *text =
        arena_printf(a, "%s%s%.*s%s", negative ? "-" : "", s.ptr[from] == '.' ? "0" : "",
                     (int)(s.len - from), s.ptr + from, open ? "0" : "");
    return text ? number_parse(a, slice_str(text)) : NULL;
}

static int floor_to_3(int n)
{
    return n >= 0 ? n / 3 * 3 : -((-n + 2) / 3 * 3);
}

/* Digits × 10^exponent, the exponent a multiple of 3, as large as possible. */
static const char *write_decimal(struct arena *a, const struct number *n, enum form form)
{
    int e = floor_to_3(n->exponent), zeros = n->exponent - e;
    if (n->digits.len == 0)
        return arena_strdup(a, "0");
    if (e < -9 || (form == DECIMAL_SI && e > 18))
        return NULL;
    const char *digits = arena_printf(a, "%s%.*s%.*s", n->negative ? "-" : "", (int)n->digits.len,
                                      n->digits.ptr, zeros, "00");
    if (form == DECIMAL_SI || e == 0)
        return arena_printf(a, "%s%s", digits, decimal[e / 3 + 3]);
    return arena_printf(a, "%se%d", digits, e);
}

/* Whole, and small enough to be counted. */
static const char *write_binary(struct arena *a, const struct number *n, int power)
{
    int64_t units = 0;
    if (!number_to_int(n, &units)) {
        /* A part of a unit is so many of the next smaller one. */
        bool exact = false;
        double part = number_to_double(n, &exact);
        for (; power > 0 && part != (double)(int64_t)part; power--) {
            part *= 1024;
            if (part > EXACT_MOST || part < -EXACT_MOST)
                return NULL;
        }
        units = (int64_t)part;
        if (part != (double)units)
            return NULL;
    }
    while (units && units % 1024 == 0 && power < 6) {
        units /= 1024;
        power++;
    }
    if (units == 0)
        return arena_strdup(a, "0");
    if (power == 0 && units > -1024 && units < 1024)
        return write_decimal(a, number_from_int(a, units), DECIMAL_SI);
    return arena_printf(a, "%lld%s", (long long)units, binary[power]);
}

const char *quantity_canonical(struct arena *a, struct slice text)
{
    struct suffix suffix = {DECIMAL_SI, 0};
    size_t len = 0;
    while (len < text.len && strchr("+-.0123456789", text.ptr[len]))
        len++;
    const struct number *n = len ? read_number(a, slice_from(text.ptr, len)) : NULL;
    if (!n || !read_suffix(slice_from(text.ptr + len, text.len - len), &suffix))
        return NULL;
    if (suffix.form == BINARY_SI)
        return write_binary(a, n, suffix.exponent);
    struct number scaled = *n;
    scaled.exponent += suffix.exponent;
    return write_decimal(a, &scaled, suffix.form);
}
