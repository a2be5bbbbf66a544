# The configuration file says the same as the command line, which wins; what is wrong with either is said
# in one line with the exit status that belongs to it.
use strict;
use warnings;
use Hub;

sub behaves {
	my ($hub, $name, %want) = @_;
	subtest $name => sub {
		my $c = $hub->unix;
		$c->send({ type => 'version_check', js_version => $want{version} });
		ok($c->next->{match}, "version $want{version}");
		$c->send_text('{"type":"ping","x":"' . 'x' x ($want{max} - 22) . '"}');
		is($c->next->{type}, 'pong', "$want{max} bytes pass");
		$c->send_text('{"type":"ping","x":"' . 'x' x ($want{max} - 21) . '"}');
		is($c->next->{data}{code}, 'too_large', 'one more does not');
	};
}

my $dir = scratch();
subtest 'the file' => sub {
	my $config = spew("$dir/hubd.conf", <<"END");
# A comment

listen = 127.0.0.1:0
listen=127.0.0.1:0
socket = $dir/file.sock   # another
workers = 3
max-message = 1k
client-version = v1 beta
drain = 0
slow = resync
END
	my $hub = Hub->start(only => [ '-c', $config ]);
	is($hub->{ready}{socket}, "$dir/file.sock", 'socket');
	is(scalar @{ $hub->{ready}{listen} }, 2, 'two addresses');
	is($hub->{ready}{pid}, $hub->pid, 'the process says who it is');
	behaves($hub, 'as the file says', version => 'v1 beta', max => 1024);
	$hub->stop;

	$hub = Hub->start(only => [ '--max-message', 2048, '--config', $config, '--client-version', 'v2',
		'--listen', '127.0.0.1:0', '--socket', "$dir/line.sock" ]);
	is($hub->{ready}{socket}, "$dir/line.sock", 'the command line wins, before or after');
	is(scalar @{ $hub->{ready}{listen} }, 1, 'a list is replaced, not added to');
	behaves($hub, 'as the command line says', version => 'v2', max => 2048);
	$hub->stop;
};

subtest 'all options are in the file' => sub {
	my $help = run([ 'hubd', '--help' ]);
	is($help->{status}, 0, '--help');
	is($help->{err}, '', 'on standard output');
	my @names = $help->{out} =~ /^\s+(?:-\w, )?--([a-z-]+)/mg;
	cmp_ok(scalar @names, '>', 15, 'lists the options');
	for my $name (grep { !/^(?:help|version|config)$/ } @names) {
		# An impossible value, so that the answer is about the value and not the name.
		my $config = spew("$dir/one.conf", "$name = \n");
		my $result = Hub->refuses('-c', $config, '--socket', '/no/such/place');
		unlike($result->{err}, qr/unknown option/, "$name is known");
	}
	my $version = run([ 'hubd', '--version' ]);
	is($version->{status}, 0, '--version');
	like($version->{out}, qr/^hubd \d+\.\d+\.\d+$/m, 'names itself');
};

for my $case (
	[ 'unknown', "listen = 127.0.0.1:0\nfrobnicate = 1\n", qr/:2: .*frobnicate/ ],
	[ 'no number', "workers = many\n", qr/:1: .*workers/ ],
	[ 'out of range', "\n\nworkers = 100000\n", qr/:3: .*workers/ ],
	[ 'no choice', "slow = maybe\n", qr/:1: .*slow/ ],
	[ 'no value', "socket\n", qr/:1: .*socket/ ],
    ) {
	my ($name, $text, $like) = @$case;
	my $config = spew("$dir/bad.conf", $text);
	my $result = Hub->refuses('-c', $config);
	is($result->{status}, 78, "configuration, $name: exit 78");
	like($result->{err}, qr/^hubd: .*bad\.conf$like/, "configuration, $name: file, line and reason");
	unlike($result->{err}, qr/\n/, "configuration, $name: one line");
}
is(Hub->refuses('-c', "$dir/none.conf")->{status}, 78, 'configuration, no file: exit 78');

for my $args (
	['--frobnicate'], [ '--workers', 'many' ], [ '--workers', '0' ], ['--socket'],
	[ '--slow', 'maybe' ], [ '--max-message', '-5' ], ['operand'], [ '--listen', 'nonsense' ],
	[ '--listen', '127.0.0.1:99999' ],
    ) {
	my $result = Hub->refuses(@$args);
	is($result->{status}, 64, "usage, @$args: exit 64");
	like($result->{err}, qr/^hubd: [^\n]+$/, "usage, @$args: one line");
	is($result->{out}, '', "usage, @$args: nothing on standard output");
}

done_testing;
