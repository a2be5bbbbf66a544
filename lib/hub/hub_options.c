/* What callers hand over in structures: read by their size, checked, and kept. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/hub_impl.h"
#include "transport/ws_request.h"

#define STRUCTURE_MAX 4096 /* what is longer was never filled */

void hub_init(void *structure, size_t size)
{
	memset(structure, 0, size);
	memcpy(structure, &size, sizeof(size));
}

int hub_take(void *to, size_t known, const void *from)
{
	const char *more = (const char *)from + known;
	size_t size;

	memcpy(&size, from, sizeof(size));
	if (size < known || size > STRUCTURE_MAX)
		return -EINVAL;
	memcpy(to, from, known);
	/* Of a program made for a newer library: what it leaves alone it does not need. */
	for (size_t i = 0; i < size - known; i++)
		if (more[i])
			return -E2BIG;
	return 0;
}

static int no_memory(char why[HUB_ERROR_MAX])
{
	snprintf(why, HUB_ERROR_MAX, "out of memory");
	return -ENOMEM;
}

static int wrong(char why[HUB_ERROR_MAX], const char *text)
{
	snprintf(why, HUB_ERROR_MAX, "%s", text);
	return -EINVAL;
}

/* A copy that goes with the settings; NULL of NULL. *failed where there is no memory. */
static const char *keep(struct hub_settings *s, const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	if (copy)
		s->strings[s->count++] = copy;
	*failed |= text && !copy;
	return copy;
}

static int keep_all(struct hub_settings *s, char why[HUB_ERROR_MAX])
{
	const struct hub_options *o = &s->options;
	const char **headers;
	bool failed = false;

	s->strings = calloc(o->header_count + 4, sizeof(*s->strings));
	headers = calloc(o->header_count + 1, sizeof(*headers));
	if (!s->strings || !headers) {
		free(headers);
		return no_memory(why);
	}
	/* The array is one of the strings, too: it goes with them. */
	s->strings[s->count++] = (char *)headers;
	for (size_t i = 0; i < o->header_count; i++)
		headers[i] = keep(s, o->headers[i], &failed);
	s->transport = (struct transport_options){.headers = headers,
						  .header_count = o->header_count,
						  .cert = keep(s, o->cert, &failed),
						  .key = keep(s, o->key, &failed),
						  .token_file = keep(s, o->token_file, &failed),
						  .proxy = o->proxy ? s->proxy : NULL,
						  .insecure = o->insecure};
	return failed ? no_memory(why) : 0;
}

int hub_settings_read(struct hub_settings *s, const struct hub_options *options,
		      char why[HUB_ERROR_MAX])
{
	struct hub_options *o = &s->options;
	int r = 0;

	why[0] = '\0';
	if (options)
		r = hub_take(o, sizeof(*o), options);
	if (r < 0) {
		snprintf(why, HUB_ERROR_MAX, "the options are %s",
			 r == -E2BIG ? "those of a newer library" : "not made by HUB_INIT()");
		return r;
	}
	r = url_choose(&s->url, o->url, why, HUB_ERROR_MAX);
	if (r < 0)
		return r;
	if (!o->cert != !o->key)
		return wrong(why, "cert and key need each other");
	if (o->header_count > HUB_SESSIONS_MAX || (o->header_count && !o->headers))
		return wrong(why, "headers: 64 at most");
	for (size_t i = 0; i < o->header_count; i++)
		if (!o->headers[i] || !ws_request_header_ok(o->headers[i]))
			return wrong(why, "a header is not 'Name: value'");
	if (o->proxy && !ws_request_proxy(o->proxy, s->proxy, sizeof(s->proxy)))
		return wrong(why, "the proxy is not [user:password@]host:port");
	return keep_all(s, why);
}

void hub_settings_free(struct hub_settings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->strings[i]);
	free(s->strings);
}
