/* The host that a request names, in one form whatever way it was written, so that names can be
 * compared. */
#ifndef HUBD_HOST_NAME_H
#define HUBD_HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/http1_chars.h"

#define HOST_NAME_MAX 255 /* bytes of a name (RFC 1035 section 2.3.4) */

/* Writes the host of HOST[:PORT], which is valid (http1_host_valid()), with a NUL: in lower case,
 * without port and without the dot at its end (RFC 3986 section 3.2.2); an IPv6 address as RFC 5952
 * has it, without brackets. Returns its length; 0 where it is empty, or too long for any name. */
size_t host_name(struct http1_span host, char out[HOST_NAME_MAX + 1]);

/* Whether that is this machine to itself wherever it is looked up: an address of the loopback,
 * localhost, or a name below that (RFC 6761 section 6.3). No other name is, whatever address it
 * has: anybody may give his own name any address, and change it while a page of his is open. */
bool host_is_local(const char *name);

#endif
