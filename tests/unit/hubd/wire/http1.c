/* Request heads, targets, hosts and answers, as RFC 9112 and RFC 9110 have them. Each case names
 * its section; each is fed whole, byte by byte and in random pieces, and what comes of it is the
 * same. */
#include "wire/http1.h"

#include <errno.h>

#include "unit.h"
#include "wire/http1_answer.h"
#include "wire/http1_target.h"
#include "wire_trace.h"

#define SPLITS 12
#define H "Host: a\r\n"
#define R "GET / HTTP/1.1\r\nHost: a\r\n"

/* want: as trace_head() says it. The text ends where the head does. */
static const struct head_case {
	const char *section, *text, *want;
} heads[] = {
    /* --- the request line --- */
    {"9112 3", "GET / HTTP/1.1\r\n" H "\r\n", "GET / @a keep"},
    {"9112 3", "GET /a/b?c=d HTTP/1.1\r\n" H "\r\n", "GET /a/b ?c=d @a keep"},
    {"9112 3", "POST /a HTTP/1.1\r\n" H "\r\n", "POST /a @a keep"},
    {"9110 9.3.2", "HEAD / HTTP/1.1\r\n" H "\r\n", "HEAD / @a keep"},
    {"9110 9.3.4", "PUT / HTTP/1.1\r\n" H "\r\n", "PUT / @a keep"},
    {"9110 9.3.5", "DELETE / HTTP/1.1\r\n" H "\r\n", "DELETE / @a keep"},
    {"9110 9.3.8", "TRACE / HTTP/1.1\r\n" H "\r\n", "TRACE / @a keep"},
    {"5789 2", "PATCH / HTTP/1.1\r\n" H "\r\n", "PATCH / @a keep"},
    {"9110 9.1", "get / HTTP/1.1\r\n" H "\r\n", "501"},
    {"9110 9.1", "GETT / HTTP/1.1\r\n" H "\r\n", "501"},
    {"9110 9.1", "PROPFIND / HTTP/1.1\r\n" H "\r\n", "501"},
    {"9110 9.1", "!#$%&'*+-.^_`|~ / HTTP/1.1\r\n" H "\r\n", "501"},
    {"9112 3", "G[T / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "G\x80T / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", " GET / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "\tGET / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET  / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET /  HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET / HTTP/1.1 \r\n" H "\r\n", "400"},
    {"9112 3", "GET\t/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET /\tHTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET / / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET /\r\n\r\n", "400"}, /* HTTP/0.9 */
    {"9112 3", "GET\r\n\r\n", "400"},
    {"9112 3", "GET HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3", "GET \r\n\r\n", "400"},
    {"9112 3", "/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 2.2", "\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET / @a keep"},
    {"9112 2.2", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 2.2", "\nGET / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 2.2", "\r\rGET / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 2.2", "GET / HTTP/1.1\n" H "\r\n", "400"},
    {"9112 2.2", "GET / HTTP/1.1\r" H "\r\n", "400"},
    {"9112 2.2", "GET / HTTP/1.1\r\r\n" H "\r\n", "400"},
    {"9112 2.2", "GET /\r HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 2.2", "\x16\x03\x01\x02", "400"}, /* the first bytes of TLS */
    {"9112 2.2", "\xff\xf4\xff\xfd\x06\r\n", "400"},

    /* --- the version --- */
    {"9112 2.3", "GET / HTTP/1.0\r\n\r\n", "GET / close 1.0"},
    {"9110 2.5", "GET / HTTP/1.2\r\n" H "\r\n", "GET / @a keep"},
    {"9110 2.5", "GET / HTTP/1.9\r\n" H "\r\n", "GET / @a keep"},
    {"9110 15.6.6", "GET / HTTP/2.0\r\n" H "\r\n", "505"},
    {"9110 15.6.6", "GET / HTTP/0.9\r\n" H "\r\n", "505"},
    {"9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
    {"9112 2.3", "GET / HTTP/1\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTP/1.\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTP/11\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTP/1.10\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTP/01.1\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTP/1,1\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / http/1.1\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTPS/1.1\r\n" H "\r\n", "400"},
    {"9112 2.3", "GET / HTTP/x.1\r\n" H "\r\n", "400"},

    /* --- the target --- */
    {"9112 3.2.1", "GET /? HTTP/1.1\r\n" H "\r\n", "GET / ? @a keep"},
    {"9112 3.2.1", "GET /?a?b/c HTTP/1.1\r\n" H "\r\n", "GET / ?a?b/c @a keep"},
    {"9112 3.2.1", "GET //x HTTP/1.1\r\n" H "\r\n", "GET //x @a keep"},
    {"9112 3.2.1", "GET /a:b@c!$&'()*+,;=-._~ HTTP/1.1\r\n" H "\r\n",
     "GET /a:b@c!$&'()*+,;=-._~ @a keep"},
    {"9112 3.2.1", "GET /%41%2f HTTP/1.1\r\n" H "\r\n", "GET /%41%2f @a keep"},
    {"3986 2.1", "GET /% HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 2.1", "GET /%4 HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 2.1", "GET /%4g HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 2.1", "GET /%%41 HTTP/1.1\r\n" H "\r\n", "400"},
    {"URL query", "GET /?q=100% HTTP/1.1\r\n" H "\r\n", "GET / ?q=100% @a keep"},
    {"URL query", "GET /?a[b]={c}|\\^` HTTP/1.1\r\n" H "\r\n", "GET / ?a[b]={c}|\\^` @a keep"},
    {"URL path", "GET /a[1]|^ HTTP/1.1\r\n" H "\r\n", "GET /a[1]|^ @a keep"},
    {"3986 3.3", "GET /{a} HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 3.3", "GET /a\\b HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 3.3", "GET /<a> HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 3.3", "GET /\"a\" HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 3.5", "GET /#a HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 3.5", "GET /?b#a HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 3.4", "GET /?\"b\" HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 2", "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", "400"},
    {"3986 2", "GET /?\xc3\xa4 HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.1", "GET a HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.1", "GET ?a HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http://b/c?d HTTP/1.1\r\n" H "\r\n", "GET /c ?d @b keep"},
    {"9112 3.2.2", "GET HTTPS://b:8443/ HTTP/1.1\r\n" H "\r\n", "GET / @b:8443 keep"},
    {"9112 3.2.2", "GET http://b HTTP/1.1\r\n" H "\r\n", "GET / @b keep"},
    {"9112 3.2.2", "GET http://b?c HTTP/1.1\r\n" H "\r\n", "GET / ?c @b keep"},
    {"9112 3.2.2", "GET http://b? HTTP/1.1\r\n" H "\r\n", "GET / ? @b keep"},
    {"9112 3.2.2", "GET http://b HTTP/1.0\r\n\r\n", "GET / @b close 1.0"},
    {"9112 3.2", "GET http://b/ HTTP/1.1\r\n\r\n", "400"}, /* Host all the same */
    {"9112 3.2.4", "OPTIONS http://b HTTP/1.1\r\n" H "\r\n", "OPTIONS / @b keep"},
    {"9110 4.2.1", "GET http:///a HTTP/1.1\r\n" H "\r\n", "400"},
    {"9110 4.2.1", "GET http://:80/a HTTP/1.1\r\n" H "\r\n", "400"},
    {"9110 4.2.4", "GET http://u@b/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9110 4.2.4", "GET http://u:p@b/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http:/b HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http: HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http:b HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET ftp://b/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET ws://b/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http://b:x/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http://b/#c HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.2", "GET http://b#c HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.3", "CONNECT b:80 HTTP/1.1\r\n" H "\r\n", "CONNECT  @b:80 keep"},
    {"9112 3.2.3", "CONNECT [::1]:80 HTTP/1.1\r\n" H "\r\n", "CONNECT  @[::1]:80 keep"},
    {"9112 3.2.3", "CONNECT b HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.3", "CONNECT b: HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.3", "CONNECT :80 HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.3", "CONNECT / HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.3", "CONNECT http://b:80/ HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.3", "GET b:80 HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.4", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * @a keep"},
    {"9112 3.2.4", "OPTIONS /a HTTP/1.1\r\n" H "\r\n", "OPTIONS /a @a keep"},
    {"9112 3.2.4", "GET * HTTP/1.1\r\n" H "\r\n", "400"},
    {"9112 3.2.4", "OPTIONS ** HTTP/1.1\r\n" H "\r\n", "400"},

    /* --- field lines --- */
    {"9112 5", R "A: b\r\n\r\n", "GET / @a keep"},
    {"9112 5", R "A:b\r\n\r\n", "GET / @a keep"},
    {"9112 5", R "A:\r\n\r\n", "GET / @a keep"},
    {"9112 5", R "A: \t b \t \r\n\r\n", "GET / @a keep"},
    {"9112 5", R "A: b: c\r\n\r\n", "GET / @a keep"},
    {"9112 5", R "!#$%&'*+-.^_`|~: c\r\n\r\n", "GET / @a keep"},
    {"9110 5.5", R "A: \xc3\xa4\xff\t\"\\\r\n\r\n", "GET / @a keep"},
    {"9112 5.1", R "A : b\r\n\r\n", "400"},
    {"9112 5.1", R "A\t: b\r\n\r\n", "400"},
    {"9112 5", R ": b\r\n\r\n", "400"},
    {"9112 5", R "A\r\n\r\n", "400"},
    {"9112 5", R "A b\r\n\r\n", "400"},
    {"9112 5", R "A b: c\r\n\r\n", "400"},
    {"9112 5", R "A(b): c\r\n\r\n", "400"},
    {"9112 5", R "A\xc3\xa4: c\r\n\r\n", "400"},
    {"9112 5.2", R "A: b\r\n c\r\n\r\n", "400"},
    {"9112 5.2", R "A: b\r\n\tc\r\n\r\n", "400"},
    {"9112 5.2", R "A: b\r\n \r\n\r\n", "400"},
    {"9112 2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"},
    {"9112 2.2", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", "400"},
    {"9112 2.2", R "A: b\n\r\n", "400"},
    {"9112 2.2", R "A: b\rc: d\r\n\r\n", "400"},
    {"9112 2.2", R "A: b\r\r\n\r\n", "400"},
    {"9112 2.2", R "\n", "400"},
    {"9112 2.2", R "\rA: b\r\n\r\n", "400"},
    {"9110 5.5", R "A: b\x01\r\n\r\n", "400"},
    {"9110 5.5", R "A: b\x7f\r\n\r\n", "400"},
    {"9110 5.5", R "A: b\x1b[2J\r\n\r\n", "400"},
    {"9110 5.5", R "A: b\x0b\r\n\r\n", "400"},
    {"9112 5", R "A: 0123456789012345678901234567890123456789\x0c\r\n\r\n", "400"},

    /* --- Host --- */
    {"9112 3.2", "GET / HTTP/1.1\r\n\r\n", "400"},
    {"9112 3.2", "GET / HTTP/1.1\r\nHosts: a\r\n\r\n", "400"},
    {"9112 3.2", "GET / HTTP/1.1\r\nHOST:a\r\n\r\n", "GET / @a keep"},
    {"9112 3.2", "GET / HTTP/1.1\r\n" H H "\r\n", "400"},
    {"9112 3.2", "GET / HTTP/1.0\r\n" H H "\r\n", "400"},
    {"9112 3.2", "GET / HTTP/1.1\r\n" H "A: b\r\nhOST: b\r\n\r\n", "400"},
    {"9112 3.2", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / @ keep"},
    {"9112 3.2", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / @a close 1.0"},
    {"9110 7.2", "GET / HTTP/1.1\r\nHost: a:8000\r\n\r\n", "GET / @a:8000 keep"},
    {"9110 7.2", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
    {"9110 7.2", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
    {"9110 7.2", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", "400"},
    {"9110 7.2", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400"},
    {"9110 7.2", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", "400"},

    /* --- where the body ends --- */
    {"9112 6.3", R "Content-Length: 0\r\n\r\n", "GET / @a keep"},
    {"9112 6.3", R "Content-Length: 5\r\n\r\n", "GET / @a keep length=5"},
    {"9110 8.6", R "Content-Length: 0005\r\n\r\n", "GET / @a keep length=5"},
    {"9110 8.6", R "Content-Length: 9223372036854775807\r\n\r\n",
     "GET / @a keep length=9223372036854775807"},
    {"9110 8.6", R "Content-Length: 9223372036854775808\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 18446744073709551616\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 99999999999999999999999999\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length:\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: +5\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: -5\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 5 5\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 0x5\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 5.0\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 5, 5\r\n\r\n", "400"},
    {"9110 8.6", R "Content-Length: 5,\r\n\r\n", "400"},
    {"9112 6.3", R "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "400"},
    {"9112 6.3", R "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", "400"},
    {"9112 6.3", R "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: chunked\r\n\r\n", "GET / @a keep chunked"},
    {"9112 7", R "Transfer-Encoding: ChunKed\r\n\r\n", "GET / @a keep chunked"},
    {"9112 6.1", R "Transfer-Encoding:  \tchunked\t\r\n\r\n", "GET / @a keep chunked"},
    {"9112 6.1", R "Transfer-Encoding: gzip, chunked\r\n\r\n", "501"},
    {"9112 6.1", R "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", "501"},
    {"9112 6.3", R "Transfer-Encoding: gzip\r\n\r\n", "400"},
    {"9112 6.3", R "Transfer-Encoding: identity\r\n\r\n", "400"},
    {"9112 6.3", R "Transfer-Encoding: chunked, gzip\r\n\r\n", "400"},
    {"9112 6.3", R "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: chunked, chunked\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: chunked, gzip, chunked\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding:\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: , chunked\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: chunked,\r\n\r\n", "400"},
    {"9112 7", R "Transfer-Encoding: chunked;a=b\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: \"chunked\"\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: xchunked\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding: chunked\x0b\r\n\r\n", "400"},
    {"9112 6.1", R "Transfer-Encoding : chunked\r\n\r\n", "400"},
    {"9112 6.1", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
    {"9112 6.3", R "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "400"},
    {"9112 6.3", R "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},

    /* --- Connection, Upgrade, Expect --- */
    {"9112 9.3", R "Connection: close\r\n\r\n", "GET / @a close"},
    {"9112 9.3", R "Connection: CLOSE\r\n\r\n", "GET / @a close"},
    {"9112 9.3", R "Connection: keep-alive, close\r\n\r\n", "GET / @a close"},
    {"9112 9.3", R "Connection: a\r\nConnection: b,close,c\r\n\r\n", "GET / @a close"},
    {"9112 9.3", R "Connection: closed, xclose, \"close\"\r\n\r\n", "GET / @a keep"},
    {"9112 9.3", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / keep 1.0"},
    {"9112 9.3", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET / close 1.0"},
    {"9112 9.3", "GET / HTTP/1.0\r\nKeep-Alive: 5\r\n\r\n", "GET / close 1.0"},
    {"9110 7.8", R "Upgrade: a\r\nConnection: keep-alive, Upgrade\r\n\r\n",
     "GET / @a keep upgrade"},
    {"9110 7.8", R "Connection: ,, UPGRADE ,\r\nUpgrade: a\r\n\r\n", "GET / @a keep upgrade"},
    {"9110 7.8", R "Upgrade: a\r\n\r\n", "GET / @a keep"},
    {"9110 7.8", R "Connection: upgrade\r\n\r\n", "GET / @a keep"},
    {"9110 7.8", "GET / HTTP/1.0\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n", "GET / close 1.0"},
    {"9110 10.1.1", R "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n",
     "GET / @a keep continue length=1"},
    {"9110 10.1.1", R "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
     "GET / @a keep continue chunked"},
    {"9110 10.1.1", R "Expect: 100-continue\r\n\r\n", "GET / @a keep"},
    {"9110 10.1.1", R "Expect: 200-ok\r\n\r\n", "417"},
    {"9110 10.1.1", R "Expect: 100-continue, a=b\r\nContent-Length: 1\r\n\r\n", "417"},
    {"9110 10.1.1", "GET / HTTP/1.0\r\nExpect: a\r\nContent-Length: 1\r\n\r\n",
     "GET / close 1.0 length=1"},
};

static void check_head(const char *section, const char *text, size_t len, size_t max,
		       const char *want)
{
	for (uint32_t split = 0; split < SPLITS; split++) {
		struct buf got = {0};
		struct http1_head h;
		size_t length = trace_head(&got, &h, text, len, max, trace_split(split), NULL);

		assert_int_equal(buf_put(&got, "", 1), 0);
		if (strcmp(got.data, want) != 0)
			fail_msg("RFC %s: %s, not %s (%s), of\n%s", section, got.data, want,
				 h.why ? h.why : "", text);
		if (length && length != len)
			fail_msg("RFC %s: %zu bytes of\n%s", section, length, text);
		buf_free(&got);
	}
}

static void heads_are_read_by_the_book(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(heads); i++)
		check_head(heads[i].section, heads[i].text, strlen(heads[i].text), HTTP1_HEAD_MAX,
			   heads[i].want);
}

/* Whatever is missing at the end, more is needed, and nothing is said before. */
static void a_front_of_a_head_needs_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(heads); i++)
		for (size_t n = 0; heads[i].want[0] > '9' && n < strlen(heads[i].text); n++)
			check_head(heads[i].section, heads[i].text, n, HTTP1_HEAD_MAX, "more");
}

static void what_follows_is_not_looked_at(void **state)
{
	static const char text[] = R "\r\nGET /\n\n\x01";
	struct http1_head h = {0};

	(void)state;
	assert_int_equal(http1_head(&h, text, sizeof(text) - 1, HTTP1_HEAD_MAX), HTTP1_DONE);
	assert_int_equal(h.length, strlen(R "\r\n"));
	/* Nor does it count. */
	h = (struct http1_head){0};
	assert_int_equal(http1_head(&h, text, sizeof(text) - 1, strlen(R "\r\n")), HTTP1_DONE);
}

/* RFC 9110 section 5.5: a NUL, and each other control character, wherever it stands. */
static void no_control_character_passes(void **state)
{
	static const char text[] = R "Abcdefgh: ijklmnop\r\n\r\n";
	char copy[sizeof(text)];

	(void)state;
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		for (int c = 0; c < 0x80; c++) {
			struct http1_head h = {0};

			memcpy(copy, text, sizeof(text));
			copy[at] = (char)c;
			if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r' || c == '\n')
				continue;
			assert_int_equal(http1_head(&h, copy, at + 1, sizeof(copy)), HTTP1_REFUSED);
			assert_int_equal(h.status, 400);
		}
	}
}

/* Fills: start, then c until len bytes are there, then end. */
static char *filled(const char *start, char c, size_t len, const char *end)
{
	char *text = malloc(len + strlen(end) + 1);

	assert_non_null(text);
	memset(text, c, len);
	memcpy(text, start, strlen(start));
	memcpy(text + len, end, strlen(end) + 1);
	return text;
}

static void what_is_too_large_is_refused(void **state)
{
	static const struct {
		const char *section, *start;
		size_t len;
		const char *end, *want;
		size_t max;
	} cases[] = {
	    {"9112 3", "GET /", 1000, " HTTP/1.1\r\n" H "\r\n", "414", 1000},
	    {"9112 3", "GET /", 1000, "", "414", 1000},
	    {"9112 3", "GET /", 999, "", "more", 1000},
	    {"9112 3", "GET /?", 1000, "", "414", 1000},
	    {"9112 3", "GET / HTTP/1.1", 1000, "", "414", 1000},
	    {"9112 3", "aaaa", 1000, "", "501", 1000},
	    {"9112 3", "\r\naaaa", 1000, "", "501", 1000},
	    {"6585 5", R "A: ", 1000, "\r\n\r\n", "431", 1003},
	    {"6585 5", R "A: ", 1000, "\r\n\r", "431", 1003},
	    {"6585 5", R "A: ", 1000, "\r\n\r", "more", 1004},
	    {"6585 5", R "A: ", 1000, "\r\n\r\n", "GET / @a keep", 1004},
	    {"6585 5", R "A: ", 1000, "", "431", 1000},
	    {"6585 5", R "A: ", 1000, "\r", "431", 1001},
	    {"6585 5", R "A: ", 16380, "\r\n\r\n", "GET / @a keep", HTTP1_HEAD_MAX},
	    {"6585 5", R "A: ", 16381, "\r\n\r\n", "431", HTTP1_HEAD_MAX},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char *text = filled(cases[i].start, 'a', cases[i].len, cases[i].end);

		check_head(cases[i].section, text, strlen(text), cases[i].max, cases[i].want);
		free(text);
	}
}

static void too_many_fields_are_refused(void **state)
{
	(void)state;
	for (int n = HTTP1_FIELDS_MAX; n <= HTTP1_FIELDS_MAX + 1; n++) {
		struct buf text = {0};

		assert_int_equal(buf_puts(&text, R), 0);
		for (int i = 1; i < n; i++)
			assert_int_equal(buf_puts(&text, "A:\r\n"), 0);
		assert_int_equal(buf_put(&text, "\r\n", 3), 0);
		check_head("6585 5", text.data, text.len - 1, HTTP1_HEAD_MAX,
			   n > HTTP1_FIELDS_MAX ? "431" : "GET / @a keep");
		buf_free(&text);
	}
}

static void check_span(struct http1_span s, const char *want)
{
	assert_non_null(s.p);
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static void fields_are_found_without_case(void **state)
{
	static const char text[] =
	    R "Cookie:  a=b \r\nX:\r\ncOOKIE: c\r\nVary: one, TWO ,,three\r\n"
	      "vary: four\r\n\r\n";
	static const char *const names[] = {"Host", "Cookie", "X", "cOOKIE", "Vary", "vary"};
	struct http1_head h = {0};
	struct http1_span fields, name, value;
	size_t n = 0;

	(void)state;
	assert_int_equal(http1_head(&h, text, sizeof(text) - 1, HTTP1_HEAD_MAX), HTTP1_DONE);
	assert_int_equal(http1_field(&h, "cookie", &value), 2);
	check_span(value, "a=b");
	assert_int_equal(http1_field(&h, "x", &value), 1);
	check_span(value, "");
	assert_int_equal(http1_field(&h, "cooki", &value), 0);
	assert_null(value.p);
	assert_int_equal(http1_field(&h, "cookies", NULL), 0);
	assert_int_equal(http1_field(&h, "host", NULL), 1);
	fields = h.fields;
	while (http1_next(&fields, &name, &value))
		check_span(name, names[n++]);
	assert_int_equal(n, UNIT_COUNT(names));
	assert_true(http1_has(&h, "vary", "one"));
	assert_true(http1_has(&h, "vary", "two"));
	assert_true(http1_has(&h, "vary", "three"));
	assert_true(http1_has(&h, "vary", "four"));
	assert_false(http1_has(&h, "vary", "on"));
	assert_false(http1_has(&h, "vary", "five"));
	assert_false(http1_has(&h, "var", "one"));
}

static void hosts_are_valid_or_not(void **state)
{
	static const struct {
		const char *section, *host;
		bool valid;
	} cases[] = {
	    {"3986 3.2.2", "", true},
	    {"3986 3.2.2", "a.example", true},
	    {"3986 3.2.2", "a-b_c~d!$&'()*+,;=", true},
	    {"3986 3.2.2", "%61", true},
	    {"3986 3.2.2", "%6", false},
	    {"3986 3.2.2", "%zz", false},
	    {"3986 3.2.2", "127.0.0.1", true},
	    {"3986 3.2.3", "a:", true},
	    {"3986 3.2.3", ":80", true},
	    {"3986 3.2.3", "a:0", true},
	    {"3986 3.2.3", "a:65535", true},
	    {"3986 3.2.3", "a:65536", false},
	    {"3986 3.2.3", "a:4294967376", false},
	    {"3986 3.2.3", "a:8o", false},
	    {"3986 3.2.3", "a:+8", false},
	    {"3986 3.2.3", "a:80:80", false},
	    {"3986 3.2.2", "::1", false},
	    {"3986 3.2.2", "[::1]", true},
	    {"3986 3.2.2", "[::1]:80", true},
	    {"3986 3.2.2", "[::1]80", false},
	    {"3986 3.2.2", "[::]", true},
	    {"3986 3.2.2", "[1:2:3:4:5:6:7:8]", true},
	    {"3986 3.2.2", "[1:2:3:4:5:6:7]", false},
	    {"3986 3.2.2", "[1:2:3:4:5:6:7:8:9]", false},
	    {"3986 3.2.2", "[1::8]", true},
	    {"3986 3.2.2", "[1:2:3:4:5:6:7::]", true},
	    {"3986 3.2.2", "[1:2:3:4:5:6:7:8::]", false},
	    {"3986 3.2.2", "[::1:2:3:4:5:6:7:8]", false},
	    {"3986 3.2.2", "[1::2::3]", false},
	    {"3986 3.2.2", "[:1]", false},
	    {"3986 3.2.2", "[1:]", false},
	    {"3986 3.2.2", "[:::]", false},
	    {"3986 3.2.2", "[12345::]", false},
	    {"3986 3.2.2", "[g::]", false},
	    {"3986 3.2.2", "[::FFFF:1.2.3.4]", true},
	    {"3986 3.2.2", "[1:2:3:4:5:6:1.2.3.4]", true},
	    {"3986 3.2.2", "[1:2:3:4:5:6:7:1.2.3.4]", false},
	    {"3986 3.2.2", "[::1.2.3.256]", false},
	    {"3986 3.2.2", "[::1.2.3]", false},
	    {"3986 3.2.2", "[::1.2.3.4.5]", false},
	    {"3986 3.2.2", "[::01.2.3.4]", false},
	    {"3986 3.2.2", "[1.2.3.4]", false},
	    {"3986 3.2.2", "[::1.2.3.4:5]", false},
	    {"3986 3.2.2", "[]", false},
	    {"3986 3.2.2", "[::1", false},
	    {"3986 3.2.2", "::1]", false},
	    {"6874 2", "[fe80::1%25eth0]", false},
	    {"3986 3.2.2", "[v1.a]", false},
	    {"3986 3.2.2", "a[b", false},
	    {"3986 3.2.2", "a?b", false},
	    {"3986 3.2.2", "a#b", false},
	    {"3986 3.2.2", "a\\b", false},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		size_t n = strlen(cases[i].host);
		char *copy = trace_copy(cases[i].host, n);

		if (http1_host_valid((struct http1_span){copy, n}) != cases[i].valid)
			fail_msg("RFC %s: %s", cases[i].section, cases[i].host);
		free(copy);
	}
}

static void paths_are_decoded_strictly(void **state)
{
	static const struct {
		const char *section, *path, *want;
		ssize_t n;
		size_t cap;
	} cases[] = {
	    {"3986 2.1", "/", "/", 1, 99},	   {"3986 2.1", "/a+b", "/a+b", 4, 99},
	    {"3986 2.1", "/%41%7e", "/A~", 3, 99}, {"3986 2.1", "/%c3%A4", "/\xc3\xa4", 3, 99},
	    {"3986 2.1", "/%2f%25", "//%", 3, 99}, {"3986 2.1", "/%2525", "/%25", 4, 99},
	    {"3986 2.1", "", "", 0, 99},	   {"3986 2.1", "/%41", "/A", 2, 2},
	    {"3986 2.1", "/%41", "", -ENOSPC, 1},  {"3986 2.1", "/%00", "", -EINVAL, 99},
	    {"3986 2.1", "/%", "", -EINVAL, 99},   {"3986 2.1", "/%4", "", -EINVAL, 99},
	    {"3986 2.1", "/%4x", "", -EINVAL, 99}, {"3986 2.1", "/%x4", "", -EINVAL, 99},
	    {"3986 2.1", "/%-1", "", -EINVAL, 99}, {"3986 2.1", "/%u0041", "", -EINVAL, 99},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		size_t len = strlen(cases[i].path);
		char *copy = trace_copy(cases[i].path, len), *out = malloc(cases[i].cap);
		ssize_t n = http1_decode((struct http1_span){copy, len}, false, out, cases[i].cap);

		if (n != cases[i].n || (n > 0 && memcmp(out, cases[i].want, (size_t)n) != 0))
			fail_msg("RFC %s: %s", cases[i].section, cases[i].path);
		/* In place, too. */
		if (cases[i].cap == 99) {
			n = http1_decode((struct http1_span){copy, len}, false, copy, len);
			assert_int_equal(n, cases[i].n);
			assert_memory_equal(copy, cases[i].want, n > 0 ? (size_t)n : 0);
		}
		free(out);
		free(copy);
	}
}

static void answers_are_written(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(http1_put_status(&b, 404), 0);
	assert_int_equal(http1_put_field(&b, "Allow", "GET, HEAD"), 0);
	assert_int_equal(http1_put_status(&b, 299), 0);
	check_span((struct http1_span){b.data, b.len},
		   "HTTP/1.1 404 Not Found\r\nAllow: GET, HEAD\r\nHTTP/1.1 299 \r\n");
	assert_int_equal(http1_put_field(&b, "A", "b\r\nC: d"), -EINVAL);
	assert_int_equal(http1_put_field(&b, "A", "b\n"), -EINVAL);
	assert_int_equal(http1_put_field(&b, "A b", "c"), -EINVAL);
	assert_int_equal(http1_put_field(&b, "", "c"), -EINVAL);
	assert_int_equal(http1_put_status(&b, 99), -EINVAL);
	assert_int_equal(http1_put_status(&b, 600), -EINVAL);
	assert_int_equal(http1_put_date(&b, INT64_MAX), -EINVAL);
	b.len = 0;
	assert_int_equal(http1_put_date(&b, 784111777), 0); /* RFC 9110 section 5.6.7 */
	assert_int_equal(http1_put_date(&b, 951782400), 0);
	assert_int_equal(http1_put_date(&b, 4102444799), 0);
	check_span((struct http1_span){b.data, b.len}, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
						       "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n"
						       "Date: Thu, 31 Dec 2099 23:59:59 GMT\r\n");
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(heads_are_read_by_the_book),
	    cmocka_unit_test(a_front_of_a_head_needs_more),
	    cmocka_unit_test(what_follows_is_not_looked_at),
	    cmocka_unit_test(no_control_character_passes),
	    cmocka_unit_test(what_is_too_large_is_refused),
	    cmocka_unit_test(too_many_fields_are_refused),
	    cmocka_unit_test(fields_are_found_without_case),
	    cmocka_unit_test(hosts_are_valid_or_not),
	    cmocka_unit_test(paths_are_decoded_strictly),
	    cmocka_unit_test(answers_are_written),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
