/* sched_getaffinity(2) says where a process may run; an address of ours is a server of this
 * machine. */
#include "run/cores.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "load/load.h"
#include "run/proc.h"

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (!a || a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
	return a->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

static bool is_here(const struct target *t)
{
	const struct sockaddr *address = (const void *)&t->address;
	struct ifaddrs *all;
	bool here = t->url.scheme == URL_UNIX || t->loopback;

	if (here || getifaddrs(&all) < 0)
		return here;
	for (const struct ifaddrs *i = all; i && !here; i = i->ifa_next)
		here = same_address(i->ifa_addr, address);
	freeifaddrs(all);
	return here;
}

uint64_t cores_shared(const struct run *r)
{
	const struct proc *p = r->plan->proc;
	cpu_set_t own, servers, one;
	bool here = false;

	for (uint32_t i = 0; !p && i < r->plan->nodes && !here; i++)
		here = is_here(&r->target[i]);
	if ((!p && !here) || sched_getaffinity(0, sizeof(own), &own) < 0)
		return 0;
	if (!p)
		return (uint64_t)CPU_COUNT(&own);
	CPU_ZERO(&servers);
	for (unsigned i = 0; i < p->n; i++)
		if (sched_getaffinity(p->pid[i], sizeof(one), &one) == 0)
			CPU_OR(&servers, &servers, &one);
	CPU_AND(&servers, &servers, &own);
	return (uint64_t)CPU_COUNT(&servers);
}
