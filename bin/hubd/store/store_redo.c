/* The redo log, and the thread that writes it: what has come since the last entry makes the next
 * one, and once that is on the disk, who waits for it is told. It costs one write of just the bytes
 * that have come, where the database would want pages, and later another thread has time to make
 * large commits to that. Invariant: what the database does not have for sure is in one of the two
 * files, and the other one is not written before it has. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "session/stored.h"
#include "store/store_impl.h"

#define FILE_BYTES ((size_t)16 << 20) /* after which it is the other file's turn, about */
#define ENTRY_BYTES ((size_t)8 << 20) /* of an entry, about; what there is more waits */
#define RETRY_MS 1000		      /* after a write that failed */

void store_redo_path(const struct store *st, unsigned i, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s-redo%u", st->set->file, i + 1);
}

void store_directory(const char *file, char dir[PATH_MAX])
{
	const char *slash = strrchr(file, '/');

	snprintf(dir, PATH_MAX, "%.*s", slash ? (int)(slash - file + 1) : 1, slash ? file : ".");
}

/* The names of new files are to outlive a power cut, too. */
static int sync_directory(const struct store *st)
{
	char dir[PATH_MAX];
	int fd, r;

	store_directory(st->set->file, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int store_redo_open(struct store *st, uint32_t run)
{
	char path[PATH_MAX];

	st->redo.run = run;
	for (unsigned i = 0; i < 2; i++) {
		store_redo_path(st, i, path);
		st->redo.fd[i] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0660);
		if (st->redo.fd[i] < 0)
			return -errno;
	}
	return st->set->sync == STORE_SYNC_FULL ? sync_directory(st) : 0;
}

void store_redo_close(struct store *st, bool needed)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < 2; i++) {
		if (st->redo.fd[i] < 0)
			continue;
		close(st->redo.fd[i]);
		st->redo.fd[i] = -1;
		store_redo_path(st, i, path);
		if (!needed)
			unlink(path);
	}
	buf_free(&st->redo.entry);
}

/* --- an entry */

static int put_part(struct buf *b, const struct redo_part *part, struct span name)
{
	struct redo_part p = {
	    .kind = part->kind,
	    .name_len = htole32((uint32_t)name.len),
	    .epoch = htole64(part->epoch),
	    .from = htole64(part->from),
	    .n = htole64(part->n),
	    .time = (int64_t)htole64((uint64_t)part->time),
	};

	return buf_put(b, &p, sizeof(p)) < 0 || buf_put(b, name.p, name.len) < 0 ? -ENOMEM : 0;
}

static int put_record(struct buf *b, const struct slot *slot, struct span body)
{
	struct redo_record r = {
	    .sender = htole64(slot->sender),
	    .msg = htole64(slot->msg),
	    .len = htole32((uint32_t)body.len),
	    .key_at = htole32(slot->key_at),
	    .type_at = htole32(slot->type_at),
	    .key_len = htole16(slot->key_len),
	    .type_len = htole16(slot->type_len),
	    .class = slot->class,
	    .acked = slot->acked,
	    .owned = slot->owned,
	    .timed = slot->timed,
	};

	return buf_put(b, &r, sizeof(r)) < 0 || buf_put(b, body.p, body.len) < 0 ? -ENOMEM : 0;
}

static int put_batch(struct buf *b, const struct batch *batch)
{
	const struct chunk *c = NULL;
	const struct redo_part part = {.kind = PART_RECORDS,
				       .epoch = batch->epoch,
				       .from = batch->from,
				       .n = batch->to - batch->from + 1,
				       .time = batch->time};
	int r = put_part(b, &part, batch->name);

	for (uint64_t seq = batch->from; r == 0 && seq <= batch->to; seq++) {
		const struct slot *slot;
		struct span body = batch_record(batch, seq, &c, &slot);

		r = put_record(b, slot, body);
	}
	return r;
}

static int put_order(struct buf *b, const struct archive_job *job)
{
	const struct session *s = job->session;
	struct redo_part part = {.kind = PART_DELETE};

	if (job->what == ARCHIVE_DELETE)
		return put_part(b, &part, (struct span){s->id, s->id_len});
	part =
	    (struct redo_part){.kind = PART_KEEP, .epoch = job->until_ms, .from = job->value.len};
	return put_part(b, &part, job->name) < 0 || buf_put(b, job->value.p, job->value.len) < 0
		   ? -ENOMEM
		   : 0;
}

/* Puts the entry together. Returns 0 or -ENOMEM. */
static int make_entry(struct redo *redo, const struct archive_job *jobs, struct batch *all)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES] = REDO_KEY;
	struct redo_header head = {.run = htole32(redo->run), .number = htole64(redo->number + 1)};
	struct buf *b = &redo->entry;
	int r;

	b->len = 0;
	r = buf_put(b, &head, sizeof(head));
	for (; jobs && r == 0; jobs = jobs->next)
		r = put_order(b, jobs);
	for (; all && r == 0; all = all->next) {
		size_t before = b->len;

		if (before > ENTRY_BYTES)
			batch_clear(all);
		if (all->chunk)
			r = put_batch(b, all);
		all->bytes = (int64_t)(b->len - before);
	}
	if (r < 0)
		return r;
	head.size = htole32((uint32_t)(b->len - sizeof(head)));
	memcpy(b->data, &head, sizeof(head));
	crypto_shorthash((unsigned char *)b->data, (unsigned char *)b->data + sizeof(head.hash),
			 b->len - sizeof(head.hash), key);
	return 0;
}

