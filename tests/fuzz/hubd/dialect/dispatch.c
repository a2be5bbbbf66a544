/* Any messages, from three connections of a real hub: what they get is valid JSON, records come
 * complete and in order, and nobody speaks in another's name.
 *
 * The input is a line for each step. Its first byte says what happens: `a`, `b`, `c` say the rest
 * of the line (a vertical tab stands for a line feed, `%a` for a's client id); `s` and `r` stop and
 * start reading, `f` ends the input, `x` cuts the connection, `p` turns the loop; the second byte
 * says whose.
 */
#undef NDEBUG
#include <assert.h>
#include <sodium.h>

#include "hubd/hub_stub.h"
#include "json/json.h"
#include "wire/id.h"
#include "wire/wsframe.h"

#define PEERS 3
#define MESSAGE_MAX 4096
#define IDS_MAX 256

enum { TYPE, SESSION, FROM, SEQ, FROM_SEQ, TO_SEQ, SNAPSHOT, RECOVERED, NPATHS };

static const char *const list[NPATHS] = {"type",     "session_id", "from",     "seq",
					 "from_seq", "to_seq",	   "snapshot", "recovered"};

/* A session that a peer was told it is in, and the last record of it that it got. */
struct place {
	char id[ENVELOPE_SESSION_MAX + 1];
	uint64_t last;
	struct place *next;
	uint64_t snapshot; /* state records still to come */
	uint64_t state;	   /* the seq of the last of them */
};

struct client {
	struct peer peer;
	char id[ID_LEN + 1];
	struct place *places;
};

static struct hub_stub hub = {
    .m = {.s = {.max_sessions = 6,
		.env = {.max_members = 2, .presence_limit = 2, .limits.grace_ms = 1000000}},
	  .conns.max_message = MESSAGE_MAX}};
static struct client clients[PEERS];
static struct json_paths *paths;
static char ids[IDS_MAX][ID_LEN + 1]; /* all that there were in this input */
static size_t nids;
static bool gaps;  /* somebody does without echo, so numbers may be left out */
static bool pasts; /* somebody wants a past, so numbers may go back */

/* --- what a peer was sent --- */

static struct place **find_place(struct client *p, const char *id)
{
	struct place **link = &p->places;

	while (*link && strcmp((*link)->id, id) != 0)
		link = &(*link)->next;
	return link;
}

static void leave_place(struct place **link)
{
	struct place *place = *link;

	*link = place->next;
	free(place);
}

static uint64_t number(const char *text, const struct json_member *m)
{
	assert(m->type == JSON_NUMBER);
	return strtoull(text + m->start, NULL, 10);
}

static bool is(const char *text, const struct json_member *m, const char *value)
{
	size_t len = strlen(value);

	return m->type == JSON_STRING && m->end - m->start == len + 2 &&
	       memcmp(text + m->start + 1, value, len) == 0;
}

static void session_of(const char *text, const struct json_member *m, char *id)
{
	int n;

	assert(m->type == JSON_STRING && !m->repeated);
	n = json_unescape(text + m->start + 1, m->end - m->start - 2, id, ENVELOPE_SESSION_MAX);
	assert(n > 0);
	id[n] = '\0';
	assert(envelope_session_id_ok(id, (size_t)n));
}

/* A message of a member's, logged or direct. */
static void check_member_message(struct client *p, const char *text, const struct json_member *m)
{
	char session[ENVELOPE_SESSION_MAX + 1];
	struct place *place;
	uint64_t seq;
	size_t i = 0;

	assert(!m[FROM].repeated && !m[SEQ].repeated);
	while (i < nids && !is(text, &m[FROM], ids[i]))
		i++;
	assert(i < nids);
	session_of(text, &m[SESSION], session);
	if (m[SEQ].type == JSON_NONE)
		return;
	place = *find_place(p, session);
	assert(place);
	seq = number(text, &m[SEQ]);
	if (place->snapshot && !pasts) { /* the state: oldest first, nothing from behind the join */
		assert(seq > place->state && seq <= place->last);
		place->state = seq;
		place->snapshot--;
		return;
	}
	assert(pasts || (gaps ? seq > place->last : seq == place->last + 1));
	place->last = seq;
}

