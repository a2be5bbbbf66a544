/* The folder. Invariant: a set never changes once rules_load() has returned it, but for its counts
 * of references and what each worker keeps in its own place. */
#include "rules/rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/actions.h"
#include "rules/program.h"

#define SLOTS 1024 /* a power of two, of four for each file at most */

struct rules_file {
	atomic_uint refs;
	char name[RULES_NAME_MAX + 1];
	size_t name_len;
	bool moment; /* connect or disconnect: of no message */
	char *path, *text;
	unsigned n;
	struct program *program[]; /* of each worker */
};

struct rules {
	unsigned n, workers;
	struct rules_file *file[RULES_FILES_MAX];
	uint16_t slot[SLOTS]; /* 1 + its index in file, at its name's hash or behind; 0: none */
	struct actions *actions[]; /* of each worker: those of its last run */
};

/* --- files */

/* Whether it is as good as new. */
static bool is_sound(const struct rules_file *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (program_given_up(f->program[i]))
			return false;
	return true;
}

static void file_unref(struct rules_file *f)
{
	if (!f || atomic_fetch_sub(&f->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < f->n; i++)
		program_free(f->program[i]);
	free(f->path);
	free(f->text);
	free(f);
}

/* The whole file, NUL-terminated, or NULL with why. */
static char *read_text(int dir, const char *name, char *why, size_t cap)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t n = -1;

	if (fd < 0) {
		snprintf(why, cap, "%s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (text = malloc(RULES_FILE_MAX + 2)))
		n = read(fd, text, RULES_FILE_MAX + 1);
	close(fd);
	snprintf(why, cap, n > RULES_FILE_MAX ? "it has more than 64k" : "it cannot be read");
	if (n >= 0 && memchr(text, '\0', (size_t)n)) {
		snprintf(why, cap, "it has a NUL in it");
		n = -1;
	}
	if (n < 0 || n > RULES_FILE_MAX) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

static struct rules_file *file_new(const char *dir, const char *name, size_t len, char *text,
				   unsigned workers, char *why, size_t cap)
{
	struct rules_file *f = calloc(1, sizeof(*f) + workers * sizeof(struct program *));
	char reason[RULES_WHY_MAX] = "out of memory";

	if (!f) {
		free(text);
		snprintf(why, cap, "%s", reason);
		return NULL;
	}
	atomic_init(&f->refs, 1);
	memcpy(f->name, name, len);
	f->name_len = len;
	f->moment = strcmp(f->name, RULES_CONNECT) == 0 || strcmp(f->name, RULES_DISCONNECT) == 0;
	f->text = text;
	if (asprintf(&f->path, "%s/%s.jq", dir, f->name) < 0)
		f->path = NULL;
	for (f->n = 0; f->path && f->n < workers; f->n++) {
		f->program[f->n] = program_new(text, reason, sizeof(reason));
		if (!f->program[f->n])
			break;
	}
	if (f->n == workers)
		return f;
	snprintf(why, cap, "%s/%s.jq:%s", dir, f->name, reason);
	file_unref(f);
	return NULL;
}

/* --- names */

static size_t hash(struct span name)
{
	uint32_t h = 2166136261U; /* FNV-1a: only the operator chooses what is in the table */

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * 16777619U;
	return h & (SLOTS - 1);
}

const struct rules_file *rules_find_moment(const struct rules *r, struct span event)
{
	if (event.len > RULES_NAME_MAX)
		return NULL;
	for (size_t at = hash(event); r->slot[at]; at = (at + 1) & (SLOTS - 1)) {
		const struct rules_file *f = r->file[r->slot[at] - 1];

		if (f->name_len == event.len && memcmp(f->name, event.p, event.len) == 0)
			return f;
	}
	return NULL;
}

const struct rules_file *rules_find(const struct rules *r, struct span type)
{
	const struct rules_file *f = rules_find_moment(r, type);

	return f && !f->moment ? f : NULL;
}

const char *rules_file_name(const struct rules_file *f)
{
	return f->path;
}

static void add(struct rules *r, struct rules_file *f)
{
	size_t at = hash((struct span){f->name, f->name_len});

	while (r->slot[at])
		at = (at + 1) & (SLOTS - 1);
	r->file[r->n++] = f;
	r->slot[at] = (uint16_t)r->n;
}

/* What is wrong with a name, or NULL. */
static const char *check_name(const char *name, size_t len)
{
	if (len > RULES_NAME_MAX || !envelope_session_id_ok(name, len))
		return "the name of a file must be 1 to 64 characters A-Z a-z 0-9 _ . : ~ @ - "
		       "and .jq";
	if (envelope_control_type((struct span){name, len}))
		return "messages of this type are the hub's own";
	return NULL;
}

/* --- loading */

struct loading {
	const char *dir;
	int fd;
	struct rules *r;
	const struct rules *before;
	void (*say)(const char *text);
	char *why;
	size_t cap;
};

/* One that cannot be had: what was there before stays. Returns 0 or -EINVAL. */
static int without(struct loading *l, const struct rules_file *old)
{
	if (!l->before)
		return -EINVAL;
	l->say(l->why);
	if (old) {
		struct rules_file *f = (struct rules_file *)(uintptr_t)old;

		atomic_fetch_add(&f->refs, 1);
		add(l->r, f);
	}
	return 0;
}

static int load(struct loading *l, const char *entry, size_t len)
{
	struct span name = {entry, len};
	const struct rules_file *old = l->before ? rules_find_moment(l->before, name) : NULL;
	const char *bad = check_name(entry, len);
	struct rules_file *f;
	char why[RULES_WHY_MAX], *text;

	if (bad || l->r->n == RULES_FILES_MAX) {
		snprintf(l->why, l->cap, "%s/%s: %s", l->dir, entry,
			 bad ? bad : "a folder may have 256 files");
		return without(l, NULL);
	}
	text = read_text(l->fd, entry, why, sizeof(why));
	if (!text) {
		snprintf(l->why, l->cap, "%s/%s: %s", l->dir, entry, why);
		return without(l, old);
	}
	if (old && old->n == l->r->workers && strcmp(old->text, text) == 0 && is_sound(old)) {
		f = (struct rules_file *)(uintptr_t)old;
		atomic_fetch_add(&f->refs, 1);
		free(text);
	} else {
		f = file_new(l->dir, entry, len, text, l->r->workers, l->why, l->cap);
	}
	if (!f)
		return without(l, old);
	add(l->r, f);
	return 0;
}

static int is_program(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 3, ".jq") == 0;
}

static struct rules *rules_new(unsigned workers)
{
	struct rules *r = calloc(1, sizeof(*r) + workers * sizeof(struct actions *));

	if (!r)
		return NULL;
	r->workers = workers;
	for (unsigned i = 0; i < workers; i++) {
		r->actions[i] = calloc(1, sizeof(struct actions));
		if (!r->actions[i]) {
			rules_free(r);
			return NULL;
		}
	}
	return r;
}

struct rules *rules_load(const char *dir, unsigned workers, const struct rules *before,
			 void (*say)(const char *text), char *why, size_t cap)
{
	struct loading l = {.dir = dir, .before = before, .say = say, .why = why, .cap = cap};
	struct dirent **entries = NULL;
	int n, error = 0;

	l.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = l.fd < 0 ? -1 : scandirat(l.fd, ".", &entries, is_program, alphasort);
	if (n < 0) {
		snprintf(why, cap, "rules %s: %s", dir, strerror(errno));
		if (l.fd >= 0)
			close(l.fd);
		return NULL;
	}
	l.r = rules_new(workers);
	if (!l.r) {
		snprintf(why, cap, "out of memory");
		error = -ENOMEM;
	}
	for (int i = 0; i < n; i++) {
		if (!error)
			error = load(&l, entries[i]->d_name, strlen(entries[i]->d_name) - 3);
		free(entries[i]);
	}
	free(entries);
	close(l.fd);
	if (!error)
		return l.r;
	rules_free(l.r);
	return NULL;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->n; i++)
		file_unref(r->file[i]);
	for (unsigned i = 0; i < r->workers && r->actions[i]; i++) {
		buf_free(&r->actions[i]->text);
		free(r->actions[i]);
	}
	free(r);
}

void rules_changes(const struct rules *before, const struct rules *after,
		   void (*each)(const char *path, const char *what, void *arg), void *arg)
{
	for (unsigned i = 0; after && i < after->n; i++) {
		const struct rules_file *f = after->file[i], *old;

		old =
		    before ? rules_find_moment(before, (struct span){f->name, f->name_len}) : NULL;
		if (old != f)
			each(f->path, old ? "has changed" : "is new", arg);
	}
	for (unsigned i = 0; before && i < before->n; i++) {
		const struct rules_file *f = before->file[i];

		if (!after || !rules_find_moment(after, (struct span){f->name, f->name_len}))
			each(f->path, "is gone", arg);
	}
}

/* --- running */

struct program *rules_program(const struct rules_file *f, unsigned worker)
{
	return f->program[worker];
}

struct running {
	struct actions *actions;
	struct span event;
	char *why;
	size_t cap;
};

static int take(jv output, void *arg)
{
	struct running *r = arg;

	return actions_add(r->actions, output, r->event, r->why, r->cap);
}

struct actions *rules_run(const struct rules *r, const struct rules_file *f, unsigned worker,
			  const struct rules_event *e, char *why, size_t cap)
{
	struct running run = {r->actions[worker], e->event, why, cap};

	actions_clear(run.actions);
	if (program_run(f->program[worker], program_event, e, e->args.len + e->sessions.len, take,
			&run, why, cap) < 0)
		return NULL;
	return run.actions;
}