/* --- writing */

/* The other file's turn, where this one is full and the database has what that one holds. */
static void turn(struct store *st)
{
	struct redo *redo = &st->redo;
	struct store_queue *q = &st->to_store;
	struct stat sb;
	bool waits;

	pthread_mutex_lock(&q->lock);
	waits = q->turned;
	q->turned = true;
	pthread_mutex_unlock(&q->lock);
	if (waits)
		return; /* this one grows meanwhile */
	redo->at ^= 1;
	redo->size = 0;
	if (fstat(redo->fd[redo->at], &sb) == 0 && sb.st_size > (off_t)(2 * FILE_BYTES) &&
	    ftruncate(redo->fd[redo->at], (off_t)FILE_BYTES) < 0)
		err_log(ERR_WARN, "store %s: its redo log stays large: %s", st->set->file,
			strerror(errno));
}

/* Returns 0 or -errno. What was written of an entry that failed the next one writes over. */
static int write_entry(struct store *st)
{
	struct redo *redo = &st->redo;
	const struct buf *b = &redo->entry;
	size_t done = 0;
	int fd;

	if (redo->size >= FILE_BYTES)
		turn(st);
	fd = redo->fd[redo->at];
	while (done < b->len) {
		ssize_t n = pwrite(fd, b->data + done, b->len - done, (off_t)(redo->size + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (st->set->sync == STORE_SYNC_FULL && fdatasync(fd) < 0)
		return -errno;
	redo->size += b->len;
	redo->number++;
	return 0;
}

static const char *why_not(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
		return "the disk is full";
	case -EFBIG:
		return "its redo log is larger than the limit on file sizes allows";
	case -ENOMEM:
		return "out of memory";
	default:
		return "the disk fails";
	}
}

void store_set_failing(struct store *st, _Atomic(const char *) *failing, const char *why)
{
	count_add(&st->archive.failed, 1);
	if (!atomic_exchange(failing, why))
		err_log(ERR_ERROR, "store %s: %s; publishers are refused until it is mended",
			st->set->file, why);
}

void store_set_writing(struct store *st, _Atomic(const char *) *failing)
{
	if (atomic_exchange(failing, NULL) && !store_failing(&st->archive))
		err_log(ERR_INFO, "store %s: writing again", st->set->file);
}

static int log_work(struct store *st, const struct archive_job *orders, struct batch *all)
{
	uint64_t start_ns = clock_mono_ns();
	int r;

	if (!batches_view(all, TURN_LOG) && !orders)
		return 0;
	r = make_entry(&st->redo, orders, all);
	if (r == 0)
		r = write_entry(st);
	if (r < 0) {
		store_set_failing(st, &st->redo_failing, why_not(r));
		return r;
	}
	histogram_add(&st->archive.commits, clock_mono_ns() - start_ns);
	store_set_writing(st, &st->redo_failing);
	return 0;
}

/* The orders go first, as they stand in the log. */
static void pass_on(struct store *st, struct archive_job *orders, struct batch *all)
{
	struct archive_job *job;

	while ((job = orders) != NULL) {
		orders = job->next;
		if (!store_queue_order(&st->to_store, job))
			store_refuse(job);
	}
	for (struct batch *b = all; b; b = b->next) {
		if (b->chunk) {
			session_durable(b->session, b->to);
			store_queue_put(&st->to_store, b->session, (size_t)b->bytes);
		}
		store_wake(&st->archive, b->session); /* there may be more */
	}
}

void *store_redo_thread(void *store)
{
	struct store *st = store;
	bool ends;

	store_slices();
	do {
		bool failing = atomic_load(&st->redo_failing);
		struct store_work w = store_queue_take(&st->to_log, RETRY_MS, failing);
		bool whole;
		struct batch *all = batches_new(&st->to_log, w.sessions, &whole);
		int r = log_work(st, w.orders, all);

		if (r == 0) {
			pass_on(st, w.orders, all);
		} else {
			store_queue_again(&st->to_log, w.orders);
			for (struct batch *b = all; b; b = b->next)
				store_wake(&st->archive, b->session);
		}
		batches_free(all);
		ends = r < 0 && w.stop;
	} while (!ends && !store_queue_done(&st->to_log));
	return NULL;
}

void store_wake(struct archive *a, struct session *s)
{
	store_queue_put(&((struct store *)a)->to_log, s, 0);
}

const char *store_failing(struct archive *a)
{
	struct store *st = (struct store *)a;
	const char *why = atomic_load_explicit(&st->redo_failing, memory_order_relaxed);

	return why ? why : atomic_load_explicit(&st->failing, memory_order_relaxed);
}