static void check_answer(struct client *p, const char *text, const struct json_member *m)
{
	static const char *const types[] = {"pong",
					    "session_list",
					    "error",
					    "presence",
					    "ack",
					    "version_status",
					    "client_connected",
					    "client_disconnected",
					    "connection_status"};
	char session[ENVELOPE_SESSION_MAX + 1];
	struct place **link;
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (is(text, &m[TYPE], types[i]))
			return;
	session_of(text, &m[SESSION], session);
	link = find_place(p, session);
	if (is(text, &m[TYPE], "session_associated")) {
		uint64_t seq = number(text, &m[SEQ]);

		if (!*link) {
			*link = calloc(1, sizeof(**link));
			assert(*link);
			strcpy((*link)->id, session);
			(*link)->last = seq;
		}
		/* Who joins again before the state has come still gets it. */
		if (number(text, &m[SNAPSHOT])) {
			(*link)->snapshot = number(text, &m[SNAPSHOT]);
			(*link)->state = 0;
		}
		assert(pasts || m[RECOVERED].type == JSON_FALSE);
		assert(gaps || pasts || seq >= (*link)->last);
		(*link)->last = seq;
		return;
	}
	assert(*link);
	if (is(text, &m[TYPE], "session_left")) {
		leave_place(link);
		return;
	}
	assert(is(text, &m[TYPE], "gap"));
	assert(gaps || pasts || number(text, &m[FROM_SEQ]) == (*link)->last + 1);
	assert(number(text, &m[TO_SEQ]) >= number(text, &m[FROM_SEQ]));
	(*link)->last = number(text, &m[TO_SEQ]);
}

static void check_peer(struct client *p)
{
	struct buf *got = &p->peer.got;
	size_t at = 0;

	while (at < got->len) {
		const char *text = got->data + at, *end = memchr(text, '\n', got->len - at);
		struct json_member m[NPATHS];
		struct json_scan scan;

		/* Everything is written whole, and an answer's line feeds are only those it was
		 * asked to send back. */
		assert(end);
		while (json_scan(paths, text, (size_t)(end - text), m, &scan) == JSON_TRUNCATED) {
			end = memchr(end + 1, '\n', got->len - (size_t)(end + 1 - got->data));
			assert(end);
		}
		assert(scan.status == JSON_OK && scan.type == JSON_OBJECT);
		assert(m[TYPE].type == JSON_STRING && !m[TYPE].repeated);
		if (m[FROM].type != JSON_NONE)
			check_member_message(p, text, m);
		else
			check_answer(p, text, m);
		at = (size_t)(end + 1 - got->data);
	}
	got->len = 0;
}

/* --- what the hub keeps --- */

static void check_log(struct session *s)
{
	const struct chunk *c;
	struct log_view view;
	uint64_t seq;

	session_view(s, 1, &view);
	c = view.chunk;
	for (seq = view.tail; seq <= view.head; seq++) {
		const struct slot *slot;
		const char *text;
		char from[ID_LEN + 1], session[ENVELOPE_SESSION_MAX + 1];
		struct json_member m[NPATHS];
		struct json_scan scan;
		size_t header;

		c = chunk_find(c, seq);
		slot = chunk_slot(c, seq - c->first);
		header = wsframe_header_len(c->data + slot->offset);
		text = (const char *)c->data + slot->offset + header;
		assert(json_scan(paths, text, slot->len - header, m, &scan) == JSON_OK);
		id_text(slot->sender, from);
		assert(is(text, &m[FROM], from) && !m[FROM].repeated);
		assert(number(text, &m[SEQ]) == seq && !m[SEQ].repeated);
		session_of(text, &m[SESSION], session);
		assert(strcmp(session, s->id) == 0);
	}
	chunk_unref(view.chunk);
}

