/* The log. Invariants: seq is contiguous from tail to head; the oldest chunk's first record is
 * tail. */
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/decimal.h"
#include "wire/wsframe.h"

#define CHUNK_MIN 1024u
#define CHUNK_MAX 65536u
#define PAGE 4096u
_Static_assert(WSFRAME_HEADER_MAX + 28 <= LOG_FRAME_MAX, "a frame may outgrow its state entry");

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

static void chunk_uncount(struct chunk *c)
{
	if (c->memory)
		atomic_fetch_sub_explicit(&c->memory->used, sizeof(*c) + c->cap,
					  memory_order_relaxed);
	if (c->memory && c->pins)
		atomic_fetch_sub_explicit(&c->memory->pinned, sizeof(*c) + c->cap,
					  memory_order_relaxed);
	c->memory = NULL;
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

		chunk_uncount(c);
		free(c);
		c = next;
	}
}

/* Has the kernel map what a large chunk has in one go: a fault for each page takes a twentieth of
 * the time of a worker whose sessions grow. Where it will not (before Linux 5.14, or with larger
 * pages), they come. */
static void populate(void *p, size_t len)
{
	uintptr_t from = ((uintptr_t)p + PAGE - 1) / PAGE * PAGE,
		  to = ((uintptr_t)p + len) / PAGE * PAGE;

	if (len >= CHUNK_MAX)
		madvise((void *)from, to - from, MADV_POPULATE_WRITE);
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
	populate(c, sizeof(*c) + cap);
	*c = (struct chunk){
	    .refs = 1, .cap = (uint32_t)cap, .first = log->head + 1, .memory = log->memory};
	c->serial = atomic_fetch_add_explicit(&log->memory->chunks, 1, memory_order_relaxed) + 1;
	c->pins = log->pins;
	if (c->pins)
		atomic_fetch_add_explicit(&log->memory->pinned, sizeof(*c) + cap,
					  memory_order_relaxed);
	atomic_fetch_add_explicit(&log->memory->used, sizeof(*c) + cap, memory_order_relaxed);
	return c;
}

static void log_link(struct log *log, struct chunk *c, uint64_t now_ms)
{
	if (log->last) {
		log->last->sealed_ms = now_ms;
		c->before = log->last;
		atomic_store_explicit(&log->last->next, c, memory_order_release);
	} else {
		log->oldest = c;
	}
	log->last = c;
	log->bytes += sizeof(*c) + c->cap;
}

void log_drop_oldest(struct log *log)
{
	struct chunk *c = log->oldest;
	struct chunk *next = atomic_load_explicit(&c->next, memory_order_relaxed);

	log->bytes -= sizeof(*c) + c->cap;
	log->oldest = chunk_ref(next);
	log->tail = next->first;
	next->before = NULL;
	/* At once, not when the last reader lets go of it: while one holds the oldest chunk for a
	 * moment, the whole log would seem to free nothing, and more than enough would go. */
	chunk_uncount(c);
	chunk_unref(c);
}

bool log_may_drop(const struct log *log, const struct log_limits *limits, uint64_t low,
		  uint64_t now_ms)
{
	const struct chunk *c = log->oldest;
	bool over = log_memory_over(log->memory), small = log->bytes <= limits->bytes, wanted;
	uint64_t next;

	if (c == log->last)
		return false;
	next = c->first + atomic_load_explicit(&c->n, memory_order_relaxed);
	/* Signed: the clock of the worker that wrote it may be ahead of ours. */
	wanted = next > low && (int64_t)(now_ms - c->sealed_ms) < limits->grace_ms;
	/* Members in step with the hub are not to pay for memory used elsewhere. */
	if (wanted)
		return over && !small;
	return over || (!small && log->head + 1 - next >= limits->records);
}

uint64_t log_second(const struct log *log)
{
	const struct chunk *c = log->oldest;

	return c ? c->first + atomic_load_explicit(&c->n, memory_order_relaxed) : log->head + 1;
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

/* Room for a frame of up to need bytes in the last chunk, or in a new one. NULL: no memory. */
static unsigned char *log_room(struct log *log, size_t need, uint64_t now_ms)
{
	struct chunk *c = log->last;
	uint32_t n = c ? atomic_load_explicit(&c->n, memory_order_relaxed) : 0;

	if (!c || c->cap - c->len - n * sizeof(struct slot) < need + sizeof(struct slot)) {
		c = chunk_new(log, need + sizeof(struct slot));
		if (!c)
			return NULL;
		log_link(log, c, now_ms);
	}
	return c->data + c->len;
}

/* Makes what was written to log_room(), up to end, a record. */
static int64_t log_add(struct log *log, const struct slot *tags, const unsigned char *end)
{
	struct chunk *c = log->last;
	uint32_t n = atomic_load_explicit(&c->n, memory_order_relaxed);
	struct slot *slot = (struct slot *)(void *)(c->data + c->cap) - 1 - n;
	uint32_t len = (uint32_t)(end - c->data) - c->len;

	*slot = *tags;
	slot->offset = c->len;
	slot->len = len & 0x7fffffff;
	c->len += len;
	atomic_store_explicit(&c->n, n + 1, memory_order_release);
	return (int64_t)++log->head;
}

int64_t log_append(struct log *log, const struct slot *tags, const char *body, size_t len,
		   uint64_t now_ms)
{
	char field[SEQ_FIELD_MAX];
	size_t field_len = put_seq(field, log->head + 1);
	unsigned char *p = log_room(log, WSFRAME_HEADER_MAX + len + field_len, now_ms);

	if (!p)
		return -ENOMEM;
	p += wsframe_text(p, len + field_len);
	memcpy(p, body, len);
	memcpy(p + len, field, field_len);
	return log_add(log, tags, p + len + field_len);
}

void log_resume(struct log *log, uint64_t head)
{
	log->head = head;
	log->tail = head + 1;
}

int64_t log_put(struct log *log, const struct slot *tags, const void *frame, size_t len)
{
	unsigned char *p = log_room(log, len, 0);

	if (!p)
		return -ENOMEM;
	memcpy(p, frame, len);
	return log_add(log, tags, p + len);
}

const struct chunk *chunk_find(const struct chunk *c, uint64_t seq)
{
	while (seq - c->first >= atomic_load_explicit(&c->n, memory_order_acquire))
		c = atomic_load_explicit(&c->next, memory_order_acquire);
	return c;
}

void log_view(const struct log *log, uint64_t from, struct log_view *view)
{
	struct chunk *c = log->last;

	view->tail = log->tail;
	view->head = log->head;
	view->chunk = NULL;
	view->hint = NULL;
	if (from < log->tail)
		from = log->tail;
	if (from > log->head)
		return;
	/* Nearly every reader is at the last chunk, and who waits for a tick not far from it; who
	 * has stalled is at the oldest. */
	if (from - log->tail < log->head - from)
		c = (struct chunk *)(uintptr_t)chunk_find(log->oldest, from);
	while (from < c->first)
		c = c->before;
	view->chunk = chunk_ref(c);
}
