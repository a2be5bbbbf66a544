/* Processes of the server; proc(5) has the files. Each process counts once, and one that has gone
 * is not an error. */
#include "run/proc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 4 /* of children */
#define SEEN_MAX 1024

int proc_parse(struct proc *p, const char *text)
{
	memset(p, 0, sizeof(*p));
	do {
		char *end;
		long pid = strtol(text, &end, 10);

		if (end == text || pid < 1 || pid > INT32_MAX || p->n == PROC_MAX ||
		    (*end && *end != ','))
			return -EINVAL;
		p->pid[p->n++] = (int)pid;
		text = *end ? end + 1 : end;
	} while (*text);
	return 0;
}

/* The first line of a file below /proc/PID. */
static int read_line(int pid, const char *name, char *line, size_t cap)
{
	char path[64];
	FILE *f;
	char *got;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	got = fgets(line, (int)cap, f);
	fclose(f);
	return got ? 0 : -ENODATA;
}

/* Processes that were counted: one may be named, and be the child of another. */
struct seen {
	int pid[SEEN_MAX];
	unsigned n;
};

static bool seen_add(struct seen *seen, int pid)
{
	for (unsigned i = 0; i < seen->n; i++)
		if (seen->pid[i] == pid)
			return false;
	if (seen->n < SEEN_MAX)
		seen->pid[seen->n++] = pid;
	return true;
}

static void add_one(int pid, struct proc_sample *s, struct seen *seen, int depth)
{
	unsigned long user, kernel;
	long pages;
	char line[1024], name[48], *p;

	if (!seen_add(seen, pid))
		return;
	if (read_line(pid, "stat", line, sizeof(line)) < 0)
		return;
	/* The name in brackets may hold anything. */
	p = strrchr(line, ')');
	if (!p || sscanf(p + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d "
			 "%*d %*u %*u %ld",
			 &user, &kernel, &pages) != 3)
		return;
	s->n++;
	s->rss += (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	s->cpu_s += (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
	snprintf(name, sizeof(name), "task/%d/children", pid);
	if (depth == 0 || read_line(pid, name, line, sizeof(line)) < 0)
		return;
	for (p = line; *p >= '0' && *p <= '9';) {
		add_one((int)strtol(p, &p, 10), s, seen, depth - 1);
		p += *p == ' ';
	}
}

void proc_read(const struct proc *p, struct proc_sample *s)
{
	struct seen seen = {.n = 0};

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; p && i < p->n; i++)
		add_one(p->pid[i], s, &seen, DEPTH_MAX);
}
