/* Request targets and hosts (RFC 9112 sections 3.2 and 3.3, RFC 3986). */
#ifndef HUB_HTTP1_TARGET_H
#define HUB_HTTP1_TARGET_H

#include <sys/types.h>

#include "wire/http1.h"

/* Takes a target apart, as its method wants it. Returns 0, or -EINVAL with *why a constant phrase.
 * Of the absolute form only http and https are taken, with a host and without user information (RFC
 * 9110 section 4.2); a path that such a target lacks is given as "/". */
int http1_target_parse(struct http1_target *target, struct http1_span text,
		       enum http1_method method, const char **why);

/* Whether it is uri-host [":" port] (RFC 9110 section 7.2), with a port up to 65535. An empty host
 * is valid. Of the IP literals only IPv6 addresses are, without a zone. */
bool http1_host_valid(struct http1_span host);

/* Takes the first segment off a path, with the slash before it. False where it has none. */
bool http1_segment(struct http1_span *path, struct http1_span *segment);

/* Decodes the escapes of a path or, where a plus is a space, of a form's name or value (RFC 3986
 * section 2.1; HTML's application/x-www-form-urlencoded), to out, of cap bytes; out may be the text
 * itself. %2F becomes a slash like the others: who means segments splits before. Returns the
 * length, without a NUL; -EINVAL where an escape is none, or is %00; -ENOSPC where out is too
 * short. */
ssize_t http1_decode(struct http1_span text, bool plus, char *out, size_t cap);

#endif
