# Not under sanitizers.
# The formats of examples/formats go in and come back whole, by their scripts and by the programs for hubcat that
# the page shows.
use strict;
use warnings;
use Hub;

my $formats = root() . '/examples/formats';
my $readme = slurp("$formats/README.md");
my @names = map { m{([^/]+)/in$} } sort glob "$formats/*/in";
cmp_ok(scalar @names, '>=', 16, 'formats');
is_deeply([ $readme =~ m{^\| \[(\w+)\]\(\1/\) }mg ], \@names, 'the page has all of them');

sub sample { return (glob "$formats/$_[0]/sample.*")[0] }

for my $name (@names) {
	my $in = run([ "$formats/$name/in" ], in => slurp(sample($name)));
	is($in->{out}, slurp("$formats/$name/expected.ndjson"), "$name: what comes of the sample");
	is($in->{status} . $in->{err}, '0', 'without a complaint');
	my @wrong = grep { my $m = unjson($_); ref $m ne 'HASH' || grep { !/^(?:type|record|timestamp|entry)$/ } keys %$m }
	    split /\n/, $in->{out};
	is_deeply(\@wrong, [], 'messages that carry, and no more');
}

my $tried = run([ "$formats/try", $ENV{HUB_BUILD} ]);
is($tried->{status}, 0, 'all come back') or diag($tried->{err});
is_deeply([ $tried->{out} =~ /^(\w+): \d+ records, whole$/mg ], \@names, 'whole');
is($tried->{err}, '', 'and nothing is said');

subtest 'what is lost is found' => sub {
	my $dir = scratch() . '/lossy';
	mkdir $dir;
	symlink "$ENV{HUB_BUILD}/hubd", "$dir/hubd" or die $!;
	spew("$dir/hubcat", <<"END");
#!/bin/sh
case " \$* " in
*" -l "*) $ENV{HUB_BUILD}/hubcat "\$@" | sed 's/Zo\xc3\xab/Zoe/; s/9[.]00/9.0/; s/1[.]00/1.0/' ;;
*) exec $ENV{HUB_BUILD}/hubcat "\$@" ;;
esac
END
	chmod 0755, "$dir/hubcat";
	my $r = run([ "$formats/try", $dir, 'docker', 'gpsd', 'nginx' ]);
	is($r->{status}, 1, 'a letter, or a digit: status 1');
	is($r->{err}, "docker: what came back is not what went in\ngpsd: what came back is not what went in\n", 'said of these');
};

# --- the programs for hubcat

my @recipes = $readme =~ /^    hubcat -p -m '(.+)' (\w+)$/mg;
cmp_ok(@recipes / 2, '>=', 10, 'recipes');
my $hub = Hub->start(workers => 1);
while (my ($program, $name) = splice @recipes, 0, 2) {
	my $text = slurp(sample($name));
	my $n = () = $text =~ /\n/g;
	my $sent = run($hub->hubcat([ '-p', '-m', $program, $name ]), in => $text);
	is($sent->{status} . $sent->{err}, '0', "hubcat -m, $name");
	my $got = run($hub->hubcat([ '-l', '-s', 'all', '-n', $n, '-w', 60, '-f', '.record', $name ]));
	my $as = sub { my $r = run([ 'jq', '-cS', '.' ], in => $_[0]); return $r->{out} };
	is($as->($got->{out}), $as->($text), 'the same values');
	unlike(run($hub->hubcat([ '-l', '-s', 'all', '-n', $n, '-w', 60, '-f', '.type', $name ]))->{out}, qr/null/, 'and a type');
}

# An object that is made of nothing but what is the hub's.
subtest 'carry' => sub {
	my $all = qq({"type":"ping","session_id":"x","timestamp":"never","from":"e2","seq":-1,"to":[],"key":"","msg_id":null,"record":[1.00]}\n);
	my $odd = qq({"a|b":"\\\\1 & / \\u0026"}\r\n \n{"n":12345678901234567890.10}\n);
	my $in = run([ "$formats/carry", 'any.\1', '{"\([a-z]*\)":.*' ], in => $all . $odd);
	is_deeply([ map { unjson($_)->{type} } split /\n/, $in->{out} ], [ 'any.type', 'any', 'any.n' ], 'types');
	is(run($hub->hubcat([ '-p', 'any' ]), in => $in->{out})->{status}, 0, 'sent');
	my $got = run($hub->hubcat([ '-l', '-s', 'all', '-n', 3, '-w', 60, 'any' ]));
	is(run([ "$formats/uncarry" ], in => $got->{out})->{out}, $all . $odd =~ s/\r\n \n/\n/r, 'and back, byte by byte');
};
$hub->stop;
done_testing();
