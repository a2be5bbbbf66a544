# Records as patches of those before them, and types that go before what waits.
use strict;
use warnings;
use Hub;

my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $hub = Hub->start(args => [ '--area', 'pos=x,y,10' ]);

# RFC 7396, section 2.
sub merge {
	my ($target, $patch) = @_;
	return $patch if ref $patch ne 'HASH';
	my %t = ref $target eq 'HASH' ? %$target : ();
	for my $name (keys %$patch) {
		if (defined $patch->{$name}) { $t{$name} = merge($t{$name}, $patch->{$name}) } else { delete $t{$name} }
	}
	return \%t;
}

# What it got up to a type, whole again; how many came as patches is counted.
sub whole {
	my ($c, $type) = @_;
	my @all;
	until (@all && $all[-1]{type} eq $type) {
		my $m = $c->next;
		my %said;
		for my $r (ref $m eq 'ARRAY' ? @$m : $m) {
			if (ref $r eq 'ARRAY') {
				$c->{patches}++;
				my $base = $c->{by_seq}{ $r->[0] } or die "no record $r->[0]";
				my $timestamp = $r->[1]{timestamp} // $said{timestamp};
				$r = merge($base, $r->[1]);
				$r->{timestamp} = $timestamp;
			} elsif ($r->{seq}) {
				$r->{$_} //= $said{$_} for qw(session_id timestamp from);
			}
			next if !$r->{seq};
			$said{$_} = $r->{$_} for qw(session_id timestamp from);
			$c->{by_seq}{ $r->{seq} } = $r;
			push @all, $r;
		}
	}
	return @all;
}

for my $conflate ($false, $true) {
	for my $fields ([], [ fields => 'compact' ]) {
		subtest "patches, conflate $conflate, @$fields" => sub {
			my $s = "delta.$conflate." . @$fields;
			my ($p, $q) = map { $hub->member('unix', $s, echo => $false) } 1, 2;
			my $plain = $hub->member('unix', $s);
			my $record = sub {
				my ($key, $n) = @_;
				return { type => 'pos', key => $key, x => $n, y => 1, data => { name => "a rather long name of $key", deep => { n => int($n / 3), same => [ 1, { a => undef } ] } },
					$n % 5 ? (odd => 'x' x ($n % 7)) : () };
			};
			$p->send(map { $record->($_, 0) } 'a' .. 'e');
			$p->sync;
			my @c = map { my $c = $hub->client($_ % 2 ? 'ws' : 'unix'); $c->join_session($s, tick => 20, batch => $true, delta => $true, conflate => $conflate, @$fields); $c } 1 .. 3;
			my $late;
			for my $n (1 .. 60) {
				($n % 3 ? $p : $q)->send(map { rand() < 0.7 ? $record->($_, $n) : () } 'a' .. 'e');
				$p->send({ type => 'state_deleted', key => 'c' }) if $n % 20 == 0;
				$p->send({ type => 'pos', key => 'b', x => undef, why => 'null is no patch' x 4 }) if $n % 13 == 0;
				$_->sync for $p, $q;
				if ($n == 30) {
					$late = $hub->client('ws');
					$late->join_session($s, tick => 20, batch => $true, delta => $true, conflate => $conflate, @$fields);
				}
				# Several ticks.
				next if $n % 5;
				$p->send({ type => "turn$n" });
				wait_for { grep { /"turn$n"/ } @{ $c[0]{in} } } 'a tick', undef, $c[0];
			}
			$p->send({ type => 'end' });
			my %all = map { ($_->{seq} => $_) } whole($plain, 'end');
			for my $c (@c, $late) {
				my @got = whole($c, 'end');
				is(scalar(grep { $_->{seq} > 5 } @got), keys(%all) - 5, 'all of them') if $c != $late && !$conflate;
				my $wrong = grep { $all{ $_->{seq} } && json($_) ne json($all{ $_->{seq} }) } @got;
				is($wrong, 0, 'none is another one');
				cmp_ok($c->{patches} // 0, '>', 5, 'and many came as patches');
			}
		};
	}
}

subtest 'what is wrong' => sub {
	my $c = $hub->client('ws');
	for my $bad ('"delta":true', '"delta":1,"batch":true', '"ahead":-1', '"ahead":1,"ahead":1') {
		$c->send_text(qq({"type":"session_associate","session_id":"bad",$bad}));
		is($c->next->{data}{code}, 'bad_field', $bad);
	}
};

for my $t ('ws', 'unix') {
	for my $batch ($false, $true) {
		subtest "what does not wait goes before, over $t, batch $batch" => sub {
			my $s = "first.$t.$batch";
			my $p = $hub->member('unix', $s, echo => $false);
			my @c = map { my $c = $hub->client($t); $c->{joined} = $c->join_session($s, tick => 60000, batch => $batch, priority => $_); $c } 'now', [ 'x', 'n?w' ];
			my $seqs = sub { return join ' ', map { map { $_->{seq} } ref $_ eq 'ARRAY' ? @$_ : $_ } @_ };
			my $send = sub { $p->send(map { { type => $_ } } @_); $p->sync };
			$send->('a', 'b', 'now');
			for my $c (@c) {
				my ($m) = $c->wait_type('ahead');
				is_deeply([ $m->{type}, $seqs->($m->{records}) ], [ 'ahead', '3' ], 'alone');
			}
			$send->('c', 'nowhere', 'now', 'now');
			for my $c (@c) {
				my $got = '';
				$got .= ' ' . $seqs->($c->wait_type('ahead')->{records}) until $got =~ /7$/;
				is($got =~ s/^ //r, '6 7', 'and those that follow');
			}
			# Comes back without having had what waits.
			my ($c, $d) = @c;
			$c->abort;
			my $e = $hub->client($t);
			my $j = $e->join_session($s, tick => 20, batch => $batch, priority => 'now', since => 0, ahead => 7, epoch => $c->{joined}{epoch}, resume => $c->{joined}{resume});
			ok($j->{recovered}, 'coming back');
			my @in;
			push @in, $e->next until $seqs->(@in) =~ /5$/;
			@in = grep { ref $_ eq 'ARRAY' || $_->{seq} } @in;
			is($seqs->(@in), '1 2 4 5', 'what waited, and nothing twice');
			$send->('now', 'z');
			@in = ();
			push @in, map { ref $_ eq 'HASH' && $_->{records} || $_ } $e->next until $seqs->(@in) =~ /9$/;
			is($seqs->(@in), '8 9', 'goes on');
			$d->send({ type => 'session_leave' });
			my ($left) = $d->wait_type('session_left');
			is($seqs->(grep { ref $_ eq 'ARRAY' || $_->{seq} } map { ref $_ eq 'HASH' && $_->{type} eq 'ahead' ? () : $_ } map { unjson($_) } splice @{ $d->{in} }), '1 2 4 5 9', 'who leaves has had each once');
		};
	}
}

$hub->stop;
done_testing();
