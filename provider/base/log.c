/* hclog lines on stderr, as go-plugin reads them from a plugin (hclog's JSON format). */
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

enum { LINE_MOST = 64 * 1024 };

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error"};
static int least = LOG_WARN;

static int level_from(const char *text)
{
    if (!text || !*text)
        return -1;
    if (strcasecmp(text, "off") == 0)
        return LOG_ERROR + 1;
    if (strcasecmp(text, "json") == 0)
        return LOG_TRACE;
    for (int i = 0; i <= LOG_ERROR; i++)
        if (strcasecmp(text, level_names[i]) == 0)
            return i;
    return LOG_TRACE; /* what the cores do with a level that they do not know */
}

void log_init(void)
{
    static const char *const names[] = {"TF_LOG_PROVIDER_LLM", "TF_LOG_PROVIDER", "TF_LOG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        int level = level_from(getenv(names[i]));
        if (level >= 0) {
            least = level;
            return;
        }
    }
}

bool log_enabled(enum log_level level)
{
    return (int)level >= least;
}

static void append_timestamp(struct buf *b)
{
    struct timeval now;
    struct tm tm;
    gettimeofday(&now, NULL);
    gmtime_r(&now.tv_sec, &tm);
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (long)now.tv_usec);
}

static void append_field(struct buf *b, const struct log_field *f, size_t room)
{
    buf_append_str(b, ",\"");
    buf_append_json_escaped(b, slice_str(f->key));
    buf_append_str(b, "\":");
    if (f->kind == LOG_FIELD_INT) {
        buf_printf(b, "%" PRId64, f->num);
    } else if (f->kind == LOG_FIELD_BOOL) {
        buf_append_str(b, f->num ? "true" : "false");
    } else {
        struct slice s = f->str;
        bool cut = s.len > room;
        if (cut)
            s.len = room;
        buf_append_char(b, '"');
        buf_append_json_escaped(b, s);
        buf_append_str(b, cut ? "…\"" : "\"");
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    /* An escaped byte takes six at the most: strings share a sixth of the line. */
    const size_t room = LINE_MOST / 6 / (count + 1);
    _cleanup_buf_ struct buf b = BUF_INIT(2 * LINE_MOST);
    buf_printf(&b, "{\"@level\":\"%s\",\"@message\":\"", level_names[level]);
    struct slice text = slice_str(message);
    if (text.len > room)
        text.len = room;
    buf_append_json_escaped(&b, text);
    buf_append_str(&b, "\",\"@module\":\"llm\",\"@timestamp\":\"");
    append_timestamp(&b);
    buf_append_char(&b, '"');
    for (size_t i = 0; i < count; i++)
        append_field(&b, &fields[i], room);
    buf_append_str(&b, "}\n");
    if (b.failed)
        return;
    ssize_t written = write(STDERR_FILENO, b.ptr, b.len);
    (void)written;
}
