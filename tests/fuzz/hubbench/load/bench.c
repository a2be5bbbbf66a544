/* Any bytes from a server, in any pieces: hubbench's reader of frames and lines gives the same
 * messages however they are cut, and its dialects take them.
 *
 * The first byte says which dialect and transport; the second how long the pieces are; then comes
 * what the server sends. "hbabcdef" is the run's name, so that marks can be found. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json/json.h"
#include "load/loop.h"
#include "load/talk.h"
#include "net/wsio.h"
#include "speak/dialect.h"
#include "speak/template.h"

#define ROOM 16
#define PUBLISHERS 3
#define NAME "hbabcdef"

/* What comes out, as one text. */
static char *read_pieces(const uint8_t *data, size_t size, size_t piece, bool lines, size_t *len)
{
	struct wsio w = {.lines = lines};
	enum wsio_got got = WSIO_MORE;
	struct wsio_message m;
	char *out = malloc(3 * size + 16);

	assert(out);
	*len = 0;
	for (size_t at = 0; at < size && got != WSIO_BAD; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *copy = malloc(ROOM + n);

		assert(copy);
		memcpy(copy + ROOM, data + at, n);
		assert(wsio_feed(&w, copy + ROOM, n, ROOM));
		while ((got = wsio_next(&w, &m)) > WSIO_MORE) {
			out[(*len)++] = (char)('0' + got);
			memcpy(out + *len, m.p, m.len);
			*len += m.len;
		}
		if (got != WSIO_BAD)
			assert(wsio_rest(&w));
		free(copy);
	}
	if (got == WSIO_BAD)
		out[(*len)++] = '!';
	wsio_reset(&w);
	return out;
}

static void read_twice(const uint8_t *data, size_t size, size_t piece, bool lines)
{
	size_t len, again_len;
	char *one = read_pieces(data, size, piece, lines, &len);
	char *again = read_pieces(data, size, size, lines, &again_len);

	assert(len == again_len && memcmp(one, again, len) == 0);
	free(one);
	free(again);
}

static void set_up(struct run *r, struct plan *p, struct options *o, const struct dialect *d)
{
	static const char message[] = "{\"m\":\"{mark}\"}";
	char why[200];

	memset(r, 0, sizeof(*r));
	memset(p, 0, sizeof(*p));
	memset(o, 0, sizeof(*o));
	p->o = o;
	p->nodes = 1;
	r->plan = p;
	r->o = o;
	r->dialect = p->dialect = d;
	r->clients = r->npublishers = PUBLISHERS;
	r->sessions = r->threads = 1;
	r->echo = true;
	r->acks = d->seq;
	r->script = (struct script){
	    .name = NAME,
	    .sessions = 1,
	    .event = "message",
	    .join_event = "message",
	    .answer_to = strdup("PING"),
	    .answer = strdup("PONG"),
	    .paths = d->npaths ? json_paths_new(d->paths, d->npaths) : NULL,
	};
	memcpy(&r->script.run, NAME, sizeof(r->script.run));
	pthread_mutex_init(&r->error_mutex, NULL);
	r->messages = calloc(1, sizeof(*r->messages));
	r->session = calloc(1, sizeof(*r->session));
	r->publisher = calloc(PUBLISHERS, sizeof(*r->publisher));
	assert(r->messages && r->session && r->publisher);
	assert(template_compile(r->messages, message, 0, NAME, why, sizeof(why)) == 0);
	r->nmessages = 1;
	r->message_max = r->messages->len;
	r->script.mark_at = r->messages->mark_at;
	r->session->publishers = PUBLISHERS;
	for (uint32_t i = 0; i < PUBLISHERS; i++) {
		r->publisher[i].index = i;
		r->publisher[i].sent = 100;
		r->publisher[i].due_ns = calloc(WINDOW, sizeof(uint64_t));
		r->publisher[i].sent_ns = calloc(WINDOW, sizeof(uint64_t));
		assert(r->publisher[i].due_ns && r->publisher[i].sent_ns);
		for (int n = 0; n < 100; n++)
			r->publisher[i].due_ns[n] = 1;
	}
	r->timetable.seed = 1;
	assert(r->script.answer_to && r->script.answer);
}

static void tear_down(struct run *r)
{
	for (uint32_t i = 0; i < PUBLISHERS; i++) {
		free(r->publisher[i].due_ns);
		free(r->publisher[i].sent_ns);
	}
	template_free(r->messages);
	json_paths_free(r->script.paths);
	pthread_mutex_destroy(&r->error_mutex);
	free(r->messages);
	free(r->session);
	free(r->publisher);
	free(r->script.answer_to);
	free(r->script.answer);
}

/* All counts are of messages that came, and there are no more than marks fit in. */
static void check_counts(const struct audit_counts *a, size_t size)
{
	assert(a->delivered + a->duplicated <= size / MARK_LEN);
	assert(a->reordered <= a->delivered);
}

static void take_all(const struct dialect *d, const uint8_t *data, size_t size, size_t piece,
		     bool lines)
{
	struct wsio w = {.lines = lines};
	enum wsio_got got = WSIO_MORE;
	struct loop *l = calloc(1, sizeof(*l));
	struct wsio_message text;
	struct options o;
	struct plan p;
	struct run r;
	struct member *m;
	int pair[2];

	assert(l);
	set_up(&r, &p, &o, d);
	assert(loop_init(l, &r, 0) == 0);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	m = &l->members[0];
	m->conn.fd = pair[0];
	m->conn.state = CONN_OPEN;
	m->conn.in.lines = lines;
	l->window_span = UINT64_MAX;
	talk_stands(l, m);
	for (size_t at = 0; at < size && got != WSIO_BAD && m->conn.fd >= 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *copy = malloc(ROOM + n);

		assert(copy);
		memcpy(copy + ROOM, data + at, n);
		assert(wsio_feed(&w, copy + ROOM, n, ROOM));
		while (m->conn.fd >= 0 && (got = wsio_next(&w, &text)) > WSIO_MORE)
			if (got == WSIO_MESSAGE)
				talk_take(l, m, text.p, text.len);
		if (got != WSIO_BAD)
			assert(wsio_rest(&w));
		free(copy);
	}
	check_counts(&l->audit, size);
	wsio_reset(&w);
	for (uint32_t i = 0; i < m->nstreams; i++) {
		struct audit_counts end = {0};

		stream_end(&m->streams[i], 100, &end);
	}
	close(pair[1]);
	loop_free(l);
	free(l);
	tear_down(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;
	bool lines;

	if (size < 3)
		return 0;
	lines = data[0] & 4;
	piece = (size_t)data[1] + 1;
	read_twice(data + 2, size - 2, piece, lines);
	take_all(dialects[(data[0] & 3) % 3], data + 2, size - 2, piece, lines);
	return 0;
}
