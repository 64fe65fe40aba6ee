/* Reading small text files, and showing what others wrote. */
#include "gcp/text_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { FILE_MOST = 1 << 20 };

int gcp_read_text_file(struct arena *a, const char *path, struct slice *ret, const char **why)
{
    _cleanup_buf_ struct buf b = BUF_INIT(FILE_MOST);
    char piece[4096];
    size_t n = 0;
    FILE *f = fopen(path, "re");
    if (!f) {
        int error = errno;
        *why = arena_strdup(a, strerror(error));
        if (!*why)
            *why = "it cannot be opened";
        return error == ENOENT || error == ENOTDIR ? 1 : -1;
    }
    setvbuf(f, NULL, _IONBF, 0); /* a buffer of the C library would not be zeroed */
    errno = 0;
    while (!b.failed && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_append(&b, piece, n);
    int error = ferror(f) ? (errno ? errno : EIO) : 0;
    fclose(f);
    explicit_bzero(piece, sizeof(piece));
    if (error || b.failed) {
        *why = error ? arena_strdup(a, strerror(error)) : "it is over 1 MiB";
        return -1;
    }
    if (b.len && memchr(b.ptr, '\0', b.len)) {
        *why = "it is not text";
        return -1;
    }
    char *text = arena_buf(a, &b);
    *ret = slice_str(text);
    *why = text ? NULL : "memory ran out";
    return text ? 0 : -1;
}

const char *gcp_shown(struct arena *a, const char *text, size_t most)
{
    size_t len = text ? strnlen(text, most) : 0;
    if (len && text[len]) /* cut: not inside a character */
        while (len && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    char *shown = arena_strndup(a, len ? text : "", len);
    for (char *c = shown; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return shown ? shown : "";
}
