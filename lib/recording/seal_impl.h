/* What keys are: for seal*.c alone. */
#ifndef HUB_SEAL_IMPL_H
#define HUB_SEAL_IMPL_H

#include <sodium.h>

#include "recording/seal.h"

struct seal_keys {
	bool has_secret, has_sign, has_verify;
	unsigned char secret[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	unsigned char sign[crypto_sign_SECRETKEYBYTES];
	unsigned char verify[crypto_sign_PUBLICKEYBYTES];
};

#endif
