/* Nothing here takes the longer the more connections there are. */
#include "door/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void one(struct prometheus *p, const char *name, const char *help, uint64_t n)
{
	prometheus_begin(p, name, PROMETHEUS_GAUGE, help);
	prometheus_sample(p, name, NULL, NULL, n);
}

static void cpu(struct prometheus *p)
{
	static const char name[] = "process_cpu_seconds_total";
	struct timespec t = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	prometheus_begin(p, name, PROMETHEUS_COUNTER, "CPU time of all threads.");
	prometheus_seconds(p, name, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
}

static void memory(struct prometheus *p)
{
	uint64_t pages[2] = {0}, page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%" SCNu64 " %" SCNu64, &pages[0], &pages[1]) != 2)
			pages[0] = pages[1] = 0;
		fclose(f);
	}
	one(p, "process_virtual_memory_bytes", "Address space.", pages[0] * page);
	one(p, "process_resident_memory_bytes", "Memory that is resident.", pages[1] * page);
}

static void descriptors(struct prometheus *p, uint64_t open_fds)
{
	struct rlimit limit = {0};
	struct stat st;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		open_fds = (uint64_t)st.st_size;
	getrlimit(RLIMIT_NOFILE, &limit);
	one(p, "process_open_fds", "Descriptors that are open.", open_fds);
	one(p, "process_max_fds", "Descriptors that may be open.", (uint64_t)limit.rlim_cur);
}

void process_metrics(struct prometheus *p, uint64_t open_fds, uint64_t started_ms)
{
	static const char started[] = "process_start_time_seconds";

	cpu(p);
	memory(p);
	descriptors(p, open_fds);
	prometheus_begin(p, started, PROMETHEUS_GAUGE, "When it started, since 1970.");
	prometheus_seconds(p, started, started_ms * 1000000);
}
