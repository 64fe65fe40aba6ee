/* One request and its answer, as the libcurl transport works on it. Private to this room.
 *
 * An exchange lives on its caller's stack. The caller sets it up, gives it to the transport's
 * thread, and takes the result when the thread has let go of it. Only the one who has it touches
 * it, but for `cancelled`. */
#ifndef LLM_HTTP_HTTP_EXCHANGE_H
#define LLM_HTTP_HTTP_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "http/http.h"
#include "http/http_curl_load.h"

/* Who ended an exchange that libcurl did not end itself. */
enum ended_by { ENDED_BY_CURL = 0, ENDED_BY_CANCEL, ENDED_BY_DEADLINE, ENDED_BY_TIMEOUT };

struct host;

struct exchange {
    struct exchange *prev, *next; /* in the transport's queue, then among those that run */
    const struct curl_functions *curl;
    const struct http_request *request;
    const struct http_settings *settings; /* never NULL */
    struct arena *arena;                  /* the caller's: not used by the thread */
    struct http_response *response;
    CURL *easy;
    struct curl_slist *headers;
    size_t body_sent;             /* bytes of the request's body given to libcurl */
    struct buf body, header_text; /* what came back */
    uint64_t most;                /* bytes of the answer's body */
    bool body_too_large, headers_too_large;
    bool certificates_only; /* nothing is sent: the answer's body is what the server has shown */

    int64_t due_ms;     /* of the system's monotonic clock: the work's deadline */
    int64_t timeout_ms; /* of the exchange, from its start */
    int64_t end_ms;     /* when it must end, once it has started */
    struct host *host;  /* whose connections it counts for, once it has started; or NULL */
    bool started, done;
    atomic_bool cancelled; /* set by any thread */
    pthread_cond_t finished;

    enum ended_by ended_by;
    CURLcode code;
    char error[CURL_ERROR_SIZE];
};

/* Prepares x->easy for x->request, which are set, with the connection's settings. 0; or -1 with
 * the response filled in, when the request cannot be sent. */
int exchange_set_up(struct exchange *x);

/* Fills the response from how the exchange ended. 0 when HTTP_OK, else -1. */
int exchange_take_result(struct exchange *x);

/* Fills the response with a failure; `text` is a constant or owned by the arena, NULL when memory
 * ran out. Returns -1. */
int exchange_fail(struct exchange *x, enum http_failure failure, const char *text);

/* Frees what the exchange holds but its handle, zeroing it. */
void exchange_clean_up(struct exchange *x);

/* One line about the exchange, and one with its headers at TRACE. */
void exchange_log(const struct exchange *x, int64_t duration_ms);

#endif
