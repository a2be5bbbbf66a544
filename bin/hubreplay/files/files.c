/* What a command line names. Whoever cannot be helped is told why, and the program ends with the
 * status that fits. */
#include "files/files.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "table/table_reader.h"

/* Returns 0, or an exit status with the reason in why, and no keys. */
static int read_key(struct seal_keys **keys, enum seal_key kind, const char *path, char *why,
		    size_t cap)
{
	char reason[300];
	int status;

	if (!path)
		return 0;
	if (!*keys)
		*keys = seal_keys_new();
	if (!*keys)
		err_die(EX_OSERR, "out of memory");
	status = seal_key_read(*keys, kind, path, reason, sizeof(reason));
	if (status) {
		snprintf(why, cap, "%s: %s", path, reason);
		seal_keys_free(*keys);
		*keys = NULL;
	}
	return status;
}

struct seal_keys *files_keys_try(const char *seal, const char *verify, char *why, size_t cap,
				 int *status)
{
	struct seal_keys *keys = NULL;

	*status = read_key(&keys, SEAL_SECRET, seal, why, cap);
	if (!*status)
		*status = read_key(&keys, SEAL_VERIFY, verify, why, cap);
	return keys;
}

struct seal_keys *files_keys(const char *seal, const char *verify)
{
	char why[600];
	int status;
	struct seal_keys *keys = files_keys_try(seal, verify, why, sizeof(why), &status);

	if (status)
		err_die(status, "%s", why);
	return keys;
}

struct seal_keys *files_keys_to(const char *seal, const char *sign)
{
	struct seal_keys *keys = NULL;
	char why[600];
	int status = read_key(&keys, SEAL_SECRET, seal, why, sizeof(why));

	if (!status)
		status = read_key(&keys, SEAL_SIGN, sign, why, sizeof(why));
	if (status)
		err_die(status, "%s", why);
	return keys;
}

void files_url(struct table_url *u, const char *url)
{
	char why[300];
	int status = table_url_read(u, url, why, sizeof(why));

	if (status)
		err_die(status, "%s", why);
}

struct recording *files_try(const char *path, const struct seal_keys *keys, bool plain, char *why,
			    size_t cap, int *status)
{
	struct table_url url;

	if (table_url_is(path)) {
		files_url(&url, path);
		return table_reader_open(&url, keys, why, cap, status);
	}
	return plain ? recording_open_lines(path, why, cap, status)
		     : recording_open(path, keys, why, cap, status);
}

struct recording *files_open(const char *path, const struct seal_keys *keys, int *status)
{
	char why[500];
	struct recording *r = files_try(path, keys, false, why, sizeof(why), status);

	if (!r)
		err_log(ERR_ERROR, "%s: %s", path, why);
	return r;
}

struct recording *files_need(const char *path, const struct seal_keys *keys)
{
	int status;
	struct recording *r = files_open(path, keys, &status);

	if (!r)
		exit(status);
	return r;
}

int files_ended(const char *path, const struct recording *r, enum recording_status status)
{
	if (status == RECORDING_END)
		return EX_OK;
	err_log(ERR_ERROR, "%s: %s", path, recording_why(r));
	return status == RECORDING_UNFINISHED ? EX_NO
	       : status == RECORDING_BAD      ? EX_DATAERR
					      : EX_IOERR;
}
