/* Keys of recordings, and their files (hub-recording(5)): libsodium stays in seal.c. A key file is
 * one line of text. Secret ones must have a mode that lets nobody but their owner in, else they are
 * refused. Keys are wiped when they are freed. */
#ifndef HUB_SEAL_H
#define HUB_SEAL_H

#include <stdbool.h>
#include <stddef.h>

struct seal_keys;

/* No keys yet. NULL: no memory. */
struct seal_keys *seal_keys_new(void);
void seal_keys_free(struct seal_keys *k); /* NULL is fine */

enum seal_key {
	SEAL_SECRET, /* XChaCha20-Poly1305 secretstream: encrypts and decrypts */
	SEAL_SIGN,   /* Ed25519, secret: signs and verifies */
	SEAL_VERIFY, /* Ed25519, public: verifies */
};

/* Reads a key of that kind from a file. Returns 0, or an exit status (EX_NOINPUT, EX_DATAERR,
 * EX_NOPERM for a mode that lets others in) with the reason in why. */
int seal_key_read(struct seal_keys *k, enum seal_key kind, const char *path, char *why, size_t cap);

/* Makes a new key (SEAL_SECRET or SEAL_SIGN) in a new file of mode 0600, and for SEAL_SIGN the
 * public one beside it in PATH.pub. An existing file is never touched. Returns 0 or an exit status
 * (EX_CANTCREAT) with the reason in why. */
int seal_key_make(enum seal_key kind, const char *path, char *why, size_t cap);

bool seal_keys_have(const struct seal_keys *k, enum seal_key kind);

#endif
