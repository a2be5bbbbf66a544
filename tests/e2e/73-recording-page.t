# Not under sanitizers.
# hub-recording(5) says what recordings are: its examples are recordings, its commands run as they are
# printed, and what it says of signatures another program can follow.
use strict;
use warnings;
use Hub;
use Hub::Pages;
use MIME::Base64;

my $page = root() . '/man/hub-recording.5';
my $dir = scratch();
my ($description, $examples) = slurp($page) =~ /^\.Sh DESCRIPTION\n(.*)^\.Sh EXAMPLES\n(.*?)^\.Sh /ms;

# The JSON lines of a text's literal blocks, put together again.
sub json_lines {
	my ($text) = @_;
	return map { grep { /^\{/ } split /^/, unescape($_) =~ s/\n {3}//gr } $text =~ /^\.Bd -literal[^\n]*\n(\{.*?)^\.Ed/msg;
}

subtest 'examples of lines' => sub {
	my @lines = grep { !/^\{"type":"signature"/ } json_lines($description);
	is(scalar @lines, 7, 'a header, two records, four marks');
	my $order = join '', @lines[ 0, 2, 3, 6, 1, 4, 5 ];
	my $file = spew("$dir/lines.ndjson", $order);
	my $r = run([ 'hubreplay', 'verify', $file ]);
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'make a recording');
	my $info = unjson(run([ 'hubreplay', 'info', $file ])->{out});
	is_deeply([ @$info{qw(records state gaps missing)} ], [ 1, 1, 2, 18 ], 'with these kinds');
	is($info->{sessions}[0]{epoch}, '2KfT9sLmXw1', 'of two logs');
};

subtest 'signatures' => sub {
	my ($openssl) = grep { -x } map { "$_/openssl" } split /:/, $ENV{PATH};
	run([ 'hubreplay', 'keygen', '--sign', "$dir/sign" ]);
	run([ 'hubreplay', 'cut', '--sign', "$dir/sign", '-o', "$dir/signed.ndjson", "$dir/lines.ndjson" ]);
	my @lines = split /\n/, slurp("$dir/signed.ndjson");
	my ($key) = slurp("$dir/sign.pub") =~ /^hub-sign-public (\S+)\n\z/;
	is(unjson($lines[0])->{signer}, $key, 'the signer');
	my @signatures = grep { /^\{"type":"signature"/ } @lines;
	is(scalar @signatures, 2, 'one a chunk, and the last one');
	my ($example) = map { s/\n//r } grep { /"type":"signature"/ } json_lines($description);
	like($example, qr/^\{"type":"signature","hash":"[\w-]{43}","sig":"/, 'the example');
	like($signatures[0], qr/^\{"type":"signature","hash":"[\w-]{43}","sig":"[\w-]{86}"\}\z/, 'has the form of the first');
	like($signatures[1], qr/^\{"type":"signature","hash":"[\w-]{43}","sig":"[\w-]{86}","end":true\}\z/, 'the last one says so');
	# An Ed25519 key as SubjectPublicKeyInfo, RFC 8410.
	spew("$dir/key.der", pack('H*', '302a300506032b6570032100'), MIME::Base64::decode_base64url($key));
	for my $i (0, 1) {
		my $s = unjson($signatures[$i]);
		my $text = pack('a24', 'hub-recording 1 ' . ($i ? 'end' : 'more')) . MIME::Base64::decode_base64url($s->{hash});
		is(length $text, 56, 'what is signed');
		spew("$dir/text", $text);
		spew("$dir/sig", MIME::Base64::decode_base64url($s->{sig}));
		my $r = run([ $openssl, 'pkeyutl', '-verify', '-pubin', '-inkey', "$dir/key.der", '-keyform', 'DER', '-rawin',
			'-in', "$dir/text", '-sigfile', "$dir/sig" ]);
		is($r->{status}, 0, 'openssl finds it good') or diag($r->{out}, $r->{err});
	}
};

subtest 'what is sealed' => sub {
	run([ 'hubreplay', 'keygen', '--seal', "$dir/seal" ]);
	run([ 'hubreplay', 'cut', '--seal-to', "$dir/seal", '-o', "$dir/sealed", "$dir/lines.ndjson" ]);
	my $bytes = slurp("$dir/sealed");
	is(substr($bytes, 0, 8), 'hubseal1', 'its first bytes');
	my ($key, $stream, $header, @chunks) = unpack 'x8 a16 V a24 (V/a)*', $bytes;
	is($stream, 0xffffffff, 'a stream begins');
	my $text = run([ 'hubreplay', 'cut', "$dir/lines.ndjson" ])->{out};
	is_deeply([ map { length } @chunks ], [ length($text) + 17, 17 ], 'a chunk of the text, and an empty one');
};

mkdir "$dir/page" or die "$dir/page: $!\n";
my $match = spew("$dir/page/match.ndjson", json_lines($examples));
my $r = run([ 'hubreplay', 'verify', $match ]);
is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'match.ndjson is a recording');
run_page('hub-recording(5)', [ man_examples($page) ], hub => 1, cwd => "$dir/page");

done_testing;
