# One thread.
# Sealed and signed recordings: keys and their files, and that verify finds whatever was changed. (That it
# finds every changed byte is a unit test.)
use strict;
use warnings;
use Hub;

my $dir = scratch();

sub replay {
	return run([ 'hubreplay', @_ ]);
}

my @lines = (qq({"type":"recording","version":1,"session_id":"s","epoch":"E1","start":1700000000000}\n),
	qq({"type":"snapshot","session_id":"s","epoch":"E1","seq":0,"records":0,"t":0}\n),
	map { qq({"type":"x","n":$_,"session_id":"s","timestamp":1,"from":"ann","seq":$_,"t":$_}\n) } 1 .. 200);
my $plain = spew("$dir/plain.ndjson", @lines);

subtest 'keygen' => sub {
	is(replay('keygen', '--seal', "$dir/seal", '--sign', "$dir/sign")->{status}, 0, 'two keys');
	is((stat "$dir/$_")[2] & 0777, 0600, "$_: mode 0600") for 'seal', 'sign';
	like(slurp("$dir/seal"), qr/^hub-seal-secret [\w-]{43}\n\z/, 'one line');
	like(slurp("$dir/sign"), qr/^hub-sign-secret [\w-]{43}\n\z/, 'one line');
	like(slurp("$dir/sign.pub"), qr/^hub-sign-public [\w-]{43}\n\z/, 'one line');
	my $before = slurp("$dir/seal");
	is(replay('keygen', '--seal', '-')->{status}, 64, 'no key on standard output');
	my $r = replay('keygen', '--seal', "$dir/seal");
	is($r->{status}, 73, 'a file that is there: exit 73');
	is(slurp("$dir/seal"), $before, 'and it stays');
	spew("$dir/two.pub", 'mine');
	is(replay('keygen', '--sign', "$dir/two")->{status}, 73, 'a public one that is there: exit 73');
	ok(!-e "$dir/two", 'and no half of a pair');
	is(replay('keygen', '--seal', "$dir/other", '--sign', "$dir/other-sign")->{status}, 0, 'two more');
	isnt(slurp("$dir/other"), $before, 'unlike the first');
};

subtest 'key files' => sub {
	for my $mode (0644, 0640, 0604, 0660) {
		spew("$dir/open", slurp("$dir/seal"));
		chmod $mode, "$dir/open";
		my $r = replay('cut', '--seal-to', "$dir/open", '-o', "$dir/never", $plain);
		is($r->{status}, 77, sprintf 'mode %04o: exit 77', $mode);
		like($r->{err}, qr/open: mode 0\d+ lets others at the key/, 'says why');
		unlike($r->{err}, qr/[\w-]{43}/, 'without the key');
		spew("$dir/open", slurp("$dir/sign"));
		is(replay('cut', '--sign', "$dir/open", '-o', "$dir/never", $plain)->{status}, 77, 'to sign, too');
	}
	ok(!-e "$dir/never", 'nothing was written');
	chmod 0400, "$dir/other";
	is(replay('cut', '--seal-to', "$dir/other", '-o', "$dir/with0400", $plain)->{status}, 0, 'mode 0400 will do');
	my %bad = (
		'of the other kind' => slurp("$dir/sign"), empty => '', 'a bit short' => slurp("$dir/seal") =~ s/.\n//r,
		'a bit long' => slurp("$dir/seal") =~ s/\n/A\n/r, 'no base64' => slurp("$dir/seal") =~ s/.\n/!\n/r,
		'two lines' => slurp("$dir/seal") x 2, large => 'x' x 100_000,
	);
	for my $name (sort keys %bad) {
		spew("$dir/bad", $bad{$name});
		chmod 0600, "$dir/bad";
		is(replay('cut', '--seal-to', "$dir/bad", '-o', "$dir/never", $plain)->{status}, 65, "$name: exit 65");
	}
	is(replay('info', '--seal', "$dir/none", $plain)->{status}, 66, 'no file: exit 66');
	is(replay('info', '--seal', $dir, $plain)->{status}, 65, 'a directory: exit 65');
	is(replay('info', '--verify-key', "$dir/sign", $plain)->{status}, 65, 'a secret key is not one to verify with');
};

# Ways of storing: arguments to write, and to read.
my %way = (
	sealed => [ [ '--seal-to', "$dir/seal" ], [ '--seal', "$dir/seal" ] ],
	signed => [ [ '--sign', "$dir/sign" ], [ '--verify-key', "$dir/sign.pub" ] ],
	both => [ [ '--seal-to', "$dir/seal", '--sign', "$dir/sign" ], [ '--seal', "$dir/seal", '--verify-key', "$dir/sign.pub" ] ],
);

