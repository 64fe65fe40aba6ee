/* libcurl's functions, loaded at the first request, so that a process that makes none (a core
 * starts the provider several times in one plan) does not pay for it. Private to this room. */
#ifndef LLM_HTTP_HTTP_CURL_LOAD_H
#define LLM_HTTP_HTTP_CURL_LOAD_H

#include <stddef.h>

/* The type checks of curl's header wrap the functions in macros: the table holds plain pointers.
 * The options are those of 7.68, some of which newer headers call deprecated. */
#define CURL_DISABLE_TYPECHECK
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

struct curl_functions {
    CURLcode (*global_init_mem)(long flags, curl_malloc_callback m, curl_free_callback f,
                                curl_realloc_callback r, curl_strdup_callback s,
                                curl_calloc_callback c);
    const char *(*easy_strerror)(CURLcode code);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *handle);
    void (*easy_reset)(CURL *handle);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_setopt)(CURLM *multi, CURLMoption option, ...);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *handle);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *handle);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *extra, unsigned count, int timeout_ms,
                            int *ready);
    CURLMcode (*multi_wakeup)(CURLM *multi);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
    CURLSH *(*share_init)(void);
    CURLSHcode (*share_setopt)(CURLSH *share, CURLSHoption option, ...);
    CURLSHcode (*share_cleanup)(CURLSH *share);
    curl_version_info_data *(*version_info)(CURLversion age);
};

/* The loaded functions; NULL with *ret_why (a lasting text) when libcurl cannot be loaded, is older
 * than 7.68, or cannot do TLS. Safe from any thread. */
const struct curl_functions *curl_functions_load(const char **ret_why);

/* Opens the first of `names` (ended by NULL) that there is, and fills *ret. 0; or -1 with the
 * reason, and what to install, in `ret_why`. The library stays loaded. */
int curl_functions_open(const char *const *names, struct curl_functions *ret, char *ret_why,
                        size_t why_size);

#endif
