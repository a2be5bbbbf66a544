# A page in a real browser joins over WebSocket, sends, receives what others send, and is told when the hub
# goes. The page reports by HTTP to this test, which also served it.
use strict;
use warnings;
use Hub;
use Hub::Web;

plan skip_all => 'no chromium here' unless Hub::Web::browser();

my $hub = Hub->start(args => [ '--history', 1000 ]);
my $web = Hub::Web->start(page => do { local $/; <DATA> });
my $report = $web->{report};

sub wait_report {
	my ($name) = @_;
	wait_for { $web->serve; $report->{failed} || $report->{$name} } "the page's report: $name", 300;
	die 'the page says: ' . json($report->{failed}) . "\n" if $report->{failed};
	return $report->{$name}[0];
}

my $peer = $hub->member('unix', 'page');
my $chromium = $web->open('page', "?ws://127.0.0.1:$hub->{port}/ws");

my $joined = wait_report('joined');
is($joined->{protocol}, 'hub', 'the subprotocol is agreed');
is($joined->{answer}{session_id}, 'page', 'the page has joined');
is($joined->{answer}{user_count}, 2, 'as the second member');
is_deeply(wait_report('soap'), { opened => JSON::PP::false, code => 1006 }, 'a page that asks for another subprotocol gives up');

my $hello = $peer->next;
is($hello->{type}, 'hello', 'what the page sends arrives');
is($hello->{text}, "gr\x{fc}\x{df}e \x{1f600}", 'in its own script');
is($hello->{from}, $joined->{answer}{client_id}, 'from the page');

$peer->send_text(map { qq({"type":"n","n":$_}) } 1 .. 500);
$peer->send({ type => 'big', text => "\x{20ac}" x 20_000 });
$peer->send({ type => 'private', to => $hello->{from} });
$peer->send({ type => 'end' });
my $got = wait_report('received');
is_deeply($got->{numbers}, [ 1 .. 500 ], 'all records in order');
is_deeply($got->{seq}, [ 1 .. 503 ], 'numbered without a hole, its own among them');
is($got->{big}, 20_000, 'a large one whole');
is($got->{private}, 1, 'and a direct one');

kill 'TERM', $hub->pid;
is(wait_report('closed')->{code}, 1012, 'the page is told of the restart');
$hub->ended;
$web->close($chromium);
done_testing;

__DATA__
<!doctype html>
<title>hub</title>
<script>
const report = (name, what) => fetch('/' + name, {method: 'POST', body: JSON.stringify(what)});
const fail = (why) => report('failed', String(why));
window.onerror = fail;
const ws = new WebSocket(location.search.slice(1), 'hub');
const soap = new WebSocket(location.search.slice(1), 'soap');
let opened = false;
soap.onopen = () => (opened = true);
soap.onclose = (event) => report('soap', {opened, code: event.code});
const got = {numbers: [], seq: [], big: 0, private: 0};
ws.onopen = () => ws.send(JSON.stringify({type: 'session_associate', session_id: 'page'}));
ws.onmessage = (event) => {
	const m = JSON.parse(event.data);
	if (m.seq) got.seq.push(m.seq);
	switch (m.type) {
	case 'session_associated':
		got.seq = [];
		report('joined', {protocol: ws.protocol, answer: m});
		ws.send(JSON.stringify({type: 'hello', text: 'gr\u00fc\u00dfe \ud83d\ude00'}));
		break;
	case 'n': got.numbers.push(m.n); break;
	case 'big': got.big = m.text.length; break;
	case 'private': got.private++; break;
	case 'end': wait(); break;
	case 'error': fail(event.data); break;
	}
};
// A direct message may overtake records, or come after them.
const wait = () => got.private ? report('received', got) : setTimeout(wait, 20);
ws.onclose = (event) => report('closed', {code: event.code});
ws.onerror = () => fail('the connection failed');
</script>
