/* What a hub that did not end in order has left in its redo log. All entries are done again, in the
 * order in which they were made, also those that the database has: of records it takes only what is
 * behind a session's head, and the rest is the same done twice. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "store/store_impl.h"

/* What is left to be read of a file, or of an entry. */
struct rest {
	const char *p, *end;
};

/* The next n bytes, or NULL where there are not so many. */
static const char *take(struct rest *from, size_t n)
{
	const char *p = from->p;

	if ((size_t)(from->end - p) < n)
		return NULL;
	from->p += n;
	return p;
}

/* The next entry of that run, and behind `after` (0: any): false where there is none. What was
 * never written to its end is none, as is what an earlier life of the file has left. */
static bool take_entry(struct rest *from, uint32_t run, uint64_t after, struct redo_header *head,
		       struct rest *parts)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES] = REDO_KEY;
	const char *start = take(from, sizeof(*head)), *text;
	uint64_t hash;

	if (!start)
		return false;
	memcpy(head, start, sizeof(*head));
	head->size = le32toh(head->size);
	head->number = le64toh(head->number);
	if (le32toh(head->run) != run || (after && head->number != after + 1))
		return false;
	text = take(from, head->size);
	if (!text)
		return false;
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)start + sizeof(hash),
			 sizeof(*head) - sizeof(hash) + head->size, key);
	*parts = (struct rest){text, text + head->size};
	return memcmp(&hash, start, sizeof(hash)) == 0;
}

/* --- parts */

static bool take_part(struct rest *from, struct redo_part *part, struct span *name)
{
	const char *p = take(from, sizeof(*part));

	if (!p)
		return false;
	memcpy(part, p, sizeof(*part));
	part->epoch = le64toh(part->epoch);
	part->from = le64toh(part->from);
	part->n = le64toh(part->n);
	part->time = (int64_t)le64toh((uint64_t)part->time);
	name->len = le32toh(part->name_len);
	name->p = take(from, name->len);
	return name->p != NULL;
}

static bool take_record(struct rest *from, struct slot *tags, struct span *body)
{
	const char *p = take(from, sizeof(struct redo_record));
	struct redo_record r;

	if (!p)
		return false;
	memcpy(&r, p, sizeof(r));
	*tags = (struct slot){
	    .sender = le64toh(r.sender),
	    .msg = le64toh(r.msg),
	    .key_at = le32toh(r.key_at),
	    .key_len = le16toh(r.key_len),
	    .type_at = le32toh(r.type_at) & 0x3fffffffu,
	    .type_len = le16toh(r.type_len) & 0xfffu,
	    .class = r.class & 3u,
	    .acked = r.acked & 1u,
	    .owned = r.owned & 1u,
	    .timed = r.timed & 1u,
	};
	body->len = le32toh(r.len);
	body->p = take(from, body->len);
	return body->p && (size_t)tags->key_at + tags->key_len <= body->len &&
	       (size_t)tags->type_at + tags->type_len <= body->len;
}

/* Puts records as frames into a log. Returns 0, -EINVAL, or -ENOMEM. */
static int read_records(struct rest *from, uint64_t n, struct log *out)
{
	struct buf frame = {0};
	int r = 0;

	while (n-- && r == 0) {
		struct slot tags;
		struct span body;

		if (!take_record(from, &tags, &body))
			r = -EINVAL;
		else if (store_frame(&frame, body) < 0 ||
			 log_put(out, &tags, frame.data, frame.len) < 0)
			r = -ENOMEM;
	}
	buf_free(&frame);
	return r;
}

/* What the database has of the session: its epoch, and its head; 0 and 0: nothing. */
static int find(struct store *st, struct span name, uint64_t *epoch, uint64_t *head)
{
	sqlite3_stmt *q = st->stmt[FIND_SESSION];
	int r;

	*epoch = *head = 0;
	store_bind_text(q, 1, name.p, name.len);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW) {
		*epoch = (uint64_t)sqlite3_column_int64(q, 1);
		*head = (uint64_t)sqlite3_column_int64(q, 2);
	}
	sqlite3_reset(q);
	return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : -EIO;
}

/* Those that the database does not have. Of another session of that name, which was deleted, it
 * wants none; nor of one of which it lacks what is before, which only a power cut can do to a log
 * that is not synced. */
