/* The gRPC server on a completion queue.
 *
 * A call lives from grpc_server_request_call() to its last batch. Unary methods (and those streams
 * that this provider answers with one message) go: requested, received, handled by a worker,
 * answered. Beside that a batch of its own waits for the call's end: when it comes before the
 * answer, nobody is there any more who would take it, and the work is cut off. go-plugin's two long
 * streams go: requested, opened, closed by the client or by the server's end. */
#include "plugin/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/secret.h"
#include "plugin/rpc.h"
#include "plugin/workers.h"

enum {
    MESSAGE_MOST = 256 << 20,
    MESSAGE_LARGE = 4 << 20,
    REQUESTS_AHEAD = 8,
    END_S = 1,
    CLOSE_S = 5,
    STOP_MS = 30000
};

struct server {
    struct server_options options;
    grpc_completion_queue *queue;
    grpc_server *grpc;
    pthread_t thread;
    struct workers *workers;
    struct cancel *cancel;
    _Atomic int64_t stopped_ms; /* when StopProvider came; 0: never */
    pthread_mutex_t lock;
    size_t calls;   /* that have a batch to come, or under way; the queue must not close before */
    bool closed;    /* no new call can come */
    size_t at_work; /* calls that are handled or being answered */
    struct call *streams; /* that stay open */
    bool ending;          /* no stream stays open any more */
    pthread_cond_t changed;
};

enum step { STEP_REQUESTED, STEP_RECEIVED, STEP_ANSWERED, STEP_STREAM_CLOSED };

/* What a batch carries. */
struct tag {
    struct call *call;
    bool of_end; /* the batch that waits for the call's end; else one of its steps */
};

struct call {
    struct server *server;
    struct tag step_tag, end_tag;
    struct cancel *cancel; /* of this call's work */
    atomic_int users;      /* the steps, and the batch that waits for the end */
    /* Written last before a batch starts, read first when it ends: what else a worker has written
     * here is the queue's thread's from then on. */
    _Atomic enum step step;
    grpc_call *grpc;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *request;
    grpc_byte_buffer *response;
    grpc_slice status_text;
    int cancelled;
    struct call *next_stream;
};

struct provider *server_provider(struct server *s)
{
    return s->options.provider;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void server_stop_work(struct server *s)
{
    int64_t never = 0;
    atomic_compare_exchange_strong(&s->stopped_ms, &never, now_ms());
    cancel_set(s->cancel, false);
}

void server_check_stopped(struct server *s)
{
    int64_t stopped = atomic_load(&s->stopped_ms);
    if (stopped && now_ms() - stopped >= STOP_MS)
        cancel_set(s->cancel, true);
}

/* ---- calls ---- */

/* Counts calls in and out. gRPC aborts the process when a batch is started on a queue that is shut
 * down: that waits for the last call. */
static void count_calls(struct server *s, int calls, int at_work, bool closed)
{
    pthread_mutex_lock(&s->lock);
    s->calls += (size_t)calls;
    s->at_work += (size_t)at_work;
    s->closed = s->closed || closed;
    bool over = s->closed && s->calls == 0;
    if (at_work < 0 || closed)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (over)
        grpc_completion_queue_shutdown(s->queue);
}

/* Keeps a stream until its end; at the server's end there is no more to wait for. */
static void keep_stream(struct call *c)
{
    struct server *s = c->server;
    pthread_mutex_lock(&s->lock);
    bool ending = s->ending;
    c->next_stream = s->streams;
    s->streams = c;
    pthread_mutex_unlock(&s->lock);
    if (ending)
        grpc_call_cancel(c->grpc, NULL);
}

static void forget_stream(struct call *c)
{
    struct server *s = c->server;
    pthread_mutex_lock(&s->lock);
    for (struct call **at = &s->streams; *at; at = &(*at)->next_stream)
        if (*at == c) {
            *at = c->next_stream;
            break;
        }
    pthread_mutex_unlock(&s->lock);
}

/* Gives the system back what large messages took. Each thread of gRPC and ours allocates from a
 * heap of its own, which the C library keeps when it is empty: 64 MiB for each thread that has met
 * such a message, although the next one may be hours away. */
static void give_back(size_t bytes)
{
#ifdef __GLIBC__
    if (bytes >= MESSAGE_LARGE)
        malloc_trim(0);
#else
    (void)bytes;
#endif
}

static void call_free(struct call *c)
{
    struct server *s = c->server;
    enum step step = c->step;
    size_t bytes = 0;
    if (step == STEP_STREAM_CLOSED)
        forget_stream(c);
    if (c->grpc)
        grpc_call_unref(c->grpc);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->metadata);
    if (c->request) {
        bytes += grpc_byte_buffer_length(c->request);
        grpc_byte_buffer_destroy(c->request);
    }
    if (c->response) {
        bytes += grpc_byte_buffer_length(c->response);
        grpc_byte_buffer_destroy(c->response);
    }
    grpc_slice_unref(c->status_text);
    cancel_free(c->cancel);
    alloc_table.free(c);
    give_back(bytes);
    if (step != STEP_REQUESTED)
        count_calls(s, -1, step == STEP_ANSWERED ? -1 : 0, false);
}

