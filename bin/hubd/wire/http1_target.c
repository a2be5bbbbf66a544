/* Request targets and hosts. Only spans go in and come out, and nothing is decoded but by
 * http1_decode(). */
#include "wire/http1_target.h"

#include <errno.h>

/* Whether each "%" has its two digits (RFC 3986 section 2.1). */
static bool escapes_valid(struct http1_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '%' &&
		    (s.len - i < 3 || http1_hex(s.p[i + 1]) < 0 || http1_hex(s.p[i + 2]) < 0))
			return false;
	return true;
}

/* dec-octet "." dec-octet "." dec-octet "." dec-octet (RFC 3986 section 3.2.2) */
static bool ipv4_valid(const char *p, size_t n)
{
	int octets = 0;

	for (size_t i = 0;; i++) {
		size_t start = i;
		int value = 0;

		while (i < n && i - start < 3 && http1_digit(p[i]))
			value = value * 10 + (p[i++] - '0');
		if (i == start || value > 255 || (p[start] == '0' && i - start > 1))
			return false;
		if (++octets == 4)
			return i == n;
		if (i == n || p[i] != '.')
			return false;
	}
}

/* IPv6address (RFC 3986 section 3.2.2), without its brackets. */
static bool ipv6_valid(const char *p, size_t n)
{
	int groups = 0;
	bool gap = false;
	size_t i = 0;

	if (n >= 2 && p[0] == ':' && p[1] == ':') {
		gap = true;
		i = 2;
	}
	while (i < n) {
		size_t start = i;

		while (i < n && i - start < 4 && http1_hex(p[i]) >= 0)
			i++;
		if (i < n && p[i] == '.') {
			groups += 2;
			return ipv4_valid(p + start, n - start) && (gap ? groups < 8 : groups == 8);
		}
		if (i == start || ++groups > 8)
			return false;
		if (i == n)
			break;
		if (p[i++] != ':' || i == n)
			return false;
		if (p[i] == ':') {
			if (gap)
				return false;
			gap = true;
			i++;
		}
	}
	return gap ? groups < 8 : groups == 8;
}

/* *DIGIT */
static bool port_valid(const char *p, size_t n)
{
	unsigned value = 0;

	for (size_t i = 0; i < n; i++) {
		if (!http1_digit(p[i]))
			return false;
		value = value * 10 + (unsigned)(p[i] - '0');
		if (value > 65535)
			return false;
	}
	return true;
}

/* Where the host ends and its port would start; host.len + 1 where it is not valid. */
static size_t host_end(struct http1_span host)
{
	const char *end;
	size_t n;

	if (host.len && host.p[0] == '[') {
		end = memchr(host.p, ']', host.len);
		if (!end || !ipv6_valid(host.p + 1, (size_t)(end - host.p) - 1))
			return host.len + 1;
		return (size_t)(end - host.p) + 1;
	}
	end = host.len ? memchr(host.p, ':', host.len) : NULL;
	n = end ? (size_t)(end - host.p) : host.len;
	if (n &&
	    (!http1_all(host.p, n, HTTP1_HOST) || !escapes_valid((struct http1_span){host.p, n})))
		return host.len + 1;
	return n;
}

bool http1_host_valid(struct http1_span host)
{
	size_t n = host_end(host);

	if (n >= host.len)
		return n == host.len;
	return host.p[n] == ':' && port_valid(host.p + n + 1, host.len - n - 1);
}

/* absolute-path [ "?" query ] */
static const char *origin_form(struct http1_target *target, struct http1_span text)
{
	const char *mark = memchr(text.p, '?', text.len);
	size_t n = mark ? (size_t)(mark - text.p) : text.len;

	target->path = (struct http1_span){text.p, n};
	if (!http1_all(text.p, n, HTTP1_PATH) || !escapes_valid(target->path))
		return "a path that is none";
	if (mark) {
		target->query = (struct http1_span){mark + 1, text.len - n - 1};
		if (target->query.len && !http1_all(mark + 1, target->query.len, HTTP1_QUERY))
			return "a query that is none";
	}
	return NULL;
}

/* "http" [ "s" ] "://" authority path-abempty [ "?" query ] */
static const char *absolute_form(struct http1_target *target, struct http1_span text)
{
	const char *colon = memchr(text.p, ':', text.len), *end = text.p + text.len, *slashes, *p;
	struct http1_span scheme = {text.p, colon ? (size_t)(colon - text.p) : 0};
	const char *why;

	if (!http1_is(scheme, "http") && !http1_is(scheme, "https"))
		return "a target that is no path";
	slashes = colon + 1;
	if (end - slashes < 2 || slashes[0] != '/' || slashes[1] != '/')
		return "a URI without an authority";
	for (p = slashes + 2; p < end && *p != '/' && *p != '?'; p++)
		;
	target->authority = (struct http1_span){slashes + 2, (size_t)(p - slashes) - 2};
	if (!target->authority.len || target->authority.p[0] == ':' ||
	    !http1_host_valid(target->authority))
		return "a URI without a valid host";
	if (p < end && *p == '/')
		return origin_form(target, (struct http1_span){p, (size_t)(end - p)});
	/* "http://host?query": the check wants a path, and the first slash of "//" is one that
	 * fits. */
	target->path = (struct http1_span){slashes, 1};
	if (p == end)
		return NULL;
	target->query = (struct http1_span){p + 1, (size_t)(end - p) - 1};
	why = "a query that is none";
	return !target->query.len || http1_all(p + 1, target->query.len, HTTP1_QUERY) ? NULL : why;
}

/* uri-host ":" port */
static const char *authority_form(struct http1_target *target, struct http1_span text)
{
	size_t n = host_end(text);

	target->authority = text;
	if (n == 0 || !http1_host_valid(text) || text.len < n + 2)
		return "CONNECT without a host and a port";
	return NULL;
}

int http1_target_parse(struct http1_target *target, struct http1_span text,
		       enum http1_method method, const char **why)
{
	*target = (struct http1_target){.text = text};
	if (method == HTTP1_CONNECT) {
		*why = authority_form(target, text);
	} else if (text.len == 1 && text.p[0] == '*') {
		target->path = text;
		*why = method == HTTP1_OPTIONS ? NULL : "* is for OPTIONS";
	} else if (text.len && text.p[0] == '/') {
		*why = origin_form(target, text);
	} else {
		*why = text.len ? absolute_form(target, text) : "no target";
	}
	return *why ? -EINVAL : 0;
}

bool http1_segment(struct http1_span *path, struct http1_span *segment)
{
	const char *slash;

	if (!path->len || *path->p != '/')
		return false;
	*segment = (struct http1_span){path->p + 1, path->len - 1};
	slash = memchr(segment->p, '/', segment->len);
	if (slash)
		segment->len = (size_t)(slash - segment->p);
	path->p += segment->len + 1;
	path->len -= segment->len + 1;
	return true;
}

ssize_t http1_decode(struct http1_span text, bool plus, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = plus && text.p[i] == '+' ? ' ' : text.p[i];

		if (c == '%') {
			int high = text.len - i < 3 ? -1 : http1_hex(text.p[i + 1]);
			int low = text.len - i < 3 ? -1 : http1_hex(text.p[i + 2]);

			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			c = (char)(unsigned char)(high * 16 + low);
			i += 2;
		}
		if (n == cap)
			return -ENOSPC;
		out[n++] = c;
	}
	return (ssize_t)n;
}
