# Tokens for tests, made here so that a test does not wait for a program: HS256, of a secret in a file.
package Hub::Token;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use Hub;
use MIME::Base64 qw(encode_base64url);

our @EXPORT = qw(key_file token);

my $secret = 'a secret of tests, of more than 32 bytes';

# A file with the secret, for --auth-key.
sub key_file {
	my $path = spew(scratch() . '/auth.key', "$secret\n");
	chmod 0600, $path;
	return $path;
}

# token(claims, secret => another one, header => {...}): good for an hour unless the claims say more.
sub token {
	my ($claims, %o) = @_;
	my $text = join '.', map { encode_base64url(json($_)) } { alg => 'HS256', %{ $o{header} || {} } },
	    { exp => time + 3600, %{ $claims || {} } };
	return "$text." . encode_base64url(hmac_sha256($text, $o{secret} // $secret));
}

1;
