/* Loading libcurl. */
#include "http/http_curl_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct curl_functions functions;
static const char *failure;
static char failure_text[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* POSIX allows a function's address to be kept in a void pointer; ISO C only lets it be copied. */
#define LOAD(name)                                                                                 \
    do {                                                                                           \
        void *symbol = dlsym(library, "curl_" #name);                                              \
        if (!symbol) {                                                                             \
            snprintf(failure_text, sizeof(failure_text),                                           \
                     "libcurl has no function curl_" #name "; version 7.68 or later is needed");   \
            failure = failure_text;                                                                \
            return;                                                                                \
        }                                                                                          \
        memcpy(&functions.name, &symbol, sizeof(symbol));                                          \
    } while (0)

static void *open_library(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library)
            return library;
    }
    return NULL;
}

static void load(void)
{
    void *library = open_library();
    if (!library) {
        const char *why = dlerror();
        snprintf(
            failure_text, sizeof(failure_text),
            "libcurl could not be loaded (%s); install the package libcurl4 (Debian, Ubuntu) or "
            "libcurl (Fedora, Alpine)",
            why ? why : "not found");
        failure = failure_text;
        return;
    }
    LOAD(global_init);
    LOAD(easy_strerror);
    LOAD(easy_init);
    LOAD(easy_cleanup);
    LOAD(easy_reset);
    LOAD(easy_setopt);
    LOAD(easy_getinfo);
    LOAD(slist_append);
    LOAD(slist_free_all);
    LOAD(multi_init);
    LOAD(multi_cleanup);
    LOAD(multi_setopt);
    LOAD(multi_add_handle);
    LOAD(multi_remove_handle);
    LOAD(multi_perform);
    LOAD(multi_poll);
    LOAD(multi_wakeup);
    LOAD(multi_info_read);
    LOAD(version_info);
    if (functions.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        failure = "libcurl could not be initialised";
}

const struct curl_functions *curl_functions_load(const char **ret_why)
{
    pthread_once(&once, load);
    if (failure) {
        *ret_why = failure;
        return NULL;
    }
    return &functions;
}
