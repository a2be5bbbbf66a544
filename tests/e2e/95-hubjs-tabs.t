# Not under sanitizers.
# Tabs that share a connection, in a real browser: they are one client; when the tab that has the connection goes,
# closed, crashed or loaded anew, another one goes on, and no tab misses a record or gets one twice; nor does the log
# get twice what they publish meanwhile. Over each transport, over a network that cuts, and with tabs that come late.
# HUB_TEST_ROUNDS: how many tabs go, of each transport (3).
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Cut;
use Hub::Http;

plan skip_all => Hub::Browser::missing() if Hub::Browser::missing();
my $kind = Hub::Browser::kind();
my $rounds = $ENV{HUB_TEST_ROUNDS} || 3;
my $root = root();
my $site = scratch() . '/site';
mkdir $site or die "$site: $!\n";
spew("$site/tab.html", <<'END');
<!doctype html>
<title>tab</title>
<script type="module">
import {Hub} from "/hub.js";
const {session, transports, url, name, own} = Object.fromEntries(new URLSearchParams(location.search));
const storage = {getItem: () => null, setItem() {}};
const hub = window.hub = new Hub(session, {shared: !own, url: url || "/", transports: transports.split(","), storage,
	firstWait: 20, longestWait: 100, attempts: 1e9});
const seen = window.seen = {got: [], wrong: [], states: [], acked: 0, sent: 0, head: 0};
const joined = hub.on("status", () => hub.seq === undefined || (seen.head ||= hub.seq, joined()));
hub.on("record", (m) => { seen.head ||= m.seq - 1; seen.got.push(m.seq); });
for (const what of ["reset", "gap", "error"]) hub.on(what, (why) => seen.wrong.push([what, JSON.stringify(why)]));
hub.on("status", (status, why) => (seen.states.push(status), status === "failed" && seen.wrong.push([status, why?.code])));
window.enough = false;
const publish = async (n) => {
	await hub.publish({type: "said", key: `${name} ${n % 5}`, name, n});
	seen.acked++;
};
setInterval(() => {
	for (let i = 0; i < 5 && !enough && hub.waiting < 20; i++) publish(++seen.sent).catch((e) => seen.wrong.push(["refused", String(e)]));
}, 10);
// The state as this tab has it.
window.state = () => [...hub.state("said")].map(([key, m]) => [key, m.n]).sort((a, b) => a[0] < b[0] ? -1 : 1);
</script>
END
my $hub = Hub->start(args => [ qw(--history 2000000 --history-bytes 1G --history-memory 2G --www), $site, '--www', "$root/contrib", '--cors', '*' ]);
my $base = "http://127.0.0.1:$hub->{port}";

sub whole_log {
	my ($session) = @_;
	my ($at, @all) = (0);
	while (1) {
		my $a = Hub::Http->fetch($hub, 'GET', "/sessions/$session/records?limit=1000&since=$at");
		my @new = map { unjson($_) } split /\n/, $a->{body} or return @all;
		push @all, @new;
		$at = $new[-1]{seq};
	}
}

