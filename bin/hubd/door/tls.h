/* The check of a certificate and its key, before the workers load them. */
#ifndef HUBD_TLS_H
#define HUBD_TLS_H

#include <stddef.h>

/* Loads both as the workers will. Returns 0, or -EINVAL with which file is wrong and why in words.
 */
int tls_check(const char *cert, const char *key, char *why, size_t cap);

#endif
