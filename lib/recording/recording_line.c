/* Lines of a recording: what each says, and what kind of line it is. The scanner is strict; here
 * only the fields that are the recorder's or the hub's are looked at. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "recording/recording_impl.h"

enum field {
	TYPE,
	SESSION,
	FROM,
	SEQ,
	T,
	FROM_SEQ,
	TO_SEQ,
	EPOCH,
	RECORDS,
	REASON,
	RUN,
	VERSION,
	START,
	SIGNER,
	FIELDS
};

static const char *const field_names[FIELDS] = {
    "type",  "session_id", "from",   "seq", "t",       "from_seq", "to_seq",
    "epoch", "records",	   "reason", "run", "version", "start",	   "signer",
};

/* Compiled once, never changed, never freed. */
static struct json_paths *field_paths;
static pthread_once_t field_paths_once = PTHREAD_ONCE_INIT;

static void compile_field_paths(void)
{
	field_paths = json_paths_new(field_names, FIELDS);
}

#define NUMBER_MAX (UINT64_C(1) << 53)

/* A whole number up to 2^53, as plain digits. */
static bool whole_number(const char *text, const struct json_member *m, uint64_t *out)
{
	uint64_t n = 0;

	if (m->type != JSON_NUMBER || m->end - m->start > 16)
		return false;
	for (uint32_t i = m->start; i < m->end; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*out = n;
	return n <= NUMBER_MAX;
}

/* Milliseconds with up to three decimals, as microseconds. */
static bool time_number(const char *text, const struct json_member *m, uint64_t *out)
{
	uint64_t n = 0;
	int decimals = -1;

	if (m->type != JSON_NUMBER || m->end - m->start > 20)
		return false;
	for (uint32_t i = m->start; i < m->end; i++) {
		if (text[i] == '.' && decimals < 0) {
			decimals = 0;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || decimals == 3 || n > RECORDING_T_MAX)
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
		decimals += decimals >= 0;
	}
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 3; decimals++)
		n *= 10;
	*out = n;
	return n <= RECORDING_T_MAX;
}

/* The characters of a string of 1 to max bytes: in place, or unescaped into room. */
static bool string(const char *text, const struct json_member *m, char *room, size_t max,
		   struct span *out)
{
	int n;

	if (m->type != JSON_STRING)
		return false;
	*out = (struct span){text + m->start + 1, m->end - m->start - 2};
	if (m->escaped) {
		n = room ? json_unescape(out->p, out->len, room, max) : -EINVAL;
		if (n < 0)
			return false;
		*out = (struct span){room, (size_t)n};
	}
	return out->len >= 1 && out->len <= max;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* `t`, which is the last field: where it begins, with its comma, is line->body. */
static const char *parse_time(const char *text, const struct json_scan *scan,
			      const struct json_member *m, struct recording_line *line)
{
	uint32_t at = m->end, begin = m->name;

	if (!time_number(text, m, &line->t_us))
		return "t is not a time: milliseconds, with up to three decimals";
	while (is_space(text[at]))
		at++;
	if (at != scan->end - 1)
		return "t is not the last field";
	while (is_space(text[begin - 1]))
		begin--;
	line->body = begin - 1u;
	return NULL;
}

/* What a member sent. */
static const char *parse_record(const char *text, const struct json_member *m,
				struct recording_line *line)
{
	if (m[FROM].repeated || m[SEQ].repeated || !string(text, &m[FROM], NULL, 64, &line->from))
		return "from is not a client id";
	line->kind = RECORDING_OTHER;
	if (m[SEQ].type == JSON_NONE)
		return NULL;
	if (!whole_number(text, &m[SEQ], &line->seq) || line->seq == 0)
		return "seq is not a number of a record";
	line->kind = RECORDING_RECORD;
	return NULL;
}

/* A line that no member sent. */
static const char *parse_mark(const char *text, const struct json_member *m,
			      struct recording_line *line)
{
	bool gap = line->type.len == 3 && memcmp(line->type.p, "gap", 3) == 0;