sub tabs {
	my ($transport, $cut) = @_;
	my $session = join '.', $transport, $cut ? 'cut' : ();
	my $browser = Hub::Browser->start;
	my $n = 0;
	my (@open, %acked);
	my $url = $cut ? "http://127.0.0.1:$cut->{port}" : '';
	my $tab = sub {
		my $name = 't' . ++$n;
		my $page = $browser->open("$base/tab.html?session=$session&transports=$transport&url=$url&name=$name");
		$page->{name} = $name;
		push @open, $page;
		$page->until('window.seen && seen.acked > 0', "$name to be there");
		return $page;
	};
	$tab->() for 1 .. 2;
	is(unjson(Hub::Http->fetch($hub, 'GET', "/sessions/$session/presence")->{body})->{user_count}, 1, 'they are one client')
	    if $transport eq 'websocket' && !$cut;
	for my $round (1 .. $rounds) {
		$tab->();
		# The oldest tab has the connection.
		my $first = shift @open;
		$_->until('seen.got.length > 20', 'records') for @open;
		my $cuts = $cut ? $cut->cuts : 0;
		wait_for { $cut->cuts > $cuts } 'a cut' if $cut;
		$acked{ $first->{name} } = $first->eval('seen.acked');
		is(json($first->eval('seen.wrong')), '[]', "round $round: nothing went wrong in who goes");
		if ($round % 3 == 1) {
			$first->close;
		} elsif ($round % 3 == 2) {
			$first->crash;
		} else {
			$first->go("$base/tab.html?session=$session&transports=$transport&url=$url&name=again$round");
			$first->{name} = "again$round";
			push @open, $first;
		}
		my ($next) = @open;
		my $was = $next->eval('seen.acked');
		$_->until("seen.acked > $was + 5 || seen.wrong.length", 'the next one to go on') for $next;
	}
	$_->eval('enough = true') for @open;
	my @all;
	for my $page (@open) {
		$page->until('hub.waiting === 0 && seen.acked === seen.sent', "$page->{name}: the last acks");
		$acked{ $page->{name} } = $page->eval('seen.acked');
	}
	@all = whole_log($session);
	is_deeply([ map { $_->{seq} } @all ], [ 1 .. @all ], 'the log is whole');
	my (%in_log, %twice);
	$in_log{ $_->{name} }{ $_->{n} }++ && $twice{"$_->{name} $_->{n}"}++ for @all;
	is_deeply(\%twice, {}, 'nothing is in it twice');
	for my $name (sort keys %acked) {
		is(scalar(grep { !$in_log{$name}{$_} } 1 .. $acked{$name}), 0, "$name: what was acknowledged is in it ($acked{$name})");
	}
	my $state = do {
		my %last = map { $_->{key} => $_->{n} } @all;
		[ map { [ $_, $last{$_} ] } sort keys %last ];
	};
	for my $page (@open) {
		$page->until('hub.seq === ' . @all . ' || seen.wrong.length', "$page->{name}: the last record");
		my $seen = $page->eval('seen');
		is(json($seen->{wrong}), '[]', "$page->{name}: nothing was lost, nothing refused");
		is_deeply($seen->{got}, [ $seen->{head} + 1 .. @all ], "$page->{name}: each record once, in order, from $seen->{head} on");
		is_deeply($page->eval('state()'), $state, "$page->{name}: the mirror is the state");
	}
	$browser->close;
}

# What differs between browsers is how tabs meet.
for my $transport ($kind eq 'chromium' ? qw(websocket sse poll) : 'websocket') {
	subtest $transport => sub { tabs($transport) };
}

if ($kind eq 'chromium') {
	my $cut = Hub::Cut->start($hub->{port}, seed => 3, cuts => 1e9, bytes => 20_000);
	subtest 'a network that cuts' => sub { tabs('websocket', $cut) };
	$cut->stop;
}

subtest 'nobody is there, and then somebody' => sub {
	my $browser = Hub::Browser->start;
	my $away = Hub->start(listen => own_address() . ':0', args => [ '--cors', '*' ]);
	my $address = "$away->{host}:$away->{port}";
	my @pages = map { $browser->open("$base/tab.html?session=s&transports=websocket&url=http://$address&name=p$_") } 1 .. 2;
	$_->until('hub.status === "joined" && seen.acked') for @pages;
	$away->stop;
	$_->until('["waiting", "connecting"].includes(hub.status)', 'both to know that nobody is there') for @pages;
	my $new = Hub->start(listen => $address, args => [ '--cors', '*' ]);
	$_->until('hub.status === "joined" && seen.wrong.some(([what]) => what === "reset")', 'both to begin anew') for @pages;
	$_->eval('hub.close()') for @pages;
	is($_->eval('hub.status'), 'closed', 'and they may be closed') for @pages;
	$browser->close;
	$new->stop;
};

subtest 'who does not share is by itself' => sub {
	my $browser = Hub::Browser->start;
	my @pages = map { $browser->open("$base/tab.html?session=own&transports=websocket&own=1&name=p$_") } 1 .. 2;
	$_->until('hub.status === "joined" && hub.userCount === 2') for @pages;
	pass('two clients');
	$browser->close;
};

$hub->stop;
done_testing;