static void call_leave(struct call *c)
{
    if (atomic_fetch_sub(&c->users, 1) == 1)
        call_free(c);
}

static void request_next(struct server *s)
{
    struct call *c = alloc_table.malloc(sizeof(*c));
    struct cancel *cancel = c ? cancel_new_part(s->cancel) : NULL;
    if (!cancel) {
        log_at(LOG_ERROR, "Memory ran out; a call less can be served",
               LOG_INT("bytes", sizeof(*c)));
        alloc_table.free(c);
        return;
    }
    memset(c, 0, sizeof(*c));
    c->server = s;
    c->step_tag.call = c->end_tag.call = c;
    c->end_tag.of_end = true;
    c->cancel = cancel;
    c->users = 1;
    c->status_text = grpc_empty_slice();
    grpc_call_details_init(&c->details);
    grpc_metadata_array_init(&c->metadata);
    if (grpc_server_request_call(s->grpc, &c->grpc, &c->details, &c->metadata, s->queue, s->queue,
                                 &c->step_tag) != GRPC_CALL_OK)
        call_leave(c);
}

static void start_batch(struct call *c, const grpc_op *ops, size_t count, struct tag *tag)
{
    if (grpc_call_start_batch(c->grpc, ops, count, tag, NULL) == GRPC_CALL_OK)
        return;
    grpc_call_cancel(c->grpc, NULL); /* its other batch ends */
    call_leave(c);
}

static bool is_method(const struct call *c, const char *path)
{
    return grpc_slice_str_cmp(c->details.method, path) == 0;
}

/* go-plugin's streams that stay open: nothing is ever sent on them. */
static bool is_long_stream(const struct call *c)
{
    return is_method(c, "/plugin.GRPCStdio/StreamStdio") ||
           is_method(c, "/plugin.GRPCBroker/StartStream") ||
           is_method(c, "/grpc.health.v1.Health/Watch");
}

static void open_stream(struct call *c)
{
    grpc_op ops[2];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[1].data.recv_close_on_server.cancelled = &c->cancelled;
    c->step = STEP_STREAM_CLOSED;
    keep_stream(c);
    start_batch(c, ops, 2, &c->step_tag);
}

static void wait_for_call_end(struct call *c)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &c->cancelled;
    atomic_fetch_add(&c->users, 1);
    start_batch(c, &op, 1, &c->end_tag);
}

static void receive(struct call *c)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &c->request;
    c->step = STEP_RECEIVED;
    start_batch(c, &op, 1, &c->step_tag);
}

static void send_answer(struct call *c, struct grpc_answer *answer)
{
    grpc_op ops[3];
    size_t n = 0;
    memset(ops, 0, sizeof(ops));
    ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (answer->status == GRPC_STATUS_OK) {
        grpc_slice bytes = grpc_slice_from_copied_buffer(buf_cstr(&answer->body), answer->body.len);
        c->response = grpc_raw_byte_buffer_create(&bytes, 1);
        grpc_slice_unref(bytes);
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = c->response;
    }
    c->status_text = grpc_slice_from_copied_string(answer->text ? answer->text : "");
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.status = (grpc_status_code)answer->status;
    ops[n++].data.send_status_from_server.status_details = &c->status_text;
    c->step = STEP_ANSWERED;
    start_batch(c, ops, n, &c->step_tag);
}

