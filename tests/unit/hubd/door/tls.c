/* TLS between a socket and a stream: what is read at once and in pieces, however it comes and
 * whatever the room; answers and records gathered; ends and faults. */
#include "door/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static char cert_file[64], key_file[64];

struct pair {
	struct tls *tls;
	struct ssl_st *server;
	int fd, peer; /* of the server, of the client */
	SSL_CTX *context;
	SSL *client; /* over memory */
	struct buf out;
	size_t slice; /* bytes that go to the server at a time */
};

static void make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	assert_true(key && x);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	snprintf(cert_file, sizeof(cert_file), "/tmp/hub-unit.cert.%d", (int)getpid());
	snprintf(key_file, sizeof(key_file), "/tmp/hub-unit.key.%d", (int)getpid());
	assert_non_null(f = fopen(cert_file, "w"));
	PEM_write_X509(f, x);
	fclose(f);
	assert_non_null(f = fopen(key_file, "w"));
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void set_up(struct pair *p, size_t slice)
{
	char why[200];
	int fds[2];

	*p = (struct pair){.slice = slice};
	assert_non_null(p->tls = tls_load(cert_file, key_file, why, sizeof(why)));
	assert_non_null(p->server = tls_accept(p->tls));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->fd = fds[0];
	p->peer = fds[1];
	p->context = SSL_CTX_new(TLS_client_method());
	p->client = SSL_new(p->context);
	SSL_set_bio(p->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(p->client);
}

static void tear_down(struct pair *p)
{
	tls_free(p->server);
	tls_unref(p->tls);
	SSL_free(p->client);
	SSL_CTX_free(p->context);
	close(p->fd);
	if (p->peer >= 0)
		close(p->peer);
	buf_free(&p->out);
}

/* What the server said is there for the client; a slice of what the client said goes to the socket.
 * Whether anything went. */
static bool carry(struct pair *p)
{
	char some[65536];
	int n = BIO_read(SSL_get_wbio(p->client), some,
			 (int)(p->slice < sizeof(some) ? p->slice : sizeof(some)));

	if (n > 0)
		assert_int_equal(send(p->peer, some, (size_t)n, 0), n);
	if (p->out.len)
		BIO_write(SSL_get_rbio(p->client), p->out.data, (int)p->out.len);
	p->out.len = 0;
	return n > 0;
}

/* Reads once; -EAGAIN where there is nothing. */
static ssize_t take(struct pair *p, void *data, size_t len, bool *more)
{
	ssize_t n = tls_read(p->server, p->fd, data, len, &p->out, more);

	if (n == -EAGAIN)
		assert_false(*more);
	return n;
}

static void shake_hands(struct pair *p)
{
	char none[65536];
	bool more;

	while (!tls_established(p->server)) {
		SSL_do_handshake(p->client);
		carry(p);
		assert_int_equal(take(p, none, sizeof(none), &more), -EAGAIN);
	}
	carry(p);
	SSL_do_handshake(p->client);
	assert_true(SSL_is_init_finished(p->client));
}

static void fill(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + i / 251);
}

#define LENGTH 300000

static void test_reading(void **state)
{
	static const size_t slices[] = {1 << 16, 1 << 16, 1 << 16, 4099, 1 << 15, 333};
	static const size_t rooms[] = {1 << 16, 1, 20000, 1 << 16, 34817, 34816};
	static char sent[LENGTH], got[LENGTH];

	(void)state;
	fill(sent, LENGTH);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct pair p;
		size_t have = 0, len = rooms[i] == 1 ? 3000 : LENGTH;
		bool more = false;

		set_up(&p, slices[i]);
		shake_hands(&p);
		/* As many records as it takes. */
		for (size_t at = 0; at < len; at += 9001)
			assert_true(SSL_write(p.client, sent + at,
					      (int)(len - at < 9001 ? len - at : 9001)) > 0);
		memset(got, 0, sizeof(got));
		while (have < len) {
			size_t room = len - have < rooms[i] ? len - have : rooms[i];
			ssize_t n;

			/* As epoll has it: nothing is told twice. */
			if (!more && !carry(&p))
				fail_msg("%zu of %zu bytes came", have, len);
			n = take(&p, got + have, room, &more);
			if (n == -EAGAIN)
				continue;
			assert_true(n > 0);
			have += (size_t)n;
		}
		assert_memory_equal(got, sent, len);
		tear_down(&p);
	}
}

static void test_writing(void **state)
{
	static char sent[LENGTH], got[LENGTH];
	struct pair p;
	size_t have = 0;
	int n;

	(void)state;
	fill(sent, LENGTH);
	set_up(&p, 1 << 16);
	assert_int_equal(tls_write(p.server, "early", 5, &p.out), -EPROTO);
	tear_down(&p);
	set_up(&p, 1 << 16);
	shake_hands(&p);
	assert_int_equal(tls_write(p.server, sent, 1, &p.out), 0);
	assert_int_equal(tls_write(p.server, sent + 1, LENGTH - 1, &p.out), 0);
	assert_true(p.out.len > LENGTH && p.out.len < LENGTH + LENGTH / 100);
	carry(&p);
	while (have < LENGTH && (n = SSL_read(p.client, got + have, (int)(LENGTH - have))) > 0)
		have += (size_t)n;
	assert_int_equal(have, LENGTH);
	assert_memory_equal(got, sent, LENGTH);
	tear_down(&p);
}

static void test_ends(void **state)
{
	char in[65536];
	struct pair p;
	bool more;

	(void)state;
	/* Its own end, behind a message. */
	set_up(&p, 1 << 16);
	shake_hands(&p);
	SSL_write(p.client, "last", 4);
	SSL_shutdown(p.client);
	carry(&p);
	assert_int_equal(take(&p, in, sizeof(in), &more), 4);
	assert_true(more);
	assert_int_equal(take(&p, in, sizeof(in), &more), 0);
	tls_shutdown(p.server, &p.out);
	carry(&p);
	assert_int_equal(SSL_read(p.client, in, 1), 0);
	assert_int_equal(SSL_get_error(p.client, 0), SSL_ERROR_ZERO_RETURN);
	tear_down(&p);
	/* The socket's. */
	set_up(&p, 1 << 16);
	shake_hands(&p);
	SSL_write(p.client, "last", 4);
	carry(&p);
	close(p.peer);
	p.peer = -1;
	assert_int_equal(take(&p, in, sizeof(in), &more), 4);
	assert_int_equal(take(&p, in, sizeof(in), &more), 0);
	tear_down(&p);
	/* What is no TLS is told so. */
	set_up(&p, 1 << 16);
	assert_int_equal(send(p.peer, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	assert_int_equal(take(&p, in, sizeof(in), &more), -EPROTO);
	tear_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reading),
	    cmocka_unit_test(test_writing),
	    cmocka_unit_test(test_ends),
	};
	int failed;

	make_certificate();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(cert_file);
	unlink(key_file);
	return failed;
}
