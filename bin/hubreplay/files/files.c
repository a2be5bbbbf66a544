/* What a command line names. Whoever cannot be helped is told why, and the program ends with the
 * status that fits. */
#include "files/files.h"

#include <stdlib.h>

#include "base/err.h"
#include "files/time_text.h"

static void read_key(struct seal_keys **keys, enum seal_key kind, const char *path)
{
	char why[300];
	int status;

	if (!path)
		return;
	if (!*keys)
		*keys = seal_keys_new();
	if (!*keys)
		err_die(EX_OSERR, "out of memory");
	status = seal_key_read(*keys, kind, path, why, sizeof(why));
	if (status)
		err_die(status, "%s: %s", path, why);
}

struct seal_keys *files_keys(const char *seal, const char *verify)
{
	struct seal_keys *keys = NULL;

	read_key(&keys, SEAL_SECRET, seal);
	read_key(&keys, SEAL_VERIFY, verify);
	return keys;
}

struct seal_keys *files_keys_to(const char *seal, const char *sign)
{
	struct seal_keys *keys = NULL;

	read_key(&keys, SEAL_SECRET, seal);
	read_key(&keys, SEAL_SIGN, sign);
	return keys;
}

struct recording *files_open(const char *path, const struct seal_keys *keys, int *status)
{
	char why[300];
	struct recording *r = recording_open(path, keys, why, sizeof(why), status);

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

uint64_t files_time(const char *option, const char *text)
{
	uint64_t us;

	if (time_text_read(text, &us) < 0)
		err_die(EX_USAGE, "%s: '%s' is not a time such as 90, 12.5, 500ms, 3m, 1:02:03.5",
			option, text);
	return us;
}