/* Requests bring the configuration's secrets: what gRPC keeps of one is zeroed before it goes back.
 * The bytes are this message's alone, also where a slice is a piece of a larger read. */
static void zero_message(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    grpc_slice *piece = NULL;
    if (!message || !grpc_byte_buffer_reader_init(&reader, message))
        return;
    while (grpc_byte_buffer_reader_peek(&reader, &piece))
        secret_zero(GRPC_SLICE_START_PTR(*piece), GRPC_SLICE_LENGTH(*piece));
    grpc_byte_buffer_reader_destroy(&reader);
}

static void handle(void *arg)
{
    struct call *c = arg;
    struct grpc_answer answer = {GRPC_STATUS_INTERNAL, "the request could not be read",
                                 BUF_INIT(0)};
    grpc_byte_buffer_reader reader;
    grpc_slice path = c->details.method;
    char method[128] = "";
    size_t len = GRPC_SLICE_LENGTH(path);
    if (len < sizeof(method))
        memcpy(method, GRPC_SLICE_START_PTR(path), len);
    if (!c->request) {
        /* The client went away before its message, or it was over the limit. */
        answer.status = GRPC_STATUS_INVALID_ARGUMENT;
        answer.text = "the call has no message";
    } else if (grpc_byte_buffer_reader_init(&reader, c->request)) {
        grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
        log_at(LOG_TRACE, "Call", LOG_STR("method", method),
               LOG_INT("bytes", (int64_t)GRPC_SLICE_LENGTH(all)));
        rpc_dispatch(c->server, c->cancel, method,
                     slice_from(GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all)), &answer);
        secret_zero(GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all));
        grpc_slice_unref(all);
        grpc_byte_buffer_reader_destroy(&reader);
        zero_message(c->request);
    }
    send_answer(c, &answer);
    buf_clean_up(&answer.body);
}

/* ---- the queue's thread ---- */

/* The client has its answer, or is gone: the core was killed, or has given the call up. Then nobody
 * writes the state that the work would hand over, and the claim on what it makes is to stay. */
static void on_call_end(struct call *c)
{
    if (c->cancelled) {
        if (atomic_load(&c->step) == STEP_RECEIVED)
            log_at(LOG_WARN, "The client of a call is gone; what it does is cut off");
        cancel_set(c->cancel, true);
    }
    call_leave(c);
}

static void on_step(struct server *s, struct call *c, bool success)
{
    switch ((enum step)atomic_load(&c->step)) {
    case STEP_REQUESTED:
        if (!success) {
            call_leave(c);
            return;
        }
        count_calls(s, 1, 0, false);
        request_next(s);
        if (is_long_stream(c)) {
            open_stream(c);
            return;
        }
        wait_for_call_end(c);
        receive(c);
        return;
    case STEP_RECEIVED:
        count_calls(s, 0, 1, false);
        /* Stopping must not wait behind the calls that it is to stop. */
        if (is_method(c, "/tfplugin6.Provider/StopProvider") ||
            workers_run(s->workers, handle, c) < 0)
            handle(c);
        return;
    case STEP_ANSWERED:
        if (is_method(c, "/plugin.GRPCController/Shutdown"))
            s->options.shut_down(s->options.self);
        call_leave(c);
        return;
    case STEP_STREAM_CLOSED:
        call_leave(c);
        return;
    }
}

static void on_event(struct server *s, const struct tag *tag, bool success)
{
    if (tag->of_end)
        on_call_end(tag->call);
    else
        on_step(s, tag->call, success);
}