	line->kind = RECORDING_OTHER;
	if (line->type.len == 6 && memcmp(line->type.p, "joined", 6) == 0 && !m[RUN].repeated &&
	    !string(text, &m[RUN], NULL, RECORDING_EPOCH_MAX, &line->run))
		line->run = (struct span){0};
	if (!gap && (line->type.len != 8 || memcmp(line->type.p, "snapshot", 8) != 0))
		return NULL;
	for (int i = FROM_SEQ; i <= REASON; i++)
		if (m[i].repeated)
			return "a field occurs more than once";
	if (m[EPOCH].type != JSON_NONE &&
	    !string(text, &m[EPOCH], NULL, RECORDING_EPOCH_MAX, &line->epoch))
		return "epoch is not a string of 1 to 64 bytes";
	if (m[REASON].type != JSON_NONE && !string(text, &m[REASON], NULL, 64, &line->reason))
		return "reason is not a string of 1 to 64 bytes";
	if (gap) {
		if (!whole_number(text, &m[FROM_SEQ], &line->seq) ||
		    !whole_number(text, &m[TO_SEQ], &line->to_seq) ||
		    line->to_seq + 1 < line->seq || line->seq == 0)
			return "from_seq and to_seq are not a range";
		line->kind = RECORDING_GAP;
		return NULL;
	}
	if (!whole_number(text, &m[SEQ], &line->seq) || m[SEQ].repeated)
		return "seq of the snapshot is not a whole number";
	if (m[RECORDS].type != JSON_NONE && !whole_number(text, &m[RECORDS], &line->records))
		return "records of the snapshot is not a whole number";
	line->kind = RECORDING_SNAPSHOT;
	return NULL;
}

/* Scans a line. Returns NULL, or what is wrong with it as a message. */
static const char *scan_line(const char *text, size_t len, struct json_member *m,
			     struct json_scan *scan)
{
	if (pthread_once(&field_paths_once, compile_field_paths) != 0 || !field_paths)
		return "out of memory";
	if (json_scan(field_paths, text, len, m, scan) != JSON_OK)
		return json_strerror(scan->status);
	if (scan->type != JSON_OBJECT || scan->start != 0)
		return "not a JSON object";
	if (m[TYPE].repeated || m[SESSION].repeated)
		return "type or session_id occurs more than once";
	return NULL;
}

/* The type and session of a line, which must be right wherever they stand. */
static const char *parse_names(const struct recording *r, const char *text,
			       const struct json_member *m, struct recording_line *line,
			       struct recording_room *room)
{
	if (!string(text, &m[TYPE], room->type, ENVELOPE_TYPE_MAX, &line->type))
		return "type is not a string of 1 to 64 bytes";
	if (m[SESSION].type != JSON_NONE) {
		if (!string(text, &m[SESSION], room->session, ENVELOPE_SESSION_MAX,
			    &line->session) ||
		    !envelope_session_id_ok(line->session.p, line->session.len))
			return "session_id is not the name of a session";
	} else if (*r->head.session) {
		line->session = (struct span){r->head.session, strlen(r->head.session)};
	}
	return NULL;
}

const char *recording_parse(const struct recording *r, const char *text, size_t len,
			    struct recording_line *line, struct recording_room *room)
{
	struct json_member m[FIELDS];
	struct json_scan scan;
	const char *wrong = scan_line(text, len, m, &scan);

