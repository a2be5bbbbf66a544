# One thread.
# hubtoken: keys and their files, tokens made and checked, lines in and lines out. (Which tokens are good is
# a unit test.)
use strict;
use warnings;
use Hub;
use MIME::Base64 qw(encode_base64url decode_base64url);

my $dir = scratch();

# hubtoken(input, arguments...)
sub token {
	my ($in, @args) = @_;
	return run([ 'hubtoken', @args ], in => $in);
}

my @algs = qw(HS256 HS384 HS512 EdDSA ES256 RS256 PS256);

subtest 'keygen' => sub {
	for my $alg (@algs) {
		is(token('', 'keygen', '-a', $alg, '-o', "$dir/$alg")->{status}, 0, "$alg: made");
		is((stat "$dir/$alg")[2] & 0777, 0600, "$alg: mode 0600");
		my $key = unjson(slurp("$dir/$alg"));
		is($key->{alg}, $alg, "$alg: says what it is for");
		if ($alg =~ /^HS/) {
			ok(!-e "$dir/$alg.pub", "$alg: has no public one");
			next;
		}
		my $public = unjson(slurp("$dir/$alg.pub"))->{keys};
		is(scalar @$public, 1, "$alg: the public one is a set");
		is_deeply([ grep { /^(?:d|p|q|dp|dq|qi|k)$/ } keys %{ $public->[0] } ], [], "$alg: with nothing secret");
		is($public->[0]{kid}, $key->{kid}, "$alg: of the same name");
	}
	my $before = slurp("$dir/EdDSA");
	my $r = token('', 'keygen', '-o', "$dir/EdDSA");
	is($r->{status}, 73, 'a file that is there: exit 73');
	is(slurp("$dir/EdDSA"), $before, 'and it stays');
	spew("$dir/two.pub", 'mine');
	is(token('', 'keygen', '-o', "$dir/two")->{status}, 73, 'a public one that is there: exit 73');
	ok(!-e "$dir/two", 'and no half of a pair');
	$r = token('', 'keygen', '--kid', 'mine');
	is(unjson($r->{out})->{kid}, 'mine', 'to standard output, with a name of its own');
	is(token('', 'keygen', '--kid', '')->{status}, 64, 'an empty name: exit 64');
	is(token('', 'keygen', '-a', 'none')->{status}, 64, 'alg none: exit 64');
};

