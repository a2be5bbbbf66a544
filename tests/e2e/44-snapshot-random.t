# Four workers under load. Whoever joins, at whatever moment and over whatever transport, gets
# exactly the state that a replay of the whole log up to there gives, and then every record behind it: real
# positions and random objects that come, change and go, from several senders at once.
#
# HUB_TEST_SEED repeats a run.
use strict;
use warnings;
use Hub;

my $false = JSON::PP::false();
chance(20_170_528);

# 10,000 operations on things that come and go, of all families.
sub operations {
	my ($n) = @_;
	return map {
		my $id = int rand 150;
		my $action = (qw(created created updated updated updated deleted))[ rand 6 ];
		my $what = rand 10;
		my $x = sprintf '%.3f', rand 100;
		    $what < 4 ? qq({"type":"entity_$action","n":$_,"entity":{"id":"e$id","x":$x}})
		  : $what < 7 ? qq({"type":"object_$action","data":{"object":{"x":$x,"name":"o$id"}},"n":$_})
		  : $what < 8 ? qq({"type":"hat","n":$_,"key":"e$id","colour":$x})
		  : $what < 9 ? qq({"type":"score_update","n":$_,"x":$x})
		  :             qq({"type":"event","n":$_,"x":$x})
	} 1 .. $n;
}

