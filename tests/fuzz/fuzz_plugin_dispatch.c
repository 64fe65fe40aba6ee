/* Requests of a core, as bytes: the first byte says the method, the rest is the message. No cloud
 * can be reached. Every answer can be read again as the message that it should be. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/driver.h"
#include "base/log.h"
#include "fuzz_value.h"
#include "plugin/rpc.h"

static struct provider *provider;

struct provider *server_provider(struct server *s)
{
    (void)s;
    return provider;
}

void server_stop_work(struct server *s)
{
    (void)s;
}

static int64_t moment;

static int64_t now(void *self)
{
    (void)self;
    return moment;
}

static int sleep_ms(void *self, int64_t ms, const struct cancel *c)
{
    (void)self;
    (void)c;
    moment += ms;
    return 0;
}

static double half(void *self)
{
    (void)self;
    return 0.5;
}

static int refuse(void *self, const struct work *w, struct arena *a, const struct http_request *rq,
                  struct http_response *ret)
{
    (void)self;
    (void)w;
    (void)a;
    (void)rq;
    *ret = (struct http_response){.failure = HTTP_CONNECT, .failure_text = "refused"};
    return -1;
}

static const struct cloud_driver *const drivers[] = {&aws_driver, NULL};
static const struct clock stopped = {now, now, sleep_ms, half, NULL};
static struct http_transport transport = {.send = refuse};

static void set_up(void)
{
    provider = calloc(1, sizeof(*provider));
    must(provider != NULL);
    provider->drivers = drivers;
    provider->transport = &transport;
    provider->clock = &stopped;
    provider->version = "0";
    provider->user_agent = "fuzz";
    setenv("HOME", "/nonexistent", 1);
    setenv("AWS_REGION", "us-east-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCServiceDescriptor *d = &tfplugin6__provider__descriptor;
    char method[160];
    struct grpc_answer answer;
    if (!size)
        return 0;
    set_up();
    const ProtobufCMethodDescriptor *m = &d->methods[data[0] % d->n_methods];
    snprintf(method, sizeof(method), "/%s/%s", d->name, m->name);
    rpc_dispatch(NULL, NULL, method, slice_from(data + 1, size - 1), &answer);
    must(answer.status == 0 || (answer.text && *answer.text));
    if (answer.status == 0) {
        struct slice bytes = buf_slice(&answer.body);
        ProtobufCMessage *back = protobuf_c_message_unpack(
            m->output, NULL, bytes.len, (const uint8_t *)(bytes.ptr ? bytes.ptr : ""));
        must(back != NULL);
        protobuf_c_message_free_unpacked(back, NULL);
    }
    buf_clean_up(&answer.body);
    provider_clean_up(provider);
    free(provider);
    return 0;
}
