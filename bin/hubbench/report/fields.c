/* The table of fields. A figure stands in it once; so what is written is what is read. */
#include "report/fields.h"

#include "report/result.h"

#define MEMBER(type, name, member, kind)                                                      \
	{                                                                                     \
		name, kind, offsetof(struct type, member), sizeof(((struct type *)0)->member) \
	}
#define RESULT(name, member, kind) MEMBER(result, name, member, kind)
#define SECOND(name, member, kind) MEMBER(result_second, name, member, kind)
#define TRIAL(name, member, kind) MEMBER(result_trial, name, member, kind)

static const struct field asked[] = {
    RESULT("url", url, FIELD_STRING),
    RESULT("scenario", scenario, FIELD_STRING),
    RESULT("dialect", dialect, FIELD_STRING),
    RESULT("label", label, FIELD_STRING),
    RESULT("clients", clients, FIELD_U64),
    RESULT("sessions", sessions, FIELD_U64),
    RESULT("publishers", publishers, FIELD_U64),
    RESULT("threads", threads, FIELD_U64),
    RESULT("bytes", bytes, FIELD_U64),
    RESULT("rate", rate, FIELD_DOUBLE),
    RESULT("closed", closed, FIELD_U64),
    RESULT("coalesce_s", coalesce, FIELD_DOUBLE),
    RESULT("poisson", poisson, FIELD_BOOL),
    RESULT("acks", acks, FIELD_BOOL),
    RESULT("no_echo", no_echo, FIELD_BOOL),
    RESULT("churn", churn, FIELD_DOUBLE),
    RESULT("slow", slow, FIELD_U64),
    RESULT("nodes", nodes, FIELD_U64),
    RESULT("kill_node", kill_node, FIELD_BOOL),
    RESULT("deflate", deflate, FIELD_BOOL),
    RESULT("tick_s", tick, FIELD_DOUBLE),
    RESULT("batch", batch, FIELD_BOOL),
    RESULT("conflate", conflate, FIELD_BOOL),
    RESULT("compact", compact, FIELD_BOOL),
    RESULT("delta", delta, FIELD_BOOL),
    RESULT("observers", observers, FIELD_U64),
    RESULT("world", world, FIELD_U64),
    RESULT("area", area, FIELD_U64),
    RESULT("play", play, FIELD_STRING),
    RESULT("speed", speed, FIELD_DOUBLE),
    RESULT("duration_s", duration, FIELD_DOUBLE),
    RESULT("warmup_s", warmup, FIELD_DOUBLE),
    RESULT("seed", seed, FIELD_U64),
    {0},
};

static const struct field happened[] = {
    RESULT("started", started, FIELD_DOUBLE),
    RESULT("seconds", seconds, FIELD_DOUBLE),
    RESULT("interrupted", interrupted, FIELD_BOOL),
    RESULT("clients_joined", clients_joined, FIELD_U64),
    RESULT("clients_failed", clients_failed, FIELD_U64),
    RESULT("reconnects", reconnects, FIELD_U64),
    RESULT("due", due, FIELD_U64),
    RESULT("sent", sent, FIELD_U64),
    RESULT("acked", acked, FIELD_U64),
    RESULT("errors", errors, FIELD_U64),
    RESULT("delivered", delivered, FIELD_U64),
    RESULT("bytes_in", bytes_in, FIELD_U64),
    RESULT("backlog_max", backlog_max, FIELD_U64),
    RESULT("backlog_end", backlog_end, FIELD_U64),
    RESULT("observed", observed, FIELD_U64),
    RESULT("observed_bytes", observed_bytes, FIELD_U64),
    RESULT("missing", missing, FIELD_U64),
    RESULT("ghosts", ghosts, FIELD_U64),
    RESULT("first_error", first_error, FIELD_CHARS),
    {0},
};

static const struct field audit[] = {
    RESULT("expected", audit.expected, FIELD_U64),
    RESULT("delivered", audit.delivered, FIELD_U64),
    RESULT("lost", audit.lost, FIELD_U64),
    RESULT("duplicated", audit.duplicated, FIELD_U64),
    RESULT("reordered", audit.reordered, FIELD_U64),
    RESULT("withheld", audit.withheld, FIELD_U64),
    RESULT("unknown", audit.unknown, FIELD_U64),
    RESULT("compared", audit.compared, FIELD_U64),
    RESULT("differing", audit.differing, FIELD_U64),
    {0},
};

static const struct field generator[] = {
    RESULT("cpu_max", cpu_max, FIELD_DOUBLE),
    RESULT("cpu_s", cpu_s, FIELD_DOUBLE),
    RESULT("cores_shared", cores_shared, FIELD_U64),
    {0},
};

static const struct field server[] = {
    RESULT("pids", pids, FIELD_UNSIGNED),
    RESULT("rss_before", rss_before, FIELD_U64),
    RESULT("rss_joined", rss_joined, FIELD_U64),
    RESULT("rss_max", rss_max, FIELD_U64),
    RESULT("rss_end", rss_end, FIELD_U64),
    RESULT("cpu_s", server_cpu_s, FIELD_DOUBLE),
    {0},
};

static const struct field judged[] = {
    RESULT("verdict", verdict, FIELD_VERDICT),
    RESULT("verdict_why", verdict_why, FIELD_CHARS),
    {0},
};

const struct field_section field_sections[] = {
    {"asked", asked},	{"happened", happened}, {"audit", audit}, {"generator", generator},
    {"server", server}, {NULL, judged},		{NULL, NULL},
};

const struct field field_second[] = {
    SECOND("at", at, FIELD_DOUBLE),
    SECOND("clients", clients, FIELD_U64),
    SECOND("due", due, FIELD_U64),
    SECOND("sent", sent, FIELD_U64),
    SECOND("acked", acked, FIELD_U64),
    SECOND("delivered", delivered, FIELD_U64),
    SECOND("bytes_in", bytes_in, FIELD_U64),
    SECOND("backlog", backlog, FIELD_U64),
    SECOND("p50", p50_ns, FIELD_U64),
    SECOND("p99", p99_ns, FIELD_U64),
    SECOND("max", max_ns, FIELD_U64),
    SECOND("cpu", cpu, FIELD_DOUBLE),
    SECOND("server_rss", server_rss, FIELD_U64),
    SECOND("server_cpu", server_cpu, FIELD_DOUBLE),
    {0},
};

const struct field field_trial[] = {
    TRIAL("rate", rate, FIELD_DOUBLE),	      TRIAL("achieved", achieved, FIELD_DOUBLE),
    TRIAL("p99", p99_ns, FIELD_U64),	      TRIAL("met", met, FIELD_BOOL),
    TRIAL("verdict", verdict, FIELD_VERDICT), {0},
};

const struct field field_check[] = {
    MEMBER(result_check, "expect", text, FIELD_STRING),
    MEMBER(result_check, "met", met, FIELD_BOOL),
    MEMBER(result_check, "why", why, FIELD_CHARS),
    {0},
};
