#include "wire/host_name.h"

#include <string.h>

#include "wire/address.h"

/* An IPv6 address between brackets. */
static size_t put_address(const char *p, size_t len, char *out)
{
	char text[ADDRESS_TEXT];
	struct address a;

	if (!address_read(&a, p, len))
		return 0;
	strcpy(out, address_text(&a, text));
	return strlen(out);
}

size_t host_name(struct http1_span host, char out[HOST_NAME_MAX + 1])
{
	const char *end = host.len ? memchr(host.p, *host.p == '[' ? ']' : ':', host.len) : NULL;
	size_t n = end ? (size_t)(end - host.p) : host.len;

	out[0] = '\0';
	if (n && host.p[0] == '[')
		return put_address(host.p + 1, n - 1, out);
	if (n && host.p[n - 1] == '.')
		n--;
	if (n > HOST_NAME_MAX)
		return 0;
	for (size_t i = 0; i < n; i++)
		out[i] = http1_lower(host.p[i]);
	out[n] = '\0';
	return n;
}

bool host_is_local(const char *name)
{
	static const char localhost[] = "localhost";
	size_t len = strlen(name), n = sizeof(localhost) - 1;
	struct address a;

	if (address_read(&a, name, len))
		return address_is_loopback(&a);
	return len >= n && strcmp(name + len - n, localhost) == 0 &&
	       (len == n || name[len - n - 1] == '.');
}
