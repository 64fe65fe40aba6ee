/* Exact decimal numbers of any size, as cty's: 0.1 stays 0.1 and 2^64+1 stays 2^64+1.
 *
 * A number is sign × digits × 10^exponent in canonical form: `digits` has no leading or trailing
 * zero, and zero is the empty digit string with exponent 0 and no sign. Limits: 1100 digits (the
 * exact value of every double fits), and |exponent| ≤ 4096; more is an error of the text that holds
 * it. */
#ifndef LLM_VALUE_NUMBER_H
#define LLM_VALUE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

struct number {
    bool negative;
    struct slice digits; /* '0'…'9' */
    int exponent;
};

/* Parses JSON's number grammar (also a leading '+'); NULL when it is none, or over the limits. */
const struct number *number_parse(struct arena *a, struct slice text);
const struct number *number_from_int(struct arena *a, int64_t n);
const struct number *number_from_uint(struct arena *a, uint64_t n);
/* A finite double as the cores compare and store it (cty's rawNumberEqual()): whole ones exactly,
 * others as the shortest decimal that stands for them, so that 0.1 is 0.1 and not
 * 0.1000000000000000055…, which would differ from what the state has. NULL for NaN, infinities. */
const struct number *number_from_double(struct arena *a, double d);

/* <0, 0, >0 */
int number_compare(const struct number *a, const struct number *b);

/* True with *ret set when the number is an integer in range. */
bool number_to_int(const struct number *n, int64_t *ret);
bool number_to_uint(const struct number *n, uint64_t *ret);
/* The nearest double (infinite when out of range); *exact (may be NULL) says whether it is the same
 * number, to the last binary digit. */
double number_to_double(const struct number *n, bool *exact);

/* Plain decimal notation ("-12.5", "100"), never an exponent: at most 5200 bytes. 0 or -1. */
int number_format(struct buf *out, const struct number *n);

#endif
