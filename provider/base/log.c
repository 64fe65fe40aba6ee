/* hclog lines on stderr, as go-plugin reads them from a plugin (hclog's JSON format). */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

enum {
    LINE_MOST = 60 * 1024, /* go-plugin takes a line of 64 KiB and more apart */
    FIELD_LEAST = 256,     /* bytes kept for each field, with its key */
    STALL_MS = 1000,       /* how long a full pipe is waited for */
};

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

/* Appends `s` escaped, in about `room` bytes. */
static void append_cut(struct buf *b, struct slice s, size_t room)
{
    if (buf_append_json_cut(b, s, room) < s.len)
        buf_append_str(b, "…");
}

static void append_field(struct buf *b, const struct log_field *f, size_t room)
{
    if (f->kind == LOG_FIELD_STRING && !f->str.ptr)
        return;
    buf_append_str(b, ",\"");
    buf_append_json_escaped(b, slice_str(f->key));
    buf_append_str(b, "\":");
    if (f->kind == LOG_FIELD_INT) {
        buf_printf(b, "%" PRId64, f->num);
    } else if (f->kind == LOG_FIELD_BOOL) {
        buf_append_str(b, f->num ? "true" : "false");
    } else {
        buf_append_char(b, '"');
        append_cut(b, f->str, room);
        buf_append_char(b, '"');
    }
}

/* False when the pipe stays full. A reader that does not read is waited for once, not at each line.
 */
static bool wait_writable(void)
{
    static bool stalled; /* under write_line()'s lock */
    struct pollfd out = {STDERR_FILENO, POLLOUT, 0};
    stalled = poll(&out, 1, stalled ? 0 : STALL_MS) <= 0;
    return !stalled;
}

static void write_line(const char *p, size_t left)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    while (left) {
        ssize_t n = write(STDERR_FILENO, p, left);
        if (n > 0) {
            p += n;
            left -= (size_t)n;
        } else if (errno != EINTR && (errno != EAGAIN || !wait_writable())) {
            break; /* the line is lost, the work goes on */
        }
    }
    pthread_mutex_unlock(&lock);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    _cleanup_buf_ struct buf b = BUF_INIT(2 * (size_t)LINE_MOST);
    buf_printf(&b, "{\"@level\":\"%s\",\"@message\":\"", level_names[level]);
    append_cut(&b, slice_str(message), LINE_MOST / 2);
    buf_append_str(&b, "\",\"@module\":\"llm\",\"@timestamp\":\"");
    append_timestamp(&b);
    buf_append_char(&b, '"');
    /* Each string may take what is left, but leaves a little to the fields behind it. */
    for (size_t i = 0; i < count; i++) {
        size_t taken = b.len + (count - i) * FIELD_LEAST;
        size_t room = taken < LINE_MOST ? LINE_MOST - taken : 0;
        append_field(&b, &fields[i], room + FIELD_LEAST / 2);
    }
    buf_append_str(&b, "}\n");
    if (!b.failed)
        write_line(b.ptr, b.len);
}
