/* A token goes into a line of HTTP: what could end that line, or part it, is no token. */
#include "base/token_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sysexits.h>

#include "base/key_file.h"

int token_file_read(const char *path, char *out, char *why, size_t cap)
{
	char reason[200] = "not one line with a token";
	mode_t mode;
	size_t len;
	int status = key_file_read(path, out, TOKEN_FILE_ROOM, &len, &mode, reason, sizeof(reason));

	if (!status)
		status = key_file_alone(mode, reason, sizeof(reason));
	while (!status && len && strchr("\r\n", out[len - 1]))
		len--;
	if (!status && (!len || len >= TOKEN_FILE_ROOM))
		status = EX_DATAERR;
	for (size_t i = 0; !status && i < len; i++)
		if (out[i] <= ' ' || out[i] > '~')
			status = EX_DATAERR;
	if (status)
		snprintf(why, cap, "%s: %s", path, reason);
	else
		out[len] = '\0';
	return status;
}

int token_file_check(const char *path, char *why, size_t cap)
{
	char token[TOKEN_FILE_ROOM];

	return path ? token_file_read(path, token, why, cap) : 0;
}
