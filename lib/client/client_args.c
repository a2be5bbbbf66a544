/* The proxy: --proxy, else $https_proxy for wss:// and $http_proxy for ws://, unless $no_proxy
 * names the host, as curl has it. */
#include "client/client_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "base/token_file.h"
#include "transport/ws_request.h"

static const char *environment(const char *name, const char *upper)
{
	const char *text = getenv(name);

	if (!text)
		text = getenv(upper);
	return text && *text ? text : NULL;
}

/* Whether a list of names, of domains and of * names the host. */
static bool excluded(const char *list, const char *host)
{
	size_t host_len = strlen(host);

	for (const char *p = list; p && *p; p += strcspn(p, ", ")) {
		size_t n;

		p += strspn(p, ", .");
		n = strcspn(p, ", ");
		if (n == 1 && *p == '*')
			return true;
		if (n && n <= host_len && strncasecmp(p, host + host_len - n, n) == 0 &&
		    (n == host_len || host[host_len - n - 1] == '.'))
			return true;
	}
	return false;
}

static void read_proxy(struct client_args *a)
{
	bool tls = a->url.scheme == URL_WSS;
	const char *text = a->proxy;

	if (a->url.scheme == URL_UNIX || (text && strcmp(text, "none") == 0))
		return;
	if (!text && excluded(environment("no_proxy", "NO_PROXY"), a->url.host))
		return;
	/* $HTTP_PROXY may come out of a request to a CGI program. */
	if (!text)
		text = tls ? environment("https_proxy", "HTTPS_PROXY")
			   : environment("http_proxy", "http_proxy");
	if (!text)
		return;
	if (strstr(text, "://") && strncmp(text, "http://", 7) != 0)
		err_die(EX_USAGE, "--proxy: only http:// proxies are known");
	if (!ws_request_proxy(text, a->proxy_text, sizeof(a->proxy_text)))
		err_die(EX_USAGE, "--proxy: not [user:password@]host:port");
	a->transport.proxy = a->proxy_text;
}

static void check_headers(const struct client_args *a)
{
	for (size_t i = 0; i < a->headers.n; i++) {
		if (!ws_request_header_ok(a->headers.item[i]))
			err_die(EX_USAGE, "--header: number %zu is not 'Name: value'", i + 1);
	}
}

static void check_file(const char *option, const char *path)
{
	if (path && access(path, R_OK) < 0)
		err_die(EX_NOINPUT, "%s: %s: cannot be read", option, path);
}

void client_args_read(struct client_args *a)
{
	char why[300];
	int status;

	if (a->urls.n)
		a->url_text = a->urls.item[0];
	if (url_choose(&a->url, a->url_text, why, sizeof(why)) < 0)
		err_die(EX_USAGE, "%s%s%s",
			a->url_text && !strchr(a->url_text, '@') ? a->url_text : "-u", ": ", why);
	if (!a->cert != !a->key)
		err_die(EX_USAGE, "--cert and --key need each other");
	check_headers(a);
	status = token_file_check(a->token_file, why, sizeof(why));
	if (status)
		err_die(status, "%s", why);
	check_file("--cert", a->cert);
	check_file("--key", a->key);
	a->transport = (struct transport_options){.headers = a->headers.item,
						  .header_count = a->headers.n,
						  .cert = a->cert,
						  .key = a->key,
						  .token_file = a->token_file,
						  .insecure = a->insecure};
	read_proxy(a);
}