static void check_logs(void)
{
	for (size_t i = 0; i < hub.m.s.registry.table_size; i++)
		for (struct session *s = hub.m.s.registry.table[i]; s; s = s->hash_next)
			check_log(s);
}

/* --- what happens --- */

static void turn(void)
{
	stub_round(stub_worker(&hub.m, 0));
	for (int i = 0; i < PEERS; i++)
		check_peer(&clients[i]);
}

static void open_peer(struct client *p)
{
	struct buf got = p->peer.got;

	while (p->places)
		leave_place(&p->places);
	hub_stub_open(&hub, &p->peer, 0);
	p->peer.got = got;
	id_text(p->peer.conn->id, p->id);
	if (nids < IDS_MAX)
		memcpy(ids[nids++], p->id, sizeof(p->id));
}

static void say(struct client *p, const char *text, size_t len)
{
	struct buf b = {0};
	char *copy;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && i + 1 < len && text[i + 1] >= 'a' &&
		    text[i + 1] < 'a' + PEERS)
			buf_puts(&b, clients[text[++i] - 'a'].id);
		else
			buf_put(&b, text[i] == '\v' ? "\n" : text + i, 1);
	}
	if (b.len <= MESSAGE_MAX) {
		if (b.len)
			gaps = gaps || memmem(b.data, b.len, "\"echo\"", 6) ||
			       memchr(b.data, 0x5c, b.len);
		/* Of the exact size, so that AddressSanitizer sees a read behind it. */
		copy = malloc(b.len ? b.len : 1);
		assert(copy);
		if (b.len)
			memcpy(copy, b.data, b.len);
		conn_receive(p->peer.conn, copy, b.len);
		free(copy);
	}
	buf_free(&b);
}

static void step(const char *line, size_t len)
{
	struct client *p = &clients[len > 1 ? (unsigned char)line[1] % PEERS : 0];

	switch (len ? line[0] : 'p') {
	case 'a':
	case 'b':
	case 'c':
		p = &clients[line[0] - 'a'];
		if (p->peer.conn)
			say(p, line + 1, len - 1);
		return;
	case 's':
		p->peer.stalled = true;
		return;
	case 'r':
		if (p->peer.conn)
			stub_resume(&p->peer);
		return;
	case 'f':
		if (p->peer.conn)
			deliver_finish(p->peer.conn, CLOSE_NORMAL, "end of input");
		return;
	case 'x':
		if (p->peer.conn)
			peer_gone(&p->peer);
		turn();
		open_peer(p);
		return;
	default:
		turn();
	}
}

static void start(void)
{
	assert(sodium_init() >= 0);
	paths = json_paths_new(list, NPATHS);
	assert(paths);
	hub_stub_start(&hub, 1, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;

	if (!paths)
		start();
	nids = 0;
	gaps = false;
	pasts = memmem(data, size, "since", 5) != NULL || memchr(data, '\\', size) != NULL;
	for (int i = 0; i < PEERS; i++)
		open_peer(&clients[i]);
	while (p < end && nids < IDS_MAX) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((feed ? feed : end) - p);

		step(p, len);
		p += len + (feed ? 1 : 0);
	}
	turn();
	check_logs();
	for (int i = 0; i < PEERS; i++)
		if (clients[i].peer.conn)
			peer_gone(&clients[i].peer);
	/* The first turn reaps them, the second hands out the news of it. */
	turn();
	turn();
	turn();
	registry_sweep(&hub.m.s.registry, worker_now_ms(stub_worker(&hub.m, 0)));
	assert(registry_count(&hub.m.s.registry) == 0);
	assert(atomic_load(&hub.m.s.memory.used) == 0);
	return 0;
}