subtest 'sign and verify' => sub {
	for my $alg (@algs) {
		my $check = -e "$dir/$alg.pub" ? "$dir/$alg.pub" : "$dir/$alg";
		my $tokens = token(qq({"sub":"ann"}\n\n{ "n" : 1.50, "sub":"bob"}\n), 'sign', '-k', "$dir/$alg");
		is($tokens->{status}, 0, "$alg: signed");
		is(() = $tokens->{out} =~ /^[\w-]+\.[\w-]+\.[\w-]+$/mg, 2, "$alg: a token a line");
		my $r = token($tokens->{out}, 'verify', '-k', $check);
		is($r->{status}, 0, "$alg: verified");
		my @claims = split /\n/, $r->{out};
		my $one = unjson($claims[0]);
		is($one->{sub}, 'ann', "$alg: the claims");
		is($one->{exp} - $one->{iat}, 3600, "$alg: good for an hour");
		like($claims[1], qr/^\{ "n" : 1\.50, "sub":"bob","iat":\d+,"exp":\d+\}$/, "$alg: digits stay as they are");
		for my $other (grep { $_ ne $alg } @algs) {
			is(token($tokens->{out}, 'verify', '-k', "$dir/$other")->{status}, 1, "$alg: not by the key for $other");
		}
	}
	my $r = token('', 'sign', '-k', "$dir/EdDSA.pub", '--sub', 'ann');
	is($r->{status}, 65, 'a public key cannot sign: exit 65');
	is(token('', 'sign', '-k', "$dir/EdDSA", '-k', "$dir/HS256", '--sub', 'ann')->{status}, 65, 'two that could: exit 65');
	my $kid = unjson(slurp("$dir/HS256"))->{kid};
	$r = token('', 'sign', '-k', "$dir/EdDSA", '-k', "$dir/HS256", '--kid', $kid, '--sub', 'ann');
	is(unjson(decode_base64url($r->{out} =~ s/\..*//sr))->{alg}, 'HS256', '--kid chooses');
};

subtest 'what sign adds' => sub {
	my $claims = sub {
		my $r = token('', 'sign', '-k', "$dir/EdDSA", @_);
		is($r->{status}, 0, "@_");
		return unjson(decode_base64url((split /\./, $r->{out})[1]));
	};
	my $c = $claims->('--sub', 'Zo"e', '--audience', 'a', '--audience', 'b', '--issuer', 'me', '--ttl', '2m');
	is_deeply([ @$c{qw(sub aud iss)} ], [ 'Zo"e', [ 'a', 'b' ], 'me' ], 'names');
	is($c->{exp} - $c->{iat}, 120, 'a time');
	$c = $claims->('-c', '{"sub":"x","aud":"y","iss":"z","exp":99,"iat":7}', '--sub', 's', '--audience', 'a', '--issuer', 'i');
	is_deeply($c, { sub => 'x', aud => 'y', iss => 'z', exp => 99, iat => 7 }, 'nothing that is there');
	is_deeply([ keys %{ $claims->('-c', '{}', '--ttl', 0) } ], ['iat'], 'no end');
	my $r = token(join('', map { "$_\n" } '{"sub":1}', '{"sub":"ok"}', 'x', '{"a":1,"a":2}', '[]', '{"exp":5,"iat":9}',
		'{"x":"' . 'x' x 70_000 . '"}', '{"sub":"last"}'), 'sign', '-k', "$dir/EdDSA");
	is($r->{status}, 65, 'lines that cannot be signed: exit 65');
	is(() = $r->{out} =~ /\n/g, 2, 'the others are');
	is_deeply([ $r->{err} =~ /^hubtoken sign: line (\d+): (\w+)/mg ],
		[ 1, 'bad_claim', 3, 'bad_claims', 4, 'duplicate', 5, 'bad_claims', 6, 'bad_times', 7, 'longer' ], 'each is named');
	# What hubd would refuse makes no token, and each claim that is wrong is named.
	my %wrong = (
		'{"exp":"x"}' => 'exp', '{"aud":[1]}' => 'aud', '{"hub":1}' => 'hub', '{"hub":{"join":"a"}}' => 'hub.join',
		'{"hub":{"publish":[1]}}' => 'hub.publish', '{"hub":{"read":{}}}' => 'hub.read', '{"hub":{"types":[null]}}' => 'hub.types',
		'{"hub":{"rate":0}}' => 'hub.rate', '{"hub":{"presence":1}}' => 'hub.presence', '{"hub":{"admin":"x"}}' => 'hub.admin',
		json({ hub => { join => [ ('a') x 65 ] } }) => 'hub.join', json({ hub => { read => [ 'x' x 161 ] } }) => 'hub.read',
	);
	for my $claims (sort keys %wrong) {
		$r = token('', 'sign', '-k', "$dir/EdDSA", '-c', $claims);
		is_deeply([ $r->{status}, $r->{out} ], [ 65, '' ], substr($claims, 0, 60) . ': refused');
		like($r->{err}, qr/line 1: bad_claim: .*: \Q$wrong{$claims}\E$/, "it is $wrong{$claims}");
	}
	$r = token('', 'sign', '-k', "$dir/EdDSA", '-c', '{"hub":{"later":1,"join":["*"],"rate":0.5,"admin":false}}');
	is($r->{status}, 0, 'what a later hub may know makes one');
};

subtest 'verify' => sub {
	my $make = sub { return token('', 'sign', '-k', "$dir/EdDSA", '-c', json($_[0]))->{out} };
	my $now = time;
	my @lines = ($make->({ sub => 'ann' }), $make->({ exp => $now - 100, iat => $now - 200 }), "no token\n", $make->({ aud => 'x' }),
		$make->({ nbf => $now + 1000 }), "\n", $make->({ sub => 'bob' }));
	my $r = token(join('', @lines), 'verify', '-k', "$dir/EdDSA.pub");
	is($r->{status}, 1, 'some are bad: exit 1');
	is_deeply([ map { unjson($_)->{sub} } split /\n/, $r->{out} ], [ 'ann', 'bob' ], 'the claims of the good ones');
	is_deeply([ $r->{err} =~ /^hubtoken verify: line (\d+): (\w+)/mg ],
		[ 2, 'expired', 3, 'not_compact', 4, 'bad_audience', 5, 'not_yet' ], 'the bad ones are named');
	unlike($r->{err}, qr/[\w-]{20}\.|eyJ/, 'but not shown');
	is(token($make->({ aud => [ 'x', 'y' ] }), 'verify', '-k', "$dir/EdDSA.pub", '--audience', 'z', '--audience', 'y')->{status},
		0, 'an audience');
	is(token($make->({ iss => 'x' }), 'verify', '-k', "$dir/EdDSA.pub", '--issuer', 'y')->{status}, 1, 'another issuer');
	is(token($lines[0] =~ s/\n//r, 'verify', '-k', "$dir/EdDSA.pub")->{status}, 0, 'a last line without its end');
	my ($header, $claims) = map { encode_base64url($_) } '{"alg":"none"}', '{"sub":"root"}';
	is(token("$header.$claims.\n", 'verify', '-k', "$dir/EdDSA.pub")->{status}, 1, 'alg none');
};

subtest 'inspect' => sub {
	my $r = token(token('', 'sign', '-k', "$dir/HS256", '--sub', 'ann')->{out} . "x\n", 'inspect');
	my $line = unjson($r->{out});
	is($line->{claims}{sub}, 'ann', 'claims');
	is($line->{header}{alg}, 'HS256', 'header');
	ok(!$line->{verified}, 'it says that they are not verified');
	like($r->{err}, qr/nothing is verified/, 'also to a person');
	like($r->{err}, qr/line 2: not_compact/, 'what is none is named');
	is($r->{status}, 65, 'exit 65');
};

subtest 'key files' => sub {
	for my $mode (0644, 0640, 0604, 0660) {
		spew("$dir/open", slurp("$dir/EdDSA"));
		chmod $mode, "$dir/open";
		for my $command ('sign', 'verify') {
			my $r = token('', $command, '-k', "$dir/open");
			is($r->{status}, 77, sprintf '%s, mode %04o: exit 77', $command, $mode);
			like($r->{err}, qr/open: mode 0\d+ lets others at the key/, 'says why');
		}
	}
	my $secret = spew("$dir/secret", "0123456789abcdef0123456789abcdef\n");
	chmod 0600, $secret;
	my $r = token(token('', 'sign', '-k', $secret, '--sub', 'ann')->{out}, 'verify', '-k', $secret);
	is($r->{status}, 0, 'a raw secret');
	for my $kind ([ 'RSA', 'rsa_keygen_bits:2048' ], [ 'RSA-PSS', 'rsa_keygen_bits:2048' ], [ 'EC', 'ec_paramgen_curve:P-256' ],
		['ED25519']) {
		my ($name, $option) = @$kind;
		run([ 'openssl', 'genpkey', '-algorithm', $name, ($option ? ('-pkeyopt', $option) : ()), '-out', "$dir/pem" ]);
		run([ 'openssl', 'pkey', '-in', "$dir/pem", '-pubout', '-out', "$dir/pem.pub" ]);
		chmod 0600, "$dir/pem";
		my $t = token('', 'sign', '-k', "$dir/pem", '--sub', 'ann')->{out};
		is(token($t, 'verify', '-k', "$dir/pem.pub")->{status}, 0, "$name as PEM");
		unlink "$dir/pem", "$dir/pem.pub";
	}
	my %bad = (short => 'x' x 31, empty => '', 'no JSON' => '{"kty"', large => ' ' x 70_000, ssh => 'ssh-ed25519 ' . 'A' x 60);
	for my $name (sort keys %bad) {
		spew("$dir/bad", $bad{$name});
		chmod 0600, "$dir/bad";
		is(token('', 'verify', '-k', "$dir/bad")->{status}, 65, "$name: exit 65");
	}
	is(token('', 'verify', '-k', "$dir/none")->{status}, 66, 'no file: exit 66');
	my $jwks = spew("$dir/jwks", json({ keys => [ map { @{ unjson(slurp("$dir/$_.pub"))->{keys} } } qw(EdDSA ES256 RS256 PS256) ] }));
	for my $alg (qw(EdDSA ES256 RS256 PS256)) {
		is(token(token('', 'sign', '-k', "$dir/$alg", '--sub', 'x')->{out}, 'verify', '-k', $jwks)->{status}, 0, "$alg out of a set");
	}
};

subtest 'usage' => sub {
	for my $args ([], ['frobnicate'], ['sign'], ['verify'], [ 'keygen', 'x' ], [ 'inspect', 'x' ], [ 'verify', '-k' ]) {
		my $r = token('', @$args);
		is($r->{status}, 64, "hubtoken @$args: exit 64");
		like($r->{err}, qr/^hubtoken[^\n]*: [^\n]+\n\z/, 'one line says why');
	}
	like(token('', '--version')->{out}, qr/^hubtoken \d+\.\d+\.\d+$/, '--version');
};

done_testing;