	*line = (struct recording_line){.text = text, .len = len, .t_us = r->t_us};
	if (wrong)
		return wrong;
	line->body = scan.end - 1u;
	wrong = parse_names(r, text, m, line, room);
	if (wrong)
		return wrong;
	wrong = m[FROM].type != JSON_NONE ? parse_record(text, m, line) : parse_mark(text, m, line);
	if (wrong)
		return wrong;
	if (m[T].type != JSON_NONE)
		return parse_time(text, &scan, &m[T], line);
	return line->kind == RECORDING_OTHER ? NULL : "t is missing";
}

static bool is_mark(struct span type)
{
	static const char *const marks[] = {"recording", "snapshot", "gap", "joined", "signature"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (type.len == strlen(marks[i]) && memcmp(type.p, marks[i], type.len) == 0)
			return true;
	return false;
}

const char *recording_parse_any(const struct recording *r, const char *text, size_t len,
				struct recording_line *line, struct recording_room *room)
{
	struct json_member m[FIELDS];
	struct json_scan scan;
	uint64_t before = r->t_us;
	const char *wrong;

	*line = (struct recording_line){
	    .kind = RECORDING_OTHER, .text = text, .len = len, .t_us = before};
	if (r->number == 1 && len >= BOM_LEN && memcmp(text, BOM, BOM_LEN) == 0)
		text += BOM_LEN, len -= BOM_LEN;
	while (len && is_space(*text))
		text++, len--;
	if (!len)
		return NULL;
	line->text = text;
	line->len = len;
	wrong = scan_line(text, len, m, &scan);
	if (wrong)
		return wrong;
	line->body = scan.end - 1u;
	wrong = parse_names(r, text, m, line, room);
	if (wrong)
		return wrong;
	if (m[FROM].type != JSON_NONE || !is_mark(line->type))
		line->kind = RECORDING_RECORD;
	if (!whole_number(text, &m[SEQ], &line->seq))
		line->seq = 0;
	if (m[T].type != JSON_NONE && parse_time(text, &scan, &m[T], line))
		line->t_us = before;
	return NULL;
}

static void copy(char *out, struct span s)
{
	memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

const char *recording_parse_header(const char *text, size_t len, struct recording_head *head,
				   struct recording_signer *signer)
{
	struct json_member m[FIELDS];
	struct json_scan scan;
	struct span s;
	uint64_t version;

	*head = (struct recording_head){0};
	*signer = (struct recording_signer){0};
	if (scan_line(text, len, m, &scan) || !string(text, &m[TYPE], NULL, 64, &s) || s.len != 9 ||
	    memcmp(s.p, "recording", 9) != 0 || m[FROM].type != JSON_NONE ||
	    !whole_number(text, &m[VERSION], &version))
		return "not a recording: its first line is no header";
	if (version != RECORDING_VERSION)
		return "a recording of another version than 1";
	if (!whole_number(text, &m[START], &head->start_ms))
		return "the header has no start";
	if (m[SESSION].type != JSON_NONE) {
		if (!string(text, &m[SESSION], NULL, ENVELOPE_SESSION_MAX, &s) ||
		    !envelope_session_id_ok(s.p, s.len))
			return "the header's session_id is not the name of a session";
		copy(head->session, s);
	}
	if (m[EPOCH].type != JSON_NONE) {
		if (!string(text, &m[EPOCH], NULL, RECORDING_EPOCH_MAX, &s))
			return "the header's epoch is not a string of 1 to 64 bytes";
		copy(head->epoch, s);
	}
	if (m[SIGNER].type != JSON_NONE) {
		if (!string(text, &m[SIGNER], NULL, SEAL_HASH_TEXT, &s) || s.len != SEAL_HASH_TEXT)
			return "the header's signer is not a key";
		copy(signer->key, s);
		signer->there = true;
	}
	return NULL;
}

/* --- a line to be written */

static char *put_time(char *p, uint64_t t_us)
{
	unsigned part = (unsigned)(t_us % 1000);

	p = decimal_put(p, t_us / 1000);
	if (!part)
		return p;
	*p++ = '.';
	for (unsigned unit = 100; part; unit /= 10) {
		*p++ = (char)('0' + part / unit);
		part %= unit;
	}
	return p;
}

int recording_put_line(struct buf *out, const char *text, size_t len, uint64_t t_us)
{
	static const char front[] = ",\"t\":";
	char *p;

	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len < 4 || len > RECORDING_LINE_MAX - 64 || text[0] != '{' || text[len - 1] != '}' ||
	    memchr(text, '\n', len) || t_us > RECORDING_T_MAX)
		return -EINVAL;
	if (buf_reserve(out, len + sizeof(front) + DECIMAL_MAX + 8) < 0)
		return -ENOMEM;
	p = out->data + out->len;
	memcpy(p, text, len - 1);
	p += len - 1;
	memcpy(p, front, sizeof(front) - 1);
	p = put_time(p + sizeof(front) - 1, t_us);
	*p++ = '}';
	*p++ = '\n';
	out->len = (size_t)(p - out->data);
	return 0;
}

/* --- signatures */

#define SIGNATURE_FRONT "{\"type\":\"signature\",\"hash\":\""
#define SIGNATURE_MIDDLE "\",\"sig\":\""
#define SIGNATURE_LAST "\"}"
#define SIGNATURE_END "\",\"end\":true}"
#define LENGTH(literal) (sizeof(literal) - 1)

int recording_put_signature(struct buf *out, const struct recording_signature *s)
{
	char hash[SEAL_HASH_TEXT + 1], signature[SEAL_SIGNATURE_TEXT + 1];

	seal_encode(s->hash, SEAL_HASH, hash, sizeof(hash));
	seal_encode(s->signature, SEAL_SIGNATURE, signature, sizeof(signature));
	return buf_printf(out, SIGNATURE_FRONT "%s" SIGNATURE_MIDDLE "%s%s\n", hash, signature,
			  s->end ? SIGNATURE_END : SIGNATURE_LAST);
}

bool recording_get_signature(const char *text, size_t len, struct recording_signature *s)
{
	size_t fixed = LENGTH(SIGNATURE_FRONT) + SEAL_HASH_TEXT + LENGTH(SIGNATURE_MIDDLE) +
		       SEAL_SIGNATURE_TEXT;
	const char *p = text + LENGTH(SIGNATURE_FRONT);

	if (len != fixed + LENGTH(SIGNATURE_LAST) && len != fixed + LENGTH(SIGNATURE_END))
		return false;
	s->end = len == fixed + LENGTH(SIGNATURE_END);
	return memcmp(text, SIGNATURE_FRONT, LENGTH(SIGNATURE_FRONT)) == 0 &&
	       seal_decode(p, SEAL_HASH_TEXT, s->hash, SEAL_HASH) &&
	       memcmp(p + SEAL_HASH_TEXT, SIGNATURE_MIDDLE, LENGTH(SIGNATURE_MIDDLE)) == 0 &&
	       seal_decode(p + SEAL_HASH_TEXT + LENGTH(SIGNATURE_MIDDLE), SEAL_SIGNATURE_TEXT,
			   s->signature, SEAL_SIGNATURE) &&
	       memcmp(text + fixed, s->end ? SIGNATURE_END : SIGNATURE_LAST, len - fixed) == 0;
}

/* --- state or log */

static size_t slot_of(const struct recording_sessions *s, struct span name)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	size_t i;

	for (i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.p[i]) * UINT64_C(1099511628211);
	for (i = hash & (s->cap - 1); s->slot[i].name; i = (i + 1) & (s->cap - 1))
		if (s->slot[i].len == name.len &&
		    (!name.len || memcmp(s->slot[i].name, name.p, name.len) == 0))
			break;
	return i;
}

static bool grow(struct recording_sessions *s)
{
	struct recording_sessions bigger = {.cap = s->cap ? 2 * s->cap : 16, .n = s->n};

	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (size_t i = 0; i < s->cap; i++) {
		struct recording_session *old = &s->slot[i];

		if (old->name)
			bigger.slot[slot_of(&bigger, (struct span){old->name, old->len})] = *old;
	}
	free(s->slot);
	*s = bigger;
	return true;
}

static bool set_state(struct recording_sessions *s, struct span name, uint64_t seq)
{
	struct recording_session *slot;

	if (2 * s->n >= s->cap && !grow(s))
		return false;
	slot = &s->slot[slot_of(s, name)];
	if (!slot->name) {
		if (s->n == RECORDING_SESSIONS_MAX)
			return false;
		slot->name = malloc(name.len ? name.len : 1);
		if (!slot->name)
			return false;
		if (name.len)
			memcpy(slot->name, name.p, name.len);
		slot->len = (uint8_t)name.len;
		s->n++;
	}
	slot->state_seq = seq;
	return true;
}

bool recording_classify(struct recording_sessions *s, struct recording_line *line)
{
	const struct recording_session *slot;

	switch (line->kind) {
	case RECORDING_SNAPSHOT:
		return set_state(s, line->session, line->seq);
	case RECORDING_GAP: /* the numbers of another log */
		return !line->epoch.p || set_state(s, line->session, 0);
	case RECORDING_RECORD:
		slot = s->n ? &s->slot[slot_of(s, line->session)] : NULL;
		if (slot && slot->name && line->seq <= slot->state_seq)
			line->kind = RECORDING_STATE;
		return true;
	default:
		return true;
	}
}

void recording_sessions_clear(struct recording_sessions *s)
{
	for (size_t i = 0; i < s->cap; i++)
		free(s->slot[i].name);
	free(s->slot);
	*s = (struct recording_sessions){0};
}
