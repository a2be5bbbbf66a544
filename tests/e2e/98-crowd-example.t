# Not under sanitizers.
# The example of a crowd, as one command starts it, in a real browser: the page sees whom it should, in few messages of
# few bytes, and says so; and each one sees the other.
use strict;
use warnings;
use Hub;
use Hub::Web;

plan skip_all => 'no chromium here' unless Hub::Web::browser();

my $tmp = scratch() . '/crowd';
mkdir $tmp or die "$tmp: $!\n";
my $bots = 40;
my $run = spawn([ root() . '/examples/crowd/run', $ENV{HUB_BUILD}, $bots ], env => { TMPDIR => $tmp });
wait_for { !$run->running || slurp($run->{out}) =~ /tick=0$/m } 'the example to start';
die 'it ended: ' . slurp($run->{err}) . "\n" unless $run->running;
my ($port) = slurp($run->{out}) =~ m{^  http://127\.0\.0\.1:(\d+)/$}m;
my ($socket) = glob "$tmp/*/hub.sock";

my $browser = bless { port => $port }, 'Hub::Web';
my %page = map { $_ => $browser->open('', $_) } '?tick=50&sight=1000';
# The other page, in a browser of its own.
my $second = bless { port => $port }, 'Hub::Web';

# What pages say of themselves, the last of each; who has gone.
my $member = Hub::Client->unix($socket);
$member->join_session('world', types => [ 'avatar', 'state_deleted' ], tick => 200, conflate => JSON::PP::true());
my (%you, %bot, %gone);

sub look {
	die "the hub is gone: $member->{gone}\n" if $member->{gone};
	for my $m (map { unjson($_) } splice @{ $member->{in} }) {
		next unless defined $m->{key};
		if ($m->{type} ne 'avatar') { $gone{ $m->{key} } = delete $you{ $m->{key} } }
		elsif ($m->{key} =~ /^you/) { $you{ $m->{key} } = $m }
		else { $bot{ $m->{key} } = $m }
	}
	return 1;
}

wait_for { look() && keys %bot == $bots } 'all bots to walk';
pass("$bots bots walk");
my ($first) = wait_for { look(); my @y = grep { ($_->{of} // 0) >= $bots && $_->{moves} && $_->{wire_bytes} } values %you; $y[0] } 'the page to know them';
is($first->{sees}, $first->{of}, 'who is within its sight it sees');
cmp_ok($first->{messages}, '<', $first->{moves}, 'in messages of many moves');
cmp_ok($first->{p99}, '>=', $first->{p50}, 'it has measured how old what it knows is');
cmp_ok($first->{p50}, '>=', 0, 'by the clock of this machine');

$page{near} = spawn_page('?tick=0&sight=60');
my ($near) = wait_for { look(); my @y = grep { $_->{key} ne $first->{key} && ($_->{of} // 0) > $bots && $_->{moves} } values %you; $y[0] } 'another page, to know the first as well';
cmp_ok($near->{sees}, '<', $near->{of}, 'it sees only who is near');
is($near->{of}, $bots + 1, 'and knows of everybody');
cmp_ok($near->{messages}, '>=', $near->{moves}, 'each move is a message of its own');

# Who closes its page is gone.
$second->close($page{near});
wait_for { look() && $gone{ $near->{key} } } 'the others to be told that it has gone';
wait_for { look(); ($you{ $first->{key} }{of} // 0) == $bots } 'the first page to know that';
pass('and so it is for the first page');
$browser->close($page{'?tick=50&sight=1000'});
$run->kill('TERM');
is($run->wait, 0, 'the example ends');
is_deeply([ glob "$tmp/*" ], [], 'and leaves nothing behind');
done_testing;

sub spawn_page {
	return $second->open('index.html', $_[0]);
}