static int redo_records(struct store *st, const struct redo_part *part, struct span name,
			struct log *records, size_t *n)
{
	uint64_t acks = 0, epoch, head;
	struct batch b = {.name = name, .epoch = part->epoch, .acks = &acks, .time = part->time};
	int r = find(st, name, &epoch, &head);

	if (r < 0)
		return r;
	b.from = head + 1 > part->from ? head + 1 : part->from;
	b.to = part->from + part->n - 1;
	if ((r > 0 && epoch != part->epoch) || part->from > head + 1 || b.from > b.to)
		return 0;
	*n += b.to - b.from + 1;
	b.chunk = records->oldest;
	return store_put_batch(st, &b);
}

static int redo_part(struct store *st, struct rest *from, size_t *n)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct span name, value;
	struct redo_part part;
	struct log records;
	bool found;
	int r;

	if (!take_part(from, &part, &name))
		return -EINVAL;
	switch (part.kind) {
	case PART_DELETE:
		return store_hide(st, name, &found);
	case PART_KEEP:
		value = (struct span){take(from, part.from), part.from};
		return value.p ? store_keep(st, name, value, (int64_t)part.epoch) : -EINVAL;
	case PART_RECORDS:
		if (!part.n || !part.from)
			return -EINVAL;
		log_init(&records, &memory);
		log_resume(&records, part.from - 1);
		r = read_records(from, part.n, &records);
		if (r == 0)
			r = redo_records(st, &part, name, &records, n);
		log_free(&records);
		return r;
	default:
		return -EINVAL;
	}
}

/* --- files */

struct redo_view {
	char *map;
	size_t size;
	uint64_t first; /* number of its first entry; 0: it has none */
};

/* Returns 0, where there is none, too, or -errno. */
static int open_view(const struct store *st, unsigned i, uint32_t run, struct redo_view *v)
{
	struct redo_header head;
	struct rest file, parts;
	char path[PATH_MAX];
	struct stat sb;
	int fd, r = 0;

	*v = (struct redo_view){0};
	store_redo_path(st, i, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &sb) < 0) {
		r = -errno;
	} else if (sb.st_size > 0) {
		v->map = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		v->size = (size_t)sb.st_size;
		if (v->map == MAP_FAILED) {
			r = -errno;
			v->map = NULL;
		}
	}
	close(fd);
	file = (struct rest){v->map, v->map + v->size};
	if (v->map && take_entry(&file, run, 0, &head, &parts))
		v->first = head.number;
	return r;
}

/* All entries of a file, the first of which is to be behind *last (0: any). */
static int redo_file(struct store *st, const struct redo_view *v, uint32_t run, uint64_t *last,
		     size_t *n)
{
	struct rest file = {v->map, v->map + v->size}, parts;
	struct redo_header head;
	int r = 0;

	while (r == 0 && take_entry(&file, run, *last, &head, &parts)) {
		while (r == 0 && parts.p < parts.end)
			r = redo_part(st, &parts, n);
		*last = head.number;
	}
	return r;
}

/* In one transaction. */
static int redo_all(struct store *st, const struct redo_view v[2], uint32_t run, size_t *n)
{
	unsigned old = v[1].first && (!v[0].first || v[1].first < v[0].first);
	uint64_t last = 0;
	int r = store_run(st->stmt[BEGIN]);

	for (unsigned i = 0; i < 2 && r == 0; i++)
		if (v[old ^ i].first)
			r = redo_file(st, &v[old ^ i], run, &last, n);
	if (r == 0)
		r = store_run(st->stmt[COMMIT]);
	if (r < 0 && !sqlite3_get_autocommit(st->db))
		store_run(st->stmt[ROLLBACK]);
	return r;
}

int store_recover(struct store *st, uint32_t run, const char **wrong)
{
	struct redo_view v[2] = {{0}};
	size_t n = 0;
	int r = 0;

	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = open_view(st, i, run, &v[i]);
	*wrong = r < 0 ? strerror(-r) : NULL;
	if (r == 0 && (v[0].first || v[1].first)) {
		r = redo_all(st, v, run, &n);
		*wrong = r == -EINVAL	? "its redo log is damaged"
			 : r == -ENOMEM ? "out of memory"
					: store_db_error(st->db);
	}
	for (unsigned i = 0; i < 2; i++)
		if (v[i].map)
			munmap(v[i].map, v[i].size);
	if (n)
		err_log(ERR_INFO, "store %s: %zu records were still in the redo log", st->set->file,
			n);
	return r;
}
