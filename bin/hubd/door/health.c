#include "door/health.h"

#include "door/doors.h"
#include "log/log.h"

int health_text(struct worker *w, struct buf *out)
{
	/* Each summed over the values of its label, or one of those. */
	static const struct {
		const char *name;
		size_t offset;
		unsigned n;
	} counters[] = {
#define COUNTED(field)                             \
	{#field, offsetof(struct counters, field), \
	 sizeof(((struct counters *)0)->field) / sizeof(atomic_uint_fast64_t)}
	    COUNTED(records),
	    COUNTED(record_bytes),
	    COUNTED(direct),
	    COUNTED(sent_bytes),
	    COUNTED(errors),
	    COUNTED(accepted),
	    {"refused", offsetof(struct counters, refused[REFUSED_LIMIT]), 1},
	    {"refused_addresses", offsetof(struct counters, refused[REFUSED_ADDRESS]), 2},
	    {"refused_users", offsetof(struct counters, refused[REFUSED_USER]), 1},
	    {"refused_pages", offsetof(struct counters, refused[REFUSED_HOST]), 2},
	    COUNTED(slow_disconnects),
	    COUNTED(slow_resyncs),
	    COUNTED(dead),
	    COUNTED(slowed),
	    COUNTED(refused_share),
	    COUNTED(closed_errors),
	    COUNTED(closed_memory),
	    COUNTED(slowed_joins),
	    COUNTED(slowed_users),
	    COUNTED(slowed_addresses),
	    COUNTED(tokens_refused),
#undef COUNTED
	};
	struct registry *registry = w->doors->set->registry;
	struct workers *all = w->all;
	size_t i;
	int r =
	    buf_printf(out,
		       "{\"status\":\"%s\",\"version\":\"" HUB_VERSION
		       "\",\"connections\":%u,\"sessions\":%zu,\"history_bytes\":%zu",
		       atomic_load(&all->draining) ? "draining" : "ok", workers_connections(all),
		       registry_count(registry),
		       atomic_load_explicit(&registry->env->memory->used, memory_order_relaxed));

	for (i = 0; r == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
		r = buf_printf(out, ",\"%s\":%ju", counters[i].name,
			       (uintmax_t)workers_sum(all, counters[i].offset, counters[i].n));
	return r == 0 ? buf_puts(out, "}\n") : r;
}
