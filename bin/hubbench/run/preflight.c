/* Descriptors and ports. A run that would fail in its middle for want of either does not begin. */
#include "run/preflight.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sysexits.h>

#define DESCRIPTORS_OWN 32 /* for files, and what libraries open */

static int check_descriptors(uint64_t wanted, char *why, size_t cap)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 0;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max == RLIM_INFINITY || files.rlim_max >= wanted)
		return 0;
	snprintf(why, cap,
		 "so many clients need %llu descriptors, and the limit is %llu: "
		 "'ulimit -n %llu' first, as root or with the limit raised in limits.conf(5)",
		 (unsigned long long)wanted, (unsigned long long)files.rlim_max,
		 (unsigned long long)wanted);
	return EX_OSERR;
}

/* Ports that connections of one source address may have. */
static uint32_t source_ports(unsigned *low, unsigned *high)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	int n = f ? fscanf(f, "%u %u", low, high) : 0;

	if (f)
		fclose(f);
	if (n != 2 || *high < *low)
		*low = 32768, *high = 60999;
	return *high - *low + 1;
}

static int check_ports(const struct run *r, struct target *t, char *why, size_t cap)
{
	unsigned low, high;
	uint32_t ports = source_ports(&low, &high);

	/* A tenth is left for those that still close. */
	if (t->url.scheme == URL_UNIX || r->clients <= ports - ports / 10)
		return 0;
	if (t->loopback) {
		t->per_source = ports - ports / 10;
		return 0;
	}
	snprintf(why, cap,
		 "%u clients are more than the ports %u to %u of one address allow: "
		 "'sysctl net.ipv4.ip_local_port_range=\"1024 65535\"' first, or use more machines",
		 r->clients, low, high);
	return EX_OSERR;
}

int preflight(struct run *r, char *why, size_t cap)
{
	int status =
	    check_descriptors((uint64_t)r->clients + r->threads + DESCRIPTORS_OWN, why, cap);

	for (uint32_t i = 0; i < r->plan->nodes && status == 0; i++)
		status = check_ports(r, &r->target[i], why, cap);
	return status;
}
