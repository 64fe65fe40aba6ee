/* Log lines for the core, as hclog JSON on stderr:
 * {"@level":"debug","@message":"…","@module":"llm","@timestamp":"…","key":value,…}
 * Each line is written under a lock, with one write(2) as long as the pipe takes it whole, so that
 * threads do not mix. go-plugin reads lines of less than 64 KiB: a string that would not fit is
 * cut, and ends in "…". A field whose string has a NULL pointer is left out.
 * Lines below the level set at start (TF_LOG_PROVIDER_LLM, TF_LOG_PROVIDER, TF_LOG; default: warn
 * and above when none is set, as go-plugin shows what it gets) are not formatted at all. */
#ifndef LLM_BASE_LOG_H
#define LLM_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_field_kind { LOG_FIELD_STRING, LOG_FIELD_INT, LOG_FIELD_BOOL };

struct log_field {
    const char *key;
    enum log_field_kind kind;
    struct slice str;
    int64_t num;
};

#define LOG_STR(k, s) ((struct log_field){(k), LOG_FIELD_STRING, slice_str(s), 0})
#define LOG_SLICE(k, s) ((struct log_field){(k), LOG_FIELD_STRING, (s), 0})
#define LOG_INT(k, n) ((struct log_field){(k), LOG_FIELD_INT, SLICE_EMPTY, (int64_t)(n)})
#define LOG_BOOL(k, b) ((struct log_field){(k), LOG_FIELD_BOOL, SLICE_EMPTY, (b) ? 1 : 0})

/* Reads the level from the environment; called once from main before threads start. */
void log_init(void);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

#define log_at(level, message, ...)                                                                \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                  \
            log_write((level), (message), log_fields_,                                             \
                      sizeof(log_fields_) / sizeof(*log_fields_));                                 \
        }                                                                                          \
    } while (0)

#endif