static void *queue_main(void *arg)
{
    struct server *s = arg;
    for (;;) {
        grpc_event e =
            grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (e.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (e.tag == s)
            count_calls(s, 0, 0, true); /* no new call can come */
        else
            on_event(s, e.tag, e.success != 0);
    }
}

/* ---- start and end ---- */

static grpc_server_credentials *credentials(const struct server_options *o)
{
    if (!o->tls)
        return grpc_insecure_server_credentials_create();
    grpc_ssl_pem_key_cert_pair pair = {o->tls->key_pem, o->tls->cert_pem};
    return grpc_ssl_server_credentials_create_ex(
        o->client_cert_pem, &pair, 1, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
        NULL);
}

static const char *listen_on(struct server *s)
{
    grpc_arg args[3];
    memset(args, 0, sizeof(args));
    args[0].type = args[1].type = GRPC_ARG_INTEGER;
    args[0].key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH;
    args[0].value.integer = MESSAGE_MOST;
    args[1].key = (char *)(uintptr_t)GRPC_ARG_MAX_SEND_MESSAGE_LENGTH;
    args[1].value.integer = MESSAGE_MOST;
    grpc_channel_args all = {2, args};
    s->queue = grpc_completion_queue_create_for_next(NULL);
    s->grpc = grpc_server_create(&all, NULL);
    if (!s->queue || !s->grpc)
        return "gRPC could not be set up";
    grpc_server_register_completion_queue(s->grpc, s->queue, NULL);
    grpc_server_credentials *creds = credentials(&s->options);
    char address[160];
    snprintf(address, sizeof(address), "unix:%s", s->options.socket_path);
    int bound = creds ? grpc_server_add_http2_port(s->grpc, address, creds) : 0;
    if (creds)
        grpc_server_credentials_release(creds);
    return bound ? NULL : "the socket could not be opened, or the certificates are not usable";
}

void server_free(struct server *s)
{
    if (s->grpc)
        grpc_server_destroy(s->grpc);
    if (s->queue)
        grpc_completion_queue_destroy(s->queue);
    cancel_free(s->cancel);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    grpc_shutdown();
    alloc_table.free(s);
}

struct server *server_start(const struct server_options *o, const char **ret_why)
{
    struct server *s = alloc_table.malloc(sizeof(*s));
    *ret_why = "memory ran out";
    if (!s)
        return NULL;
    memset(s, 0, sizeof(*s));
    s->options = *o;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    grpc_init();
    s->workers = workers_new();
    s->cancel = cancel_new();
    const char *why = s->workers && s->cancel ? listen_on(s) : *ret_why;
    if (why) {
        *ret_why = why;
        if (s->workers)
            workers_end(s->workers, 0);
        server_free(s);
        return NULL;
    }
    grpc_server_start(s->grpc);
    for (int i = 0; i < REQUESTS_AHEAD; i++)
        request_next(s);
    if (pthread_create(&s->thread, NULL, queue_main, s) != 0) {
        *ret_why = "no thread could be started";
        return NULL;
    }
    return s;
}

static struct timespec in_seconds(int seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += seconds;
    return t;
}

/* Waits until no call is at work, or until no client is connected any more. */
static bool wait_for(struct server *s, bool closed)
{
    const struct timespec until = in_seconds(closed ? CLOSE_S : END_S);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while ((closed ? !s->closed : s->at_work > 0) && rc == 0)
        rc = pthread_cond_clockwait(&s->changed, &s->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&s->lock);
    return rc == 0;
}

static void end_streams(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    for (struct call *c = s->streams; c; c = c->next_stream)
        grpc_call_cancel(c->grpc, NULL);
    pthread_mutex_unlock(&s->lock);
}

bool server_end(struct server *s)
{
    cancel_set(s->cancel, true);
    /* A call that is cut off still has its state in its answer: without it the core forgets what
     * was made. */
    bool answered = wait_for(s, false);
    end_streams(s);
    /* HTTP/2's orderly end (RFC 9113, 6.8): GOAWAY and a ping, whose answer tells that the client
     * has read all before it. A connection that is cut off instead can take the last answers with
     * it: a client that fails to write may read no more. */
    grpc_server_shutdown_and_notify(s->grpc, s->queue, s);
    if (!answered || !wait_for(s, true))
        grpc_server_cancel_all_calls(s->grpc);
    /* The thread ends after the last call's last batch: from then on the workers get no more. */
    const struct timespec until = in_seconds(END_S);
    if (pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &until) != 0 ||
        !workers_end(s->workers, END_S * 1000)) {
        log_at(LOG_WARN, "A call did not end in time", LOG_INT("seconds", END_S));
        return false;
    }
    return true;
}
