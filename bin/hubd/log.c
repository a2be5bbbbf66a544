/* The log. Invariants: seq is contiguous from tail to head; the oldest chunk's first record is
 * tail. */
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "wsframe.h"

#define CHUNK_MIN 1024u
#define CHUNK_MAX 65536u
#define SEQ_FIELD_MAX (sizeof(",\"seq\":") - 1 + 20 + 1)

void log_init(struct log *log, struct log_memory *memory)
{
	*log = (struct log){.tail = 1, .memory = memory};
}

void log_free(struct log *log)
{
	chunk_unref(log->oldest);
	log->oldest = log->last = NULL;
}

struct chunk *chunk_ref(struct chunk *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void chunk_unref(struct chunk *c)
{
	/* A loop: the last reference to a chunk gives up the one it holds on the next. */
	while (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
		struct chunk *next = atomic_load_explicit(&c->next, memory_order_relaxed);

		atomic_fetch_sub_explicit(&c->memory->used, sizeof(*c) + c->cap,
					  memory_order_relaxed);
		free(c);
		c = next;
	}
}

/* Room for a record of need bytes: twice the last chunk's, within bounds. */
static struct chunk *chunk_new(const struct log *log, size_t need)
{
	size_t cap = log->last ? 2 * (size_t)log->last->cap : CHUNK_MIN;
	struct chunk *c;

	if (cap > CHUNK_MAX)
		cap = CHUNK_MAX;
	if (cap < need)
		cap = need;
	/* Slots stand at the end of data and want its alignment. */
	cap = (cap + sizeof(struct slot) - 1) / sizeof(struct slot) * sizeof(struct slot);
	c = malloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	*c = (struct chunk){
	    .refs = 1, .cap = (uint32_t)cap, .first = log->head + 1, .memory = log->memory};
	atomic_fetch_add_explicit(&log->memory->used, sizeof(*c) + cap, memory_order_relaxed);
	return c;
}

static void log_link(struct log *log, struct chunk *c, uint64_t now_ms)
{
	if (log->last) {
		log->last->sealed_ms = now_ms;
		atomic_store_explicit(&log->last->next, c, memory_order_release);
	} else {
		log->oldest = c;
	}
	log->last = c;
	log->bytes += sizeof(*c) + c->cap;
}

static void log_drop_oldest(struct log *log)
{
	struct chunk *c = log->oldest;
	struct chunk *next = atomic_load_explicit(&c->next, memory_order_relaxed);

	log->bytes -= sizeof(*c) + c->cap;
	log->oldest = chunk_ref(next);
	log->tail = next->first;
	chunk_unref(c);
}

void log_trim(struct log *log, const struct log_limits *limits, uint64_t low, uint64_t now_ms)
{
	while (log->oldest != log->last) {
		const struct chunk *c = log->oldest;
		uint64_t next = c->first + atomic_load_explicit(&c->n, memory_order_relaxed);
		bool over = log_memory_over(log->memory), small = log->bytes <= limits->bytes;
		/* Signed: the clock of the worker that wrote it may be ahead of ours. */
		bool wanted = next > low && (int64_t)(now_ms - c->sealed_ms) < limits->grace_ms;

		/* Members in step with the hub are not to pay for memory used elsewhere. */
		if (wanted && (small || !over))
			return;
		if (!over && (small || log->head + 1 - next < limits->records))
			return;
		log_drop_oldest(log);
	}
}

/* Writes the end of a record: `,"seq":N}`. Returns its length. */
static size_t put_seq(char *out, uint64_t seq)
{
	char *p = out + 7;

	memcpy(out, ",\"seq\":", 7);
	p = decimal_put(p, seq);
	*p++ = '}';
	return (size_t)(p - out);
}

int64_t log_append(struct log *log, uint64_t sender, const char *body, size_t len, uint64_t now_ms)
{
	char field[SEQ_FIELD_MAX];
	size_t field_len = put_seq(field, log->head + 1);
	size_t need = WSFRAME_HEADER_MAX + len + field_len + sizeof(struct slot);
	struct chunk *c = log->last;
	struct slot *slot;
	unsigned char *p;
	uint32_t n;

	n = c ? atomic_load_explicit(&c->n, memory_order_relaxed) : 0;
	if (!c || c->cap - c->len - n * sizeof(struct slot) < need) {
		c = chunk_new(log, need);
		if (!c)
			return -ENOMEM;
		log_link(log, c, now_ms);
		n = 0;
	}
	p = c->data + c->len;
	p += wsframe_text(p, len + field_len);
	memcpy(p, body, len);
	memcpy(p + len, field, field_len);
	p += len + field_len;

	slot = (struct slot *)(void *)(c->data + c->cap) - 1 - n;
	slot->sender = sender;
	slot->offset = c->len;
	slot->len = (uint32_t)(p - c->data) - c->len;
	c->len += slot->len;
	atomic_store_explicit(&c->n, n + 1, memory_order_release);
	return (int64_t)++log->head;
}

const struct chunk *chunk_find(const struct chunk *c, uint64_t seq)
{
	while (seq - c->first >= atomic_load_explicit(&c->n, memory_order_acquire))
		c = atomic_load_explicit(&c->next, memory_order_acquire);
	return c;
}

void log_view(const struct log *log, uint64_t from, struct log_view *view)
{
	view->tail = log->tail;
	view->head = log->head;
	view->chunk = NULL;
	view->hint = NULL;
	if (from > log->head)
		return;
	if (from < log->tail)
		from = log->tail;
	/* Nearly every reader is at the last chunk. */
	if (from >= log->last->first)
		view->chunk = chunk_ref(log->last);
	else
		view->chunk = chunk_ref((struct chunk *)(uintptr_t)chunk_find(log->oldest, from));
}
