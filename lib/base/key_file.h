/* Files with keys in them: small, regular, and where they are secret, nobody's but their owner's.
 */
#ifndef HUB_KEY_FILE_H
#define HUB_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads at most cap bytes; a longer file gives cap. Returns 0, or an exit status (EX_NOINPUT,
 * EX_NOPERM, EX_DATAERR for what is no regular file) with the reason, without the path, in why.
 * *mode is the file's, for key_file_alone(). */
int key_file_read(const char *path, void *out, size_t cap, size_t *len, mode_t *mode, char *why,
		  size_t whycap);

/* Whether only the owner is let at a file of that mode. Returns 0, or EX_NOPERM with the reason. */
int key_file_alone(mode_t mode, char *why, size_t cap);

/* Writes a new file, of mode 0600 where it is secret, and syncs it; an existing one is never
 * touched. Returns 0, or EX_CANTCREAT with the reason, path first, in why. */
int key_file_write(const char *path, bool secret, const void *text, size_t len, char *why,
		   size_t cap);

#endif