for my $name (sort keys %way) {
	subtest $name => sub {
		my ($write, $read) = @{ $way{$name} };
		for my $suffix ('', '.zst') {
			my $file = "$dir/$name.ndjson$suffix";
			is(replay('cut', @$write, '-o', $file, $plain)->{status}, 0, "written$suffix");
			my $r = replay('verify', @$read, $file);
			is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'good');
			my $said = unjson($r->{out});
			is($said->{records}, 200, 'all of it');
			is(!!$said->{sealed}, !!grep({ $_ eq '--seal' } @$read), 'sealed or not');
			is($said->{signature}, (grep { $_ eq '--verify-key' } @$read) ? 'checked' : 'none', 'signed or not');
			is(replay('export', @$read, $file)->{out}, join('', @lines[ 2 .. $#lines ]), 'the same records');
			my $info = unjson(replay('info', @$read, $file)->{out});
			is(!!$info->{compressed}, !!$suffix, 'compressed or not');
			ok($info->{finished}, 'finished');

			# One byte here and there, and the end away.
			my $bytes = slurp($file);
			for my $at (10, map { int($_ * (length($bytes) - 1) / 6) } 0 .. 6) {
				my $changed = $bytes;
				substr($changed, $at, 1) ^= "\x04";
				my $r = replay('verify', @$read, spew("$dir/changed$suffix", $changed));
				# The name of the key: it is another one.
				my $want = $at >= 8 && $at < 24 && $name ne 'signed' ? 77 : 1;
				is($r->{status}, $want, "byte $at changed") or diag($r->{status}, $r->{err});
				like($r->{err}, qr/changed\Q$suffix\E: \S/, 'says so');
				next if $suffix || $r->{status} == 77;
				my $r2 = replay('export', @$read, "$dir/changed");
				isnt($r2->{status}, 0, 'not exported as if nothing were');
				is(index(join('', @lines[ 2 .. $#lines ]), $r2->{out}), 0, 'and nothing that was changed');
			}
			my $r3 = replay('verify', @$read, spew("$dir/changed$suffix", substr $bytes, 0, -1));
			is($r3->{status}, 1, 'the end is missing');
			like($r3->{err}, qr/unfinished/, 'says so');
		}
	};
}

subtest 'wrong keys' => sub {
	my $sealed = "$dir/sealed.ndjson";
	my $r = replay('verify', $sealed);
	is($r->{status}, 77, 'none: exit 77');
	like($r->{err}, qr/sealed: the key is missing/, 'says why');
	is(replay('verify', '--seal', "$dir/other", $sealed)->{status}, 77, 'another: exit 77');
	like(replay('export', '--seal', "$dir/other", $sealed)->{out}, qr/\A\z/, 'and no text');
	is(replay('verify', '--seal', "$dir/seal", $plain)->{status}, 1, 'a plain file in the place of a sealed one');
	is(replay('verify', '--verify-key', "$dir/sign.pub", $plain)->{status}, 1, 'an unsigned one in the place of a signed one');
	my $signed = "$dir/signed.ndjson";
	is(replay('verify', '--verify-key', "$dir/other-sign.pub", $signed)->{status}, 77, 'signed by another: exit 77');
	$r = replay('verify', $signed);
	is_deeply([ $r->{status}, unjson($r->{out})->{signature} ], [ 0, 'not checked' ], 'a signed one is readable by all');
	my $forged = slurp($signed) =~ s/"n":100,/"n":101,/r;
	$r = replay('verify', spew("$dir/forged", $forged));
	is($r->{status}, 1, 'and even without a key the sums must fit');
	# Signed anew by somebody else, under the first one's name.
	my ($name) = $forged =~ /"signer":"([^"]+)"/;
	replay('cut', '--sign', "$dir/other-sign", '-o', "$dir/resigned", "$dir/plain.ndjson");
	my $resigned = slurp("$dir/resigned") =~ s/"signer":"[^"]+"/"signer":"$name"/r;
	is(replay('verify', '--verify-key', "$dir/sign.pub", spew("$dir/forged", $resigned))->{status}, 1, 'a forged name');
};

# Opened, found to be of another session, and refused: not even its end is gone.
subtest 'a finished one of another session' => sub {
	my $hub = Hub->start;
	my %way = (sealed => [ '--seal', "$dir/seal" ], signed => [ '--sign', "$dir/sign" ]);
	for my $way (sort keys %way) {
		my ($option, $key) = @{ $way{$way} };
		my @to = ($option eq '--seal' ? '--seal-to' : $option, $key);
		my $file = "$dir/finished-$way";
		replay('cut', @to, '-o', $file, $plain);
		my $before = slurp($file);
		my $r = replay('record', '-u', "unix:$hub->{socket}", @{ $way{$way} }, '-o', $file, 'other');
		is($r->{status}, 65, "$way: exit 65");
		like($r->{err}, qr/\Ahubreplay record: [^\n]*is a recording of s\n\z/, 'said why, and that alone');
		ok(slurp($file) eq $before, 'the file is as it was');
	}
	$hub->stop;
};

subtest 'for people' => sub {
	my $text = slurp("$dir/signed.ndjson");
	my @types = map { unjson($_)->{type} } split /\n/, $text;
	is_deeply([ map { $types[$_] } 0, 1, -2, -1 ], [qw(recording snapshot signature signature)], 'a signed one is text');
	ok(unjson((split /\n/, $text)[-1])->{end}, 'the last signature says that it is');
	my ($zstdcat) = grep { -x } map { "$_/zstdcat" } split /:/, $ENV{PATH};
	my $r = run([ $zstdcat, "$dir/signed.ndjson.zst" ]);
	is(join('', grep { /"from"/ } split /^/, $r->{out}), join('', @lines[ 2 .. $#lines ]), 'and behind zstdcat');
	is(index(slurp("$dir/sealed.ndjson"), 'recording'), -1, 'a sealed one is not');
};

done_testing;
