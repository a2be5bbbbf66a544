/* Keys of recordings, their files, and what is done with them (hub-recording(5)): libsodium stays
 * in seal*.c. A key file is one line of text. Secret ones must have a mode that lets nobody but
 * their owner in, else they are refused. Keys are wiped when they are freed. */
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
 * EX_NOPERM for a mode that lets others in) with the reason, without the path, in why. */
int seal_key_read(struct seal_keys *k, enum seal_key kind, const char *path, char *why, size_t cap);

/* Makes a new key (SEAL_SECRET or SEAL_SIGN) in a new file of mode 0600, and for SEAL_SIGN the
 * public one beside it in PATH.pub. An existing file is never touched. Returns 0 or an exit status
 * (EX_CANTCREAT) with the reason, path first, in why. */
int seal_key_make(enum seal_key kind, const char *path, char *why, size_t cap);

/* k may be NULL. Who has a key to sign has that to verify, too. */
bool seal_keys_have(const struct seal_keys *k, enum seal_key kind);

/* --- sealed streams: chunks that can be read in their order only */

#define SEAL_HEADER 24 /* bytes that begin a stream */
#define SEAL_OVERHEAD                                                                 \
	17 /* bytes that a chunk is longer than its text; the last 16 authenticate it \
	    * and all before it in its stream */

struct seal_stream;

/* Begins a new stream, and writes its header; or the reading of one. NULL: no memory. */
struct seal_stream *seal_push_new(const struct seal_keys *k, unsigned char header[SEAL_HEADER]);
struct seal_stream *seal_pull_new(const struct seal_keys *k,
				  const unsigned char header[SEAL_HEADER]);
void seal_stream_free(struct seal_stream *s); /* NULL is fine */

/* Seals len bytes of text into box, of len + SEAL_OVERHEAD bytes; ad is authenticated with it. end:
 * nothing more follows. Each must be called once for each chunk. */
void seal_push(struct seal_stream *s, const void *text, size_t len, const void *ad, size_t adlen,
	       bool end, unsigned char *box);

/* Opens a box into text, of len - SEAL_OVERHEAD bytes. Returns 0, or -EBADMSG for what was not
 * sealed with that key, for that place, with that ad. */
int seal_pull(struct seal_stream *s, const unsigned char *box, size_t len, const void *ad,
	      size_t adlen, bool *end, void *text);

/* A name for the seal key, the same for the same key, of which nothing is learnt about it. */
#define SEAL_KEY_ID 16
void seal_key_id(const struct seal_keys *k, unsigned char id[SEAL_KEY_ID]);

/* --- signed chains: each link is a hash of the one before it and of some text */

#define SEAL_HASH 32
#define SEAL_SIGNATURE 64
#define SEAL_HASH_TEXT 43 /* characters of base64, without a NUL */
#define SEAL_SIGNATURE_TEXT 86

struct seal_chain;

/* At its beginning. NULL: no memory. */
struct seal_chain *seal_chain_new(void);
void seal_chain_free(struct seal_chain *c); /* NULL is fine */

void seal_chain_add(struct seal_chain *c, const void *text, size_t len);

/* Ends a link, with its hash, and begins the next one. */
void seal_chain_link(struct seal_chain *c, unsigned char hash[SEAL_HASH]);

/* Begins a link behind that one; what was added is forgotten. */
void seal_chain_set(struct seal_chain *c, const unsigned char hash[SEAL_HASH]);

/* Sign a link and check a signature; end: it is the last one. k has SEAL_SIGN, or SEAL_VERIFY. */
void seal_sign(const struct seal_keys *k, const unsigned char hash[SEAL_HASH], bool end,
	       unsigned char signature[SEAL_SIGNATURE]);
bool seal_verify(const struct seal_keys *k, const unsigned char hash[SEAL_HASH], bool end,
		 const unsigned char signature[SEAL_SIGNATURE]);

/* The key that verifies, as text with a NUL. */
void seal_signer(const struct seal_keys *k, char text[SEAL_HASH_TEXT + 1]);

/* Bytes as base64 (RFC 4648 section 5, not padded), with a NUL; and back: false where text is not
 * exactly what n bytes are written as. */
void seal_encode(const unsigned char *bytes, size_t n, char *text, size_t cap);
bool seal_decode(const char *text, size_t len, unsigned char *bytes, size_t n);

#endif
