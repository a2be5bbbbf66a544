/* libwebsockets starts without TLS, or silently, over files it cannot use; so they are tried first.
 */
#include "door/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

int tls_check(const char *cert, const char *key, char *why, size_t cap)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *file = NULL;

	ERR_clear_error();
	if (!ctx)
		file = "OpenSSL";
	else if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		file = cert;
	else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(ctx) != 1)
		file = key;
	if (file) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());

		snprintf(why, cap, "%s: %s", file, reason ? reason : "cannot be used");
	}
	SSL_CTX_free(ctx);
	return file ? -EINVAL : 0;
}
