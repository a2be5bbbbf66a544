# What hubd says while it runs: nobody has to read it, strangers do not fill it, and each line tells an operator
# when, how bad, what, and of whom.
use strict;
use warnings;
use Fcntl qw(F_SETFL F_GETFL O_NONBLOCK);
use Hub;

my $F_SETPIPE_SZ = 1031;
scratch();    # what cleans up at the end has no part in our pipes

# A pipe that holds no more.
sub full_pipe {
	pipe my $read, my $write or die "pipe: $!\n";
	fcntl $write, $F_SETPIPE_SZ, 4096;
	my $flags = fcntl $write, F_GETFL, 0;
	fcntl $write, F_SETFL, $flags | O_NONBLOCK;
	my $n = 0;
	while (my $part = syswrite $write, 'x' x 64) { $n += $part }
	fcntl $write, F_SETFL, $flags + 0;
	return ($read, $write, $n);
}

sub rest {
	my ($read, $n) = @_;
	my $text = '';
	while (sysread $read, $text, 65536, length $text) { }
	substr $text, 0, $n, '';
	return $text;
}

# Connections that the hub ends, and that are lost: a line each.
sub bad_clients {
	my ($hub, $n) = @_;
	for (1 .. $n) {
		my $c = $hub->ws;
		$_ % 2 ? $c->frame(2, 'binary')->closed : $c->abort;
	}
}

subtest 'nobody reads it' => sub {
	my ($read, $write, $n) = full_pipe();
	my $hub = Hub->start(err => $write);
	close $write;
	my $c = $hub->member('ws', 's');
	bad_clients($hub, 60);
	kill HUP => $hub->pid;
	$c->send({ type => 't' });
	is($c->next->{seq}, 1, 'it serves');
	$hub->stop(name => 'SIGTERM ends it');
	my $text = rest($read, $n);
	is($text, '', 'what could not be said is given up');
};

# It begins as lines do: nothing is lost when it turns out to be HTTP.
subtest 'HTTP on the Unix socket' => sub {
	my $hub = Hub->start;
	my @curl = (qw(curl -s --unix-socket), $hub->{socket});
	my $post = run([ @curl, '-H', 'Content-Type: application/json', '-d', '{"type":"t"}', 'http://hub/sessions/s/records' ]);
	like($post->{out}, qr/"ack"/, 'posted');
	is(run([ @curl, 'http://hub/healthz' ])->{status}, 0, 'and looked');
	run([ @curl, 'http://hub/sessions/s/records' ]);
	becomes { $hub->log_text =~ /gone .*\n.*gone /s } 'their ends are said';
	$hub->stop;
	my @gone = grep { / gone / } split /\n/, $hub->log_text;
	is(scalar(@gone), 2, 'one line for each connection that used a session') or diag(@gone);
	like($_, qr/door=http conn=\d peer=pid-\d+,uid-\d+: answered$/, 'that says who, and not that it was lost') for @gone;
};

subtest 'lines that are left out are counted' => sub {
	my ($read, $write, $n) = full_pipe();
	my $hub = Hub->start(err => $write, args => [ '--log-level', 'debug' ]);
	close $write;
	bad_clients($hub, 300);
	$read->blocking(0);
	my $text = '';
	my $said = sub { sysread $read, $text, 65536, length $text; $text =~ $_[0] };
	becomes { $said->(qr/ close .* 1003 text messages only/) } 'what there was room for is said';
	becomes { bad_clients($hub, 2); $said->(qr/ close: \d+ lines of this kind were left out/) } 'the rest is counted';
	$hub->stop;
};

subtest 'lines for people' => sub {
	my $hub = Hub->start;
	bad_clients($hub, 1);
	my $when = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
	becomes { $hub->log_text =~ /^$when info  close door=ws conn=1 peer=127\.0\.0\.1:\d+: 1003 text messages only$/m }
	'time, level, event, door, connection, peer, reason';
	like($hub->log_text, qr/^$when info  hub: listening on 127\.0\.0\.1:\d+$/m, 'and what has no peer');
	$hub->member('ws', 's')->abort;
	becomes { $hub->log_text =~ /^$when info  gone door=ws conn=2 peer=127\.0\.0\.1:\d+: lost$/m }
	'the peer too where that has reset the connection';
	bad_clients($hub, 1000);
	becomes { $hub->log_text =~ /stopped/ || (() = $hub->log_text =~ /^.* gone /mg) >= 50 } 'some of many';
	$hub->stop;
	my @lines = $hub->log_text =~ /^.* (?:gone|close) .*$/mg;
	cmp_ok(@lines + 0, '<', 900, 'but not all: ' . @lines);
};

subtest 'lines for programs' => sub {
	my $hub = Hub->start(args => [ '--log-format', 'json' ]);
	bad_clients($hub, 1);
	becomes { $hub->log_text =~ /"close"/ } 'a line';
	$hub->stop;
	my @lines = map { unjson($_) } split /\n/, slurp("$hub->{log}.err");
	my ($close) = grep { $_->{event} eq 'close' } @lines;
	is_deeply([ @$close{qw(level door conn message)} ], [ 'info', 'ws', 1, '1003 text messages only' ], 'fields');
	like($close->{peer}, qr/^127\.0\.0\.1:\d+$/, 'its peer');
	is(scalar(grep { !/^\d{4}-/ } map { $_->{time} } @lines), 0, 'each has the time');
};

subtest 'the journal of systemd' => sub {
	pipe my $read, my $write or die "pipe: $!\n";
	my ($dev, $ino) = stat $write;
	my $hub = Hub->start(err => $write, env => { JOURNAL_STREAM => "$dev:$ino" });
	close $write;
	$hub->stop;
	my @lines = split /\n/, rest($read, 0);
	is(scalar(grep { !/^<[3467]>hub: / } @lines), 0, 'has the time by itself, and levels by number') || diag "@lines";
};

subtest 'less of it' => sub {
	my $hub = Hub->start(args => [ '--log-level', 'warn' ]);
	bad_clients($hub, 2);
	$hub->stop;
	is(slurp("$hub->{log}.err"), '', 'warn: nothing of what is usual');
};

done_testing;
