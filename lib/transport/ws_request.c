#include "transport/ws_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/token_file.h"

void ws_request_host(const struct url *url, char *out, size_t cap)
{
	bool usual = url->port == (url->scheme == URL_WSS ? 443 : 80);
	char port[8] = "";

	if (!usual)
		snprintf(port, sizeof(port), ":%u", url->port);
	snprintf(out, cap, "%s%s%s%s", url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "", port);
}

bool ws_request_header_ok(const char *text)
{
	size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789!#$%&'*+-.^_`|~");

	return name && text[name] == ':' && !strpbrk(text, "\r\n");
}

bool ws_request_proxy(const char *text, char *out, size_t cap)
{
	size_t len;

	if (strncmp(text, "http://", 7) == 0)
		text += 7;
	len = strcspn(text, "/");
	if (strstr(text, "://") || !memchr(text, ':', len) || len >= cap)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

int ws_request_headers(const struct url *url, const struct transport_options *o, unsigned char **at,
		       size_t len)
{
	struct buf lines = {0};
	int r = 0;

	if (url->user[0]) {
		r = buf_puts(&lines, "authorization: Basic ");
		r |= base64_append(&lines, url->user, strlen(url->user));
		r |= buf_puts(&lines, "\r\n");
	}
	for (size_t i = 0; o && i < o->header_count; i++)
		r |= buf_printf(&lines, "%s\r\n", o->headers[i]);
	if (r == 0 && lines.len < len) {
		memcpy(*at, lines.len ? lines.data : "", lines.len);
		*at += lines.len;
	} else {
		r = -1;
	}
	buf_free(&lines);
	return r;
}

int ws_request_token(const struct transport_options *o, char **line, char *why, size_t cap)
{
	static const char scheme[] = "Bearer ";

	*line = NULL;
	if (!o || !o->token_file)
		return 0;
	*line = malloc(sizeof(scheme) + TOKEN_FILE_ROOM);
	if (!*line) {
		snprintf(why, cap, "out of memory");
		return -1;
	}
	memcpy(*line, scheme, sizeof(scheme));
	if (token_file_read(o->token_file, *line + sizeof(scheme) - 1, why, cap) == 0)
		return 0;
	free(*line);
	*line = NULL;
	return -1;
}
