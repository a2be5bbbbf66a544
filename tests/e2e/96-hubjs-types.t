# Not under sanitizers.
# contrib/hub.d.ts says what hub.js is: TypeScript takes what is right and refuses what is wrong, under --strict, and
# the module has exactly the names that its types have. Without npm's TypeScript the test is
# skipped.
use strict;
use warnings;
use Hub;
use Hub::Npm;

my $package = 'typescript@5.6.3';
my $modules = Hub::Npm::modules($package) or plan skip_all => "no node here, or npm does not bring $package";

my $root = root();
my $dir = scratch();
spew("$dir/$_", slurp("$root/contrib/$_")) for 'hub.js', 'hub.d.ts';
spew("$dir/package.json", '{"type": "module"}');

# What the compiler says: "LINE CODE" of each error.
sub errors {
	my ($name, $text) = @_;
	my $file = spew("$dir/$name.ts", $text);
	my $r = run([ 'node', "$modules/typescript/bin/tsc", qw(--strict --noEmit --target es2022 --module nodenext),
		qw(--moduleResolution nodenext), $file ]);
	return map { /\((\d+),\d+\): error (TS\d+)/ ? "$1 $2" : /error TS/ ? $_ : () } split /\n/, $r->{out} . $r->{err};
}

is_deeply([ errors('right', <<'END') ], [], 'what is right');
import {Hub, HubError, type Ack, type HubRecord, type Options, type Status, type Transport} from "./hub.js";
const options: Options = {
	url: "wss://hub.example.org/ws", token: async () => "t", clientInfo: {name: "Ann"}, queue: 10, version: "2", transports: ["websocket", "poll"],
	keys: {bid: "player.name", deal: ""}, deletes: ["player_left"], firstWait: 1, longestWait: 2, attempts: 3, ping: 4, silence: 5,
	answer: 6, better: 7, shared: "ann", select: {types: ["*", "!x"], tick: 50, priority: "chat", batch: true, conflate: true, fields: "compact"}, WebSocket, fetch: (url, init) => fetch(url, init), storage: localStorage,
};
const hub = new Hub("match", options);
const off: () => void = hub.on("record", (record: HubRecord) => console.log(record.seq + 1, record.type, record.from));
off();
hub.on("status", (status, why) => { const s: Status = status; console.log(s, why?.code, why?.retryAfter); });
hub.on("gap", (gap) => gap.to_seq - gap.from_seq);
hub.on("presence", (news) => news.user_count);
hub.on("latency", (ms) => ms.toFixed());
hub.on("version", (wanted) => wanted.length);
hub.on("reset", (reason) => reason.length);
hub.on("direct", (message) => message.from);
hub.on("state", (record) => record.key);
hub.on("held", (why) => why.code);
hub.on("error", (error, message) => [error.status, message]);
for (const name of ["full", "drain", "rebootstrap"] as const) hub.on(name, () => hub.restart());
const ack: Ack = await hub.publish({type: "goal", key: "k", to: ["a", "@b"], by: "Ann", at: {x: 1}});
const sent: boolean = hub.send({type: "move"});
const lamp: HubRecord | undefined = hub.state("lamp").get("door");
const n: number = (await hub.presence()).members.length + await hub.ping() + hub.waiting + (hub.seq ?? 0) + (hub.userCount ?? 0);
const way: Transport | undefined = hub.transport;
console.log(ack.seq, sent, lamp, n, way, hub.full, hub.clientId, hub.latency, hub.epoch, hub.status === "failed");
try { hub.close(); } catch (error) { if (error instanceof HubError) console.log(error.code); }
export {};
END

my @wrong = errors('wrong', <<'END');
import {Hub} from "./hub.js";
new Hub();
new Hub("s", {queue: "10"});
new Hub("s", {transports: ["carrier pigeon"]});
new Hub("s", {nothing: 1});
const hub = new Hub("s");
hub.publish({by: "Ann"});
hub.on("nothing", () => {});
hub.on("record", (record: string) => record);
hub.status = "joined";
hub.state("lamp").set("door", 1);
const a: string = await hub.ping();
hub.status === "asleep";
export {};
END
is_deeply([ map { /^(\d+)/ } @wrong ], [ 2 .. 5, 7 .. 13 ], 'each line that is wrong') or diag(join "\n", @wrong);

my $names = run([ 'node', '--input-type=module', '-e', <<"END" ]);
import * as all from "$root/contrib/hub.js";
const hub = new all.Hub("s", {url: "http://127.0.0.1:9", transports: ["poll"]});
const own = Object.keys(hub);
console.log([...Object.keys(all), ...new Set([...own, ...Object.getOwnPropertyNames(all.Hub.prototype)])].filter((name) => name !== "constructor").sort().join());
hub.close();
END
my ($class) = slurp("$root/contrib/hub.d.ts") =~ /^export class Hub \{\n(.*?)^\}/ms;
my @typed = $class =~ /^\t(?:readonly )?(\w+)(?=[?:(<])/mg;
is($names->{out}, join(',', sort 'Hub', 'HubError', grep { $_ ne 'constructor' } @typed) . "\n", 'the module has the names that its types have');

my $page = slurp("$root/man/hub.js.3");
my ($events) = slurp("$root/contrib/hub.d.ts") =~ /^export interface Events \{\n(.*?)^\}/ms;
my ($options) = slurp("$root/contrib/hub.d.ts") =~ /^export interface Options \{\n(.*?)^\}/ms;
for my $name (($events =~ /^\t(\w+):/mg), $options =~ /^\t(\w+)\?:/mg) {
	like($page, qr/^\.It Cm (?:\w+ , )*\Q$name\E\b/m, "$name is in the page");
}
like($page, qr/^\.It Li \Q$_\E\(|^\.Li \Q$_\E(?: ,)?$/m, "$_ is in the page") for grep { $_ ne 'constructor' } @typed;

done_testing;
