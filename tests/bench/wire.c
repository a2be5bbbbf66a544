/* wire: how fast hubd reads what strangers send, one core, in memory: GB/s of masked text messages,
 * and request heads per second. Prints the best of several rounds, since the others measure what
 * else the machine did. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "wire/http1.h"
#include "wire/websocket.h"
#include "wire/websocket_handshake.h"

#define ROUNDS 15
#define ROUND_BYTES (64 << 20)
#define ROUND_HEADS 200000

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Frames of one text message each, end to end. Their mask is zero, which costs the same as any
 * other, so that they stand as they are after each round. */
static unsigned char *frames(size_t payload, size_t n, const char *text, size_t *len)
{
	size_t header = payload < 126 ? 6 : payload < 65536 ? 8 : 14, unit = strlen(text);
	unsigned char *all = calloc(n, header + payload), *p = all;

	if (!all)
		err_die(EX_OSERR, "out of memory");
	for (size_t i = 0; i < n; i++, p += payload) {
		p[0] = 0x81;
		p[1] = (unsigned char)(0x80 | (header == 6 ? payload : header == 8 ? 126 : 127));
		for (size_t k = 2; k < header - 4; k++)
			p[k] = (unsigned char)(payload >> (8 * (header - 5 - k)));
		p += header;
		for (size_t k = 0; k + unit <= payload; k += unit)
			memcpy(p + k, text, unit);
		memset(p + payload / unit * unit, 'x', payload % unit);
	}
	*len = (header + payload) * n;
	return all;
}

static void bench_frames(size_t payload, const char *name, const char *text)
{
	size_t batch = payload < 65536 ? 256 : 4, len, rounds;
	unsigned char *all = frames(payload, batch, text, &len);
	double best = 1e9;

	rounds = ROUND_BYTES / len;
	for (int r = 0; r < ROUNDS; r++) {
		double start = now(), took;

		for (size_t i = 0; i < rounds; i++) {
			struct websocket_in in = {0};
			struct websocket_piece e;
			unsigned char *p = all;
			size_t messages = 0;

			while (websocket_read(&in, &p, all + len, UINT32_MAX, &e) == WEBSOCKET_DATA)
				messages += e.last;
			if (messages != batch)
				err_die(EX_SOFTWARE, "%zu messages", messages);
		}
		took = now() - start;
		best = took < best ? took : best;
	}
	printf("frames  %6zu bytes, %-8s %6.2f GB/s\n", payload, name,
	       (double)(payload * batch * rounds) / best / 1e9);
	free(all);
}

static void bench_heads(const char *name, const char *text, bool handshake)
{
	size_t len = strlen(text);
	double best = 1e9;

	for (int r = 0; r < ROUNDS; r++) {
		double start = now(), took;

		for (size_t i = 0; i < ROUND_HEADS; i++) {
			struct http1_head h = {0};
			struct http1_span key;
			const char *why;

			if (http1_head(&h, text, len, HTTP1_HEAD_MAX) != HTTP1_DONE ||
			    (handshake && websocket_check(&h, &key, &why)))
				err_die(EX_SOFTWARE, "a head that is refused: %s", h.why);
		}
		took = now() - start;
		best = took < best ? took : best;
	}
	printf("heads   %6zu bytes, %-8s %6.2f million/s\n", len, name, ROUND_HEADS / best / 1e6);
}

int main(void)
{
	static const char get[] = "GET /ws?session=a HTTP/1.1\r\nHost: hub.example\r\n\r\n";
	static const char browser[] =
	    "GET /ws HTTP/1.1\r\nHost: hub.example:8000\r\nConnection: Upgrade\r\nPragma: "
	    "no-cache\r\n"
	    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
	    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
	    "Upgrade: websocket\r\nOrigin: http://hub.example:8000\r\nSec-WebSocket-Version: 13\r\n"
	    "Accept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\n"
	    "Cookie: session=0123456789abcdef0123456789abcdef\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

	err_init("wire", ERR_INFO);
	bench_frames(100, "ASCII", "{\"type\":\"event\",\"data\":1}");
	bench_frames(1024, "ASCII", "{\"type\":\"event\",\"data\":1}");
	bench_frames(65536, "ASCII", "{\"type\":\"event\",\"data\":1}");
	bench_frames(1024, "mixed", "caf\xc3\xa9 au lait, 5 \xe2\x82\xac, plain words; ");
	bench_frames(65536, "mixed", "caf\xc3\xa9 au lait, 5 \xe2\x82\xac, plain words; ");
	bench_frames(65536, "Japanese", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	bench_heads("GET", get, false);
	bench_heads("browser", browser, true);
	return 0;
}
