// curl_easy_setopt(3) is variadic, and Swift can't call variadic functions: one function for each argument type.
#include <curl/curl.h>

static inline CURLcode curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

static inline CURLcode curl_set_number(CURL *handle, CURLoption option, long value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode curl_set_size(CURL *handle, CURLoption option, curl_off_t value)
{
    return curl_easy_setopt(handle, option, value);
}

// libcurl copies the text.
static inline CURLcode curl_set_text(CURL *handle, CURLoption option, const char *value)
{
    return curl_easy_setopt(handle, option, value);
}

// libcurl uses the memory at `value` until the handle is reset.
static inline CURLcode curl_set_pointer(CURL *handle, CURLoption option, void *value)
{
    return curl_easy_setopt(handle, option, value);
}

typedef size_t (*curl_piece_callback)(char *piece, size_t size, size_t count, void *context);
typedef int (*curl_position_callback)(void *context, curl_off_t offset, int origin);

static inline CURLcode curl_set_piece_callback(CURL *handle, CURLoption option, curl_piece_callback value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode curl_set_position_callback(CURL *handle, CURLoption option, curl_position_callback value)
{
    return curl_easy_setopt(handle, option, value);
}
