/* The URL of a database. Invariant: one that was read has no password in it. */
#include "table/table.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char session_is[] = "session=";
#define SESSION_IS (sizeof(session_is) - 1)

bool table_url_is(const char *path)
{
	return strncmp(path, "postgresql://", 13) == 0 || strncmp(path, "postgres://", 11) == 0;
}

static int refuse(struct table_url *u, char *why, size_t cap, int status, const char *what)
{
	snprintf(why, cap, "%s", what);
	table_url_free(u);
	return status;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

/* The name of a session, which may be percent-encoded. Returns false for what is none. */
static bool get_session(struct table_url *u, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < ENVELOPE_SESSION_MAX + 1; n++) {
		u->session[n] = text[i++];
		if (u->session[n] != '%')
			continue;
		if (len - i < 2 || hex(text[i]) < 0 || hex(text[i + 1]) < 0)
			return false;
		u->session[n] = (char)(16 * hex(text[i]) + hex(text[i + 1]));
		i += 2;
	}
	if (!envelope_session_id_ok(u->session, n))
		return false;
	u->session[n] = '\0';
	return true;
}

/* Takes the session out of the query, which libpq would not know. Returns false where it is none.
 */
static bool cut_session(struct table_url *u)
{
	char *query = strchr(u->conninfo, '?'), *to, *from;
	bool good = true;

	if (!query)
		return true;
	to = query;
	for (from = query + 1; *from;) {
		size_t len = strcspn(from, "&");
		char *next = from + len + (from[len] == '&');

		if (strncmp(from, session_is, SESSION_IS) == 0) {
			good = good && get_session(u, from + SESSION_IS, len - SESSION_IS);
		} else {
			*to = to == query ? '?' : '&';
			memmove(to + 1, from, len);
			to += 1 + len;
		}
		from = next;
	}
	*to = '\0';
	return good;
}

/* Or another secret: libpq marks those that are not to be shown. */
static bool has_password(const PQconninfoOption *options)
{
	for (const PQconninfoOption *o = options; o->keyword; o++)
		if (o->val && o->dispchar && *o->dispchar == '*')
			return true;
	return false;
}

int table_url_read(struct table_url *u, const char *url, char *why, size_t cap)
{
	PQconninfoOption *options;
	bool password;

	*u = (struct table_url){.conninfo = strdup(url)};
	if (!u->conninfo)
		return refuse(u, why, cap, EX_OSERR, "out of memory");
	if (!cut_session(u))
		return refuse(u, why, cap, EX_USAGE,
			      "session= in a URL of PostgreSQL: not a session name");
	/* What libpq has to say of a URL quotes it. */
	options = PQconninfoParse(u->conninfo, NULL);
	if (!options)
		return refuse(u, why, cap, EX_USAGE, "not a URL of PostgreSQL, as libpq has it");
	password = has_password(options);
	PQconninfoFree(options);
	if (password)
		return refuse(u, why, cap, EX_USAGE,
			      "a password on the command line can be seen by all: PGPASSFILE or "
			      "PGSERVICEFILE names a file with it");
	return 0;
}

void table_url_free(struct table_url *u)
{
	free(u->conninfo);
	u->conninfo = NULL;
}
