/* The options of all programs that connect with client.h: CLIENT_ARGS in their table, read by
 * client_args_read(). For main-level code. */
#ifndef HUB_CLIENT_ARGS_H
#define HUB_CLIENT_ARGS_H

#include <stddef.h>

#include "base/opt.h"
#include "base/url.h"
#include "transport/transport.h"

/* Zeroed at the start. */
struct client_args {
	const char *url_text;
	struct opt_list urls;
	struct opt_list headers;
	const char *token_file, *cert, *key, *proxy;
	bool insecure;
	/* client_args_read() makes these of them. */
	struct url url;
	struct transport_options transport;
	char proxy_text[400];
};

/* Rows of a table; at: the offset of the struct client_args. */
#define CLIENT_ARGS(at) \
	CLIENT_URL(at, OPT_STRING, url_text, "the hub: " CLIENT_URLS), CLIENT_OTHER_ARGS(at)

#define CLIENT_URLS "unix:/path, ws://host:port/ws, wss://... ($HUB_URL)"

#define CLIENT_URL(at, kind, field, help)                                                        \
	{                                                                                        \
		'u', "url", "URL", kind, (at) + offsetof(struct client_args, field), 0, 0, NULL, \
		    help                                                                         \
	}

/* All but the URL, of which a program may take several, into urls: the first is url_text, too. */
#define CLIENT_OTHER_ARGS(at)                                                                    \
	{0,                                                                                      \
	 "token-file",                                                                           \
	 "FILE",                                                                                 \
	 OPT_STRING,                                                                             \
	 (at) + offsetof(struct client_args, token_file),                                        \
	 0,                                                                                      \
	 0,                                                                                      \
	 NULL,                                                                                   \
	 "show the token in FILE, which is read again for each connection"},                     \
	    {0,                                                                                  \
	     "header",                                                                           \
	     "LINE",                                                                             \
	     OPT_LIST,                                                                           \
	     (at) + offsetof(struct client_args, headers),                                       \
	     0,                                                                                  \
	     0,                                                                                  \
	     NULL,                                                                               \
	     "send this header line, Name: value; may be repeated"},                             \
	    {0,                                                                                  \
	     "cert",                                                                             \
	     "FILE",                                                                             \
	     OPT_STRING,                                                                         \
	     (at) + offsetof(struct client_args, cert),                                          \
	     0,                                                                                  \
	     0,                                                                                  \
	     NULL,                                                                               \
	     "show the hub this certificate (PEM)"},                                             \
	    {0,                                                                                  \
	     "key",                                                                              \
	     "FILE",                                                                             \
	     OPT_STRING,                                                                         \
	     (at) + offsetof(struct client_args, key),                                           \
	     0,                                                                                  \
	     0,                                                                                  \
	     NULL,                                                                               \
	     "the certificate's private key (PEM)"},                                             \
	    {0,                                                                                  \
	     "proxy",                                                                            \
	     "HOST:PORT",                                                                        \
	     OPT_STRING,                                                                         \
	     (at) + offsetof(struct client_args, proxy),                                         \
	     0,                                                                                  \
	     0,                                                                                  \
	     NULL,                                                                               \
	     "go through this HTTP proxy; none: through none ($https_proxy)"},                   \
	{                                                                                        \
		0, "insecure", NULL, OPT_TRUE, (at) + offsetof(struct client_args, insecure), 0, \
		    0, NULL, "take any certificate of the hub"                                   \
	}

/* Fills url and transport from what was read and from the environment. Ends the program where
 * something is wrong: 64, or what token_file_check() returns. */
void client_args_read(struct client_args *a);

#endif
