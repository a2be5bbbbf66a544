/* A file with a token in it, as hubtoken(1) writes it: one line. It is as good as a password, so
 * that nobody but its owner may be let at it. */
#ifndef HUB_TOKEN_FILE_H
#define HUB_TOKEN_FILE_H

#include <stddef.h>

#define TOKEN_FILE_ROOM (16 << 10) /* bytes that hold any token that is taken, and a NUL */

/* Reads the token into out, of TOKEN_FILE_ROOM bytes, without what ends its line. Returns 0, or an
 * exit status (EX_NOINPUT, EX_NOPERM, EX_DATAERR) with the reason, path first, in why. */
int token_file_read(const char *path, char *out, char *why, size_t cap);

/* Whether there is one that could be read now; NULL: none is asked for. */
int token_file_check(const char *path, char *why, size_t cap);

#endif
