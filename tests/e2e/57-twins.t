# Two clients with one token, and libraries that connect again after any close code: the fight ends, and each of
# them stays where it is. Who has no twin gets in.
use strict;
use warnings;
use Hub;

my $hub = Hub->start;

# A client that does what such libraries do: comes back whenever it is closed, as the same one, and knows nothing
# of errors.
sub library {
	my ($t, $resume) = @_;
	my $self = { t => $t, resume => $resume, closed => [], errors => [], comes => 0 };
	library_come($self);
	return $self;
}

sub library_come {
	my ($self) = @_;
	$self->{comes}++;
	$self->{c} = $hub->client($self->{t});
	$self->{c}->send({ type => 'session_associate', session_id => 'twins', resume => $self->{resume} });
}

# One look at each: what it was told, and back where it was closed.
sub library_turn {
	my ($self) = @_;
	for my $m (map { unjson($_) } splice @{ $self->{c}{in} }) {
		push @{ $self->{errors} }, $m->{data} if $m->{type} eq 'error';
	}
	return if !$self->{c}{gone} && !defined $self->{c}{close_code};
	push @{ $self->{closed} }, $self->{c}{close_code} if defined $self->{c}{close_code};
	library_come($self);
}

for my $t ('ws', 'unix') {
	subtest "over $t" => sub {
		my $first = $hub->member($t, 'twins');
		my $resume = $first->{joined}{resume};
		my @twins = map { library($t, $resume) } 1 .. 2;
		becomes {
			library_turn($_) for @twins;
			grep { @{ $_->{errors} } } @twins
		} 'the fight ends';
		my ($out) = grep { @{ $_->{errors} } } @twins;
		my ($in) = grep { $_ != $out } @twins;
		is($out->{errors}[0]{code}, 'in_use', 'the one that comes last is told why');
		is($out->{errors}[0]{retry_after}, 1, 'and when to ask again');
		is_deeply([ grep { $_ != 4000 } map { @{ $_->{closed} } } @twins ], [], 'all others had 4000');
		cmp_ok($in->{comes} + $out->{comes}, '<=', 8, 'soon');
		# Both are where they were: what each says is answered, and the one that is in speaks to the session.
		my $watch = $hub->member('unix', 'twins');
		my $comes = $in->{comes} + $out->{comes};
		$in->{c}->send({ type => 'still', in => 1 });
		is($watch->next->{type}, 'still', 'the other is a member');
		for my $wait (2, 4) {
			$out->{c}->send({ type => 'session_associate', session_id => 'twins', resume => $resume });
			is($out->{c}->next->{data}{retry_after}, $wait, "who asks too soon is told $wait");
		}
		$_->{c}->sync for $in, $out;
		library_turn($_) for @twins;
		is($in->{comes} + $out->{comes}, $comes, 'nobody comes any more');
		# Without the token, or when the other has gone, one may.
		my $own = $hub->client($t);
		ok($own->join_session('twins')->{client_id} ne $first->{joined}{client_id}, 'without the token: another one');
		$in->{c}->vanish;
		$out->{c}{in} = [];
		becomes {
			$out->{c}->send({ type => 'session_associate', session_id => 'twins', resume => $resume });
			$out->{c}->next->{type} eq 'session_associated'
		} 'who is out gets in when the other has gone';
		$_->vanish for $first, $watch, $own, $out->{c};
		becomes { !$hub->health->{members} } 'all have gone';
	};
}

subtest 'in turn' => sub {
	my @held = $hub->member('unix', 'turns');
	my $resume = $held[0]{joined}{resume};
	for my $i (1 .. 4) {
		push @held, $hub->client('unix');
		is($held[$i]->join_session('turns', resume => $resume)->{client_id}, $held[0]{id}, "turn $i");
	}
	my $late = $hub->client('unix');
	$late->send({ type => 'session_associate', session_id => 'turns', resume => $resume, msg_id => 'j' });
	my $error = $late->next;
	is($error->{data}{code}, 'in_use', 'the fifth is refused');
	is($error->{msg_id}, 'j', 'and told to what');
	$held[4]->send({ type => 'still' });
	is($held[4]->next->{type}, 'still', 'the fourth is where it was');
	like($hub->get('/metrics')->{body}, qr/^hubd_errors_total\{code="in_use"\} [1-9]/m, 'counted');
};

$hub->stop;
done_testing;