# The key of a record, as the hub's table has it; nothing where it is none.
sub key_of {
	my ($text) = @_;
	my ($type) = $text =~ /^\{"type":"(\w+)"/;
	return ($type, $1) if $text =~ /"key":"(\w+)"/;
	return ($type, $1) if $type =~ /^entity_(?:created|updated|deleted)/ && $text =~ /"id":"(\w+)"/;
	return ($type, $1) if $type =~ /^object_(?:created|updated|deleted)/ && $text =~ /"name":"(\w+)"/;
	return ($type, $1) if $type eq 'avatar_position_update' && $text =~ /"avatar_id":"(\w+)"/;
	return ($type, '') if $type eq 'score_update';
	return;
}

# Gives the joins their state: what is due to each that began without a past.
sub replay {
	my ($all, @joins) = @_;
	my (%state, $at);
	@joins = sort { $a->{seq} <=> $b->{seq} } @joins;
	for my $seq (0 .. $#$all) {
		if ($seq && (my ($type, $key) = key_of($all->[$seq]))) {
			if ($type =~ /_deleted$/) {
				delete $state{$key};
			} else {
				$state{$key}{$type} = $seq;
			}
		}
		while (@joins && $joins[0]{seq} == $seq) {
			(shift @joins)->{state} = [ sort { $a <=> $b } map { values %$_ } values %state ];
		}
	}
}

# What is wrong with what one join got, or ''. to: where it must have got.
sub judge {
	my ($join, $all, $to) = @_;
	my $answer = $join->{answer};
	my @in = @{ $join->{c}{in} };
	shift @in;
	my @want =
	    $answer->{recovered} ? $join->{since} + 1 .. $#$all : (@{ $join->{state} }, $answer->{seq} + 1 .. $#$all);
	return "snapshot $answer->{snapshot}, not " . @{ $join->{state} }
	    if !$answer->{recovered} && $answer->{snapshot} != @{ $join->{state} };
	return 'it got too much' if @in > @want;
	for my $i (0 .. $#in) {
		return "message $i is not record $want[$i]: $in[$i]" if $in[$i] ne $all->[ $want[$i] ];
	}
	return "it got only $#in of $#want" if $to && @in < @want;
	return '';
}

my $hub = Hub->start(workers => 4, args => [ '--state-keys', 2000 ]);
my $observer = $hub->member('ws', 's');
my @senders = map { $hub->member($_, 's', echo => $false) } qw(ws unix ws unix);

my @positions = split /\n/, slurp(data_file('positions'));
is(scalar @positions, 6358, 'positions to send');
my @queues = ([@positions[ 0 .. 3178 ]], [@positions[ 3179 .. 6357 ]], [ operations(5000) ],
	[ operations(5000) ]);
my $total = 6358 + 10_000;

# Joins without waiting for anything.
my (@joins, @here);
sub begin {
	my ($transport, %past) = @_;
	my $c = $hub->client($transport);
	my $join = { c => $c, %past };
	$c->send({ type => 'session_associate', session_id => 's', %past });
	push @joins, $join;
	push @here, $join;
}

my $sent = 0;
while (grep { @$_ } @queues) {
	my ($q, $sender) = map { $queues[$_], $senders[$_] } int rand 4;
	my @batch = splice @$q, 0, 1 + int rand 80 or next;
	$sender->send_text(@batch);
	$sent += @batch;
	begin(rand 2 < 1 ? 'ws' : 'unix') if rand 3 < 1;
	if (@here > 30) {
		# One goes, and half of these come again to go on where they were, over any transport.
		my ($join) = splice @here, int rand @here, 1;
		my $c = $join->{c};
		if (rand 2 < 1) {
			my $was;
			# In the middle of a snapshot there is no place yet to go on from.
			wait_for {
				$was ||= unjson($c->{in}[0]) if $c->{in}[0];
				die "one was closed: $c->{gone}\n" if $c->{gone};
				return $was && ($was->{recovered} || @{ $c->{in} } > $was->{snapshot});
			} 'one that goes to have its state';
			my ($last) = @{ $c->{in} } > 1 + $was->{snapshot} ? $c->{in}[-1] =~ /"seq":(\d+)\}$/ : $was->{seq};
			$last = $join->{since} if $was->{recovered} && @{ $c->{in} } == 1;
			$c->vanish;
			begin(rand 2 < 1 ? 'ws' : 'unix', since => $last + 0, epoch => $was->{epoch}, resume => $was->{resume});
		}
		$c->vanish;
	}
	pump(rand 3 < 1 ? 0 : 0.002);
	wait_for { @{ $observer->{in} } > $sent - 600 || $observer->{gone} } 'the observer to follow';
}
begin($_) for 'ws', 'unix';
wait_for { @{ $observer->{in} } >= $total || $observer->{gone} } 'the observer to have all';
my $all = [ undef, @{ $observer->{in} } ];
is($#$all, $total, 'all is in the log');
is(scalar(grep { $all->[$_] !~ /"seq":$_\}$/ } 1 .. $#$all), 0, 'numbered without a hole');

# All that is due to it has come: the last record, or the whole state where it joined behind that one.
sub complete {
	my ($c) = @_;
	return 1 if $c->{gone};
	return 0 unless @{ $c->{in} };
	return 1 if $c->{in}[-1] =~ /"seq":$total\}$/;
	my $answer = unjson($c->{in}[0]);
	return $answer->{seq} == $total && @{ $c->{in} } == 1 + $answer->{snapshot};
}
wait_for {
	!grep { !complete($_->{c}) } @here
} 'all that are there to have all';

for my $join (@joins) {
	my $first = $join->{c}{in}[0];
	next unless defined $first;
	$join->{answer} = unjson($first);
	$join->{seq} = $join->{answer}{seq};
}
my @answered = grep { $_->{answer} } @joins;
replay($all, @answered);
my %there = map { $_ => 1 } @here;
my (%count, @wrong);
for my $join (@answered) {
	my $kind = !defined $join->{since} ? 'new' : $join->{answer}{recovered} ? 'recovered' : 'not recovered';
	$count{"$join->{c}{kind} $kind"}++;
	my $why = $join->{answer}{type} eq 'session_associated' ? judge($join, $all, $there{$join}) : 'no answer';
	push @wrong, "$kind over $join->{c}{kind} at $join->{answer}{seq}: $why" if $why;
}
is(scalar @wrong, 0, scalar(@answered) . ' joins got exactly what a replay gives') or diag(
	join "\n", map { substr $_, 0, 300 } @wrong[ 0 .. ($#wrong > 5 ? 5 : $#wrong) ]);
cmp_ok($count{$_} // 0, '>=', 10, "$_: $count{$_}") for 'ws new', 'unix new', 'ws recovered', 'unix recovered';
cmp_ok(scalar(grep { @{ $_->{state} } > 100 } @answered), '>=', 30, 'most of them with much to see');
my $bad = grep { $_->{gone} } map { $_->{c} } @here;
is($bad, 0, 'and nobody was closed');
$hub->stop;
done_testing;
