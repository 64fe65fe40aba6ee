/* Loading libcurl. */
#include "http/http_curl_load.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { LEAST_VERSION = 0x074400 }; /* 7.68.0: curl_multi_wakeup() */

static const char install[] =
    "install version 7.68 or later: the package libcurl4 or libcurl4t64 (Debian, Ubuntu), "
    "libcurl (Fedora, RHEL, Alpine)";

#define FUNCTION(name)                                                                             \
    {                                                                                              \
        "curl_" #name, offsetof(struct curl_functions, name)                                       \
    }

static const struct {
    const char *name;
    size_t offset; /* in struct curl_functions */
} symbols[] = {
    FUNCTION(global_init_mem),  FUNCTION(easy_strerror),       FUNCTION(easy_init),
    FUNCTION(easy_cleanup),     FUNCTION(easy_reset),          FUNCTION(easy_setopt),
    FUNCTION(easy_getinfo),     FUNCTION(slist_append),        FUNCTION(slist_free_all),
    FUNCTION(multi_init),       FUNCTION(multi_cleanup),       FUNCTION(multi_setopt),
    FUNCTION(multi_add_handle), FUNCTION(multi_remove_handle), FUNCTION(multi_perform),
    FUNCTION(multi_poll),       FUNCTION(multi_wakeup),        FUNCTION(multi_info_read),
    FUNCTION(share_init),       FUNCTION(share_setopt),        FUNCTION(share_cleanup),
    FUNCTION(version_info),
};

_Static_assert(sizeof(symbols) / sizeof(*symbols) * sizeof(void *) == sizeof(struct curl_functions),
               "every function of the table is loaded");

/* RTLD_LOCAL: libcurl brings a libssl of its own, which must not meet the one in this program. */
static void *open_first(const char *const *names, char *why, size_t why_size)
{
    for (size_t i = 0; names[i]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library)
            return library;
        const char *error = dlerror();
        if (i == 0)
            snprintf(why, why_size, "libcurl could not be loaded (%s); %s",
                     error ? error : "not found", install);
    }
    return NULL;
}

static int check_version(const struct curl_functions *f, char *why, size_t why_size)
{
    const curl_version_info_data *version = f->version_info(CURLVERSION_NOW);
    if (version->version_num < LEAST_VERSION) {
        snprintf(why, why_size, "libcurl is version %s; %s", version->version, install);
        return -1;
    }
    if (!(version->features & CURL_VERSION_SSL)) {
        snprintf(why, why_size, "libcurl %s was built without TLS; %s", version->version, install);
        return -1;
    }
    return 0;
}

/* ---- libcurl's memory: it held headers and bodies, and is zeroed before it goes back ---- */

static void zero_and_free(void *p)
{
    if (!p)
        return;
    secret_zero(p, malloc_usable_size(p));
    free(p);
}

static void *move(void *p, size_t size)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    void *to = malloc(size ? size : 1);
    if (to && p) {
        memcpy(to, p, had < size ? had : size);
        zero_and_free(p);
    }
    return to;
}

int curl_functions_open(const char *const *names, struct curl_functions *ret, char *ret_why,
                        size_t why_size)
{
    void *library = open_first(names, ret_why, why_size);
    if (!library)
        return -1;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol) {
            snprintf(ret_why, why_size, "libcurl has no function %s; %s", symbols[i].name, install);
            return -1;
        }
        /* POSIX keeps functions in void pointers; ISO C only lets them be copied. */
        memcpy((char *)ret + symbols[i].offset, &symbol, sizeof(symbol));
    }
    if (check_version(ret, ret_why, why_size) < 0)
        return -1;
    if (ret->global_init_mem(CURL_GLOBAL_DEFAULT, malloc, zero_and_free, move, strdup, calloc) !=
        CURLE_OK) {
        snprintf(ret_why, why_size, "libcurl could not be initialised");
        return -1;
    }
    return 0;
}

static struct curl_functions functions;
static char failure[768];
static bool loaded;

static void load(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so", NULL};
    loaded = curl_functions_open(names, &functions, failure, sizeof(failure)) == 0;
}

const struct curl_functions *curl_functions_load(const char **ret_why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (loaded)
        return &functions;
    *ret_why = failure;
    return NULL;
}
