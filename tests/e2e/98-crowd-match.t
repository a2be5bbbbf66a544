# Not under sanitizers.
# A real match, its events and the positions of all players, in a real browser that takes them at ticks, conflated, in
# arrays, deflated: at every goal the pitch is as it is in the log, no event is missing, and at the end all is known.
use strict;
use warnings;
use Hub;
use Hub::Web;

plan skip_all => 'no chromium here' unless Hub::Web::browser();

my $site = scratch() . '/site';
mkdir $site or die "$site: $!\n";
my $hub = Hub->start(args => [ '--deflate', '--history', 100_000, '--www', $site, '--www', root() . '/contrib' ]);
my $browser = bless { port => $hub->{port} }, 'Hub::Web';

# The match runs as fast as its positions, which are of 14 seconds.
my %lines = map { $_ => [ split /\n/, slurp(data_file($_)) ] } 'positions', 'match';
my %at = map { my ($of, $lines) = ($_, $lines{$_}); $of => [ map { /"timestamp":(\d+)/ ? $1 : die "no timestamp: $_\n" } @$lines ] } keys %lines;
my $span = $at{positions}[-1] / $at{match}[-1];
my @all = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] }
    (map { [ $at{positions}[$_], $_, $lines{positions}[$_] ] } 0 .. $#{ $lines{positions} }),
    (map { [ $at{match}[$_] * $span, 1e6 + $_, $lines{match}[$_] ] } 0 .. $#{ $lines{match} });
my $goals = grep { /-GOAL"/ } @{ $lines{match} };
cmp_ok($goals, '>=', 4, "$goals goals");

spew("$site/index.html", <<'END');
<!doctype html>
<title>match</title>
<script type="module">
import {Hub} from "/hub.js";
const report = new Hub("report", {queue: 100000});
const say = (what) => report.publish({type: "page", ...what});
window.onerror = (why) => say({failed: String(why)});
window.onunhandledrejection = (event) => say({failed: String(event.reason?.stack ?? event.reason)});
const hub = new Hub("match", {transports: ["websocket"], select: {tick: 100, conflate: true, batch: true, fields: "compact"}});
let events = 0, moves = 0, skipped = 0, due = false;
// Where each stands, once all that came with the goal is known.
const pitch = () => Object.fromEntries([...hub.state("avatar_position_update")].map(([key, m]) => [key, m.seq]));
const look = (what) => say({what, at: hub.seq, pitch: pitch(), events, moves, skipped});
hub.on("status", (status) => status === "joined" && say({what: "joined"}));
hub.on("skipped", (count) => skipped += count);
hub.on("record", (m) => {
	if (m.type === "end") return queueMicrotask(() => look("end"));
	m.type === "match_event" ? events++ : moves++;
	if (due || !m.data?.subtype?.endsWith("-GOAL")) return;
	due = true;
	queueMicrotask(() => { due = false; look("goal"); });
});
</script>
END

my $heard = $hub->member('unix', 'report');
my $log = $hub->member('unix', 'match');
my $player = $hub->member('unix', 'match', echo => JSON::PP::false());
my $chromium = $browser->open('index.html');
my @said;

sub hear {
	push @said, map { unjson($_) } splice @{ $heard->{in} };
	my ($failed) = grep { $_->{failed} } @said;
	die "the page says: $failed->{failed}\n" if $failed;
	return 1;
}
wait_for { hear() && grep { $_->{what} eq 'joined' } @said } 'the page to join', 300;

# In many ticks, and so that what is said comes while the page reads.
while (my @some = splice @all, 0, 100) {
	$player->send_text(map { $_->[2] } @some);
	$player->sync;
	hear();
	select undef, undef, undef, 0.05;
}
$player->send({ type => 'end' });
wait_for { hear() && grep { $_->{what} eq 'end' } @said } 'the page to have all', 300;
wait_for { @{ $log->{in} } >= 6358 + 1745 + 1 } 'the log', 300;

# Where each stands in the log behind each of its records.
my (@truth, %now, @goal_at);
for (@{ $log->{in} }) {
	my $m = unjson($_);
	$now{ $m->{avatar_id} } = $m->{seq} if $m->{type} eq 'avatar_position_update';
	push @goal_at, $m->{seq} if ($m->{data}{subtype} // '') =~ /-GOAL$/;
	$truth[ $m->{seq} ] = {%now};
}
my @looks = grep { $_->{what} ne 'joined' } @said;
is(scalar @goal_at, $goals, 'all goals are in the log');
my ($before, $seen) = (0, 0);
for my $look (@looks) {
	my @of = grep { $_ > $before && $_ <= $look->{at} } @goal_at;
	$seen += @of;
	$before = $look->{at};
	is_deeply($look->{pitch}, $truth[ $look->{at} ], "$look->{what} at $look->{at}: the pitch is right")
	    or diag(json($look));
	is(scalar keys %{ $look->{pitch} }, 22, 'with everybody on it') if $look->{what} eq 'end';
}
is($seen, $goals, 'and each goal was seen');
my $end = $looks[-1];
is($end->{events}, 1745, 'no event was missing');
is($end->{moves} + $end->{skipped}, 6358, 'each move came, or is told as skipped');
note "$end->{skipped} of 6358 moves were skipped";
$browser->close($chromium);
$hub->stop;
done_testing;
