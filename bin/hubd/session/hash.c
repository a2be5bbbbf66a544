/* Of names that come from outside. */
#include <sodium.h>

#include "session/session.h"

_Static_assert(SESSION_HASH_KEY_LEN == crypto_shorthash_KEYBYTES, "the key of hashes");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "what a hash is");

uint64_t session_hash(const struct session_env *env, struct span name)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)(name.p ? name.p : ""),
			 name.len, env->hash_key);
	return hash;
}
