/* Processes of the server, watched through /proc: their memory and CPU time, and those of their
 * children. */
#ifndef HUBBENCH_PROC_H
#define HUBBENCH_PROC_H

#include <stdint.h>
#include <stdio.h>

#define PROC_MAX 64

struct proc {
	int pid[PROC_MAX];
	unsigned n;
};

struct proc_sample {
	uint64_t rss; /* bytes, of all together */
	double cpu_s; /* so far */
	unsigned n;   /* processes that are there */
};

/* Reads "PID,PID", at most PROC_MAX. Returns 0 or -EINVAL. */
int proc_parse(struct proc *p, const char *text);

/* Fills *s; p NULL, or processes that are gone: zeros. */
void proc_read(const struct proc *p, struct proc_sample *s);

#endif
