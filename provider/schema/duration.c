/* Durations as Go's time.ParseDuration reads them. The schema compiler is built with this file too.
 */
#include "schema/schema.h"

struct unit {
    const char *name;
    double ms;
};

/* The longest name that fits comes first. */
static const struct unit units[] = {{"ns", 1e-6},        {"us", 1e-3},  {"\xc2\xb5s", 1e-3},
                                    {"\xce\xbcs", 1e-3}, {"ms", 1},     {"s", 1000},
                                    {"m", 60000},        {"h", 3600000}};

/* Decimal digits with an optional fraction; advances *at. -1 when there is no digit. */
static int number(struct slice text, size_t *at, double *ret)
{
    double whole = 0, scale = 1;
    size_t digits = 0;
    bool fraction = false;
    for (; *at < text.len; (*at)++) {
        char ch = text.ptr[*at];
        if (ch == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (ch < '0' || ch > '9')
            break;
        digits++;
        if (fraction) {
            scale /= 10;
            whole += scale * (ch - '0');
        } else {
            whole = whole * 10 + (ch - '0');
        }
    }
    *ret = whole;
    return digits ? 0 : -1;
}

static const struct unit *unit_at(struct slice text, size_t at)
{
    struct slice rest = {text.ptr + at, text.len - at};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (slice_has_prefix(rest, units[i].name))
            return &units[i];
    }
    return NULL;
}

int schema_duration_parse(struct slice text, int64_t *ret_ms)
{
    const double most = 9223372036854.0; /* 2^63 ns, the longest duration that Go has */
    double total = 0;
    size_t at = 0;
    bool negative = text.len && text.ptr[0] == '-';
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        at = 1;
    if (at == text.len)
        return -1;
    if (slice_eq_str((struct slice){text.ptr + at, text.len - at}, "0")) {
        *ret_ms = 0;
        return 0;
    }
    while (at < text.len) {
        double n;
        if (number(text, &at, &n))
            return -1;
        const struct unit *u = at < text.len ? unit_at(text, at) : NULL;
        if (!u)
            return -1;
        at += strlen(u->name);
        total += n * u->ms;
        if (!(total <= most))
            return -1;
    }
    int64_t ms = (int64_t)(total + 5e-7);
    *ret_ms = negative ? -ms : ms;
    return 0;
}
