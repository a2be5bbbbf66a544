// What tests/conformance/wire-peers runs: node wire-peers.js DRIVER SEED CASES
//
// Inputs are generated from the seed, mostly valid, with mutations. The driver (wire.c) tells what our
// parsers make of them; Node's HTTP server and ws tell the same. Where both refuse, they agree, whatever the
// status. Each difference must be of a class in the tables below, and what a class says about the input
// must be true of it.
'use strict';
const { spawnSync } = require('child_process');
const http = require('http');
const { Duplex } = require('stream');
const { Receiver, WebSocketServer } = require('ws');
const { headDifferences, frameDifferences } = require('./wire-differences.js');

const [ driver, seed, cases ] = [ process.argv[2], Number(process.argv[3]), Number(process.argv[4]) ];
const MESSAGE_MAX = 100000;
let state = seed >>> 0;

// mulberry32
function random() {
	let t = state += 0x6d2b79f5;
	t = Math.imul(t ^ t >>> 15, t | 1);
	t ^= t + Math.imul(t ^ t >>> 7, t | 61);
	return ((t ^ t >>> 14) >>> 0) / 4294967296;
}
const below = n => Math.floor(random() * n);
const chance = p => random() < p;
const pick = list => list[below(list.length)];
const ascii = value => JSON.stringify(value).replace(/[^ -~]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
const hex = text => Buffer.from(text, 'latin1').toString('hex');

// --- inputs

const methods = [ 'GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'PROPFIND',
	'get', 'BREW', 'G(T' ];
const targets = [ '/', '/', '/ws', '/a/b?c=d', '/?q=100%', '/%41%2f', '/%zz', '/a?b[c]={d}|', '/a#b', '/\xe4', '*',
	'http://b/c?d', 'http://b', 'https://b:8443?q', 'http://u@b/', 'http://', 'ftp://b/', 'b:80', 'b', 'a b', '',
	'/<a>', '/{a}' ];
const versions = [ 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2',
	'HTTP/2.0', 'HTTP/1', 'http/1.1', 'HTTP/0.9', 'HTTP/1.1 ' ];
const lines = [ 'Accept: */*', 'Cookie: a=b; c="d"', 'X:', 'X-Empty: ', 'X-Tabs: \t a \t', 'X-Latin: \xe4\xff', 'X: a:b',
	'Connection: close', 'Connection: keep-alive', 'Connection: Upgrade', 'Connection: a, upgrade', 'Upgrade: websocket',
	'Upgrade: h2c', 'Expect: 100-continue', 'Expect: b', 'Host: b', 'Host: a b', 'Bad Name: a', 'Space : a', ' folded',
	'\tfolded', ': a', 'no colon', 'X-Ctl: \x01', 'X-Del: \x7f', '!#$%&\'*+-.^_`|~: a', 'X(: a', 'Content-Length: 3',
	'Content-Length: +3', 'Content-Length: 3, 3', 'Content-Length:', 'Content-Length: 99999999999999999999',
	'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: identity',
	'Transfer-Encoding: chunked, gzip', 'TE: trailers' ];
const hosts = [ 'Host: a', 'Host: a', 'Host: a', 'Host: a', 'Host: a:80', 'host:a.example', 'Host: [::1]:80', 'Host:',
	'Host: a/b', 'Host: a:b', 'Host: [::1', 'Host: a@b' ];
const bytes = [ '\r', '\n', '\r\n', ' ', '\t', ':', ',', ';', '\0', '\x7f', '\x80', '\xff', 'A', '0', '"', '/', '\r\n ', '\n\n' ];
const chunks = [ '3\r\nabc\r\n', 'A\r\n0123456789\r\n', '1;x=y\r\na\r\n', '1 ;x="y;\xe4" ; z\r\na\r\n', '03\r\nabc\r\n',
	'2\r\n\r\n\r\n' ];
const oddChunks = [ '3 \r\nabc\r\n', '3\nabc\r\n', '3\r\nabc\n', '3\r\nabcd\r\n', '0x3\r\nabc\r\n', '-1\r\n',
	'ffffffffffffffff\r\n', '8000000000000000\r\n', '00000000000000000003\r\nabc\r\n', '1;\x01\r\na\r\n', '1;;\r\na\r\n',
	'1;=a\r\na\r\n', '\r\n' ];
const trailers = [ '', '', '', 'A: b\r\n', 'A: b\r\nC:\r\n', 'A : b\r\n', ' A: b\r\n', 'Content-Length: 5\r\n', 'A\r\n',
	'A: \xe4\r\n' ];

function mutate(text) {
	const at = below(text.length + 1);
	switch (below(6)) {
	case 0: return text.slice(0, at) + pick(bytes) + text.slice(at);
	case 1: return text.slice(0, at) + text.slice(at + 1);
	case 2: return text.slice(0, at) + pick(bytes) + text.slice(at + 1);
	case 3: return text.slice(0, at);
	case 4: return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
	default: {
		const all = text.split('\r\n'), i = below(all.length);
		all.splice(i, 0, all[i]);
		return all.join('\r\n');
	}
	}
}

function handshake() {
	const fields = [ pick(hosts.slice(0, 6)), pick([ 'Upgrade: websocket', 'Upgrade: WebSocket', 'Upgrade: h2c, websocket' ]),
		pick([ 'Connection: Upgrade', 'Connection: keep-alive, Upgrade', 'connection: upgrade' ]),
		`Sec-WebSocket-Key: ${pick([ 'dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZR==', 'dGhlIHNhbXBsZSBub25j',
			Buffer.from(Array.from({ length: 16 }, () => below(256))).toString('base64') ])}`,
		`Sec-WebSocket-Version: ${pick([ '13', '13', '13', '13', '8', '013', '14' ])}` ];
	if (chance(0.3)) fields.push(`Sec-WebSocket-Protocol: ${pick([ 'a', 'a, b', 'a,a', 'a,', 'a b', '' ])}`);
	if (chance(0.2)) fields.splice(below(fields.length), 1);
	if (chance(0.2)) fields.push(pick(lines));
	fields.sort(() => random() - 0.5);
	return `${chance(0.95) ? 'GET' : pick(methods)} /ws HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`;
}

function request() {
	const odd = chance(0.4);
	let method = odd ? pick(methods) : pick(methods.slice(0, 10)), body = '';
	let target = odd ? pick(targets) : pick(targets.slice(0, 4)), version = odd ? pick(versions) : 'HTTP/1.1';
	const fields = chance(0.97) ? [ odd ? pick(hosts) : pick(hosts.slice(0, 7)) ] : [];
	for (let n = below(4); n > 0; n--) fields.push(odd && chance(0.5) ? pick(lines) : pick(lines.slice(0, 7)));
	if (chance(0.2)) {
		body = 'hello'.slice(0, below(6));
		fields.push(`Content-Length: ${chance(0.9) ? body.length : below(9)}`);
	} else if (chance(0.3)) {
		for (let n = below(4); n > 0; n--) body += chance(0.9) ? pick(chunks) : pick(oddChunks);
		body += `0${chance(0.1) ? ';x' : ''}\r\n${pick(trailers)}\r\n`;
		fields.push(`${chance(0.5) ? 'Transfer-Encoding' : 'transfer-encoding'}: ${pick([ 'chunked', 'chunked', 'Chunked ' ])}`);
	}
	if (chance(0.1)) fields.reverse();
	return `${chance(0.03) ? '\r\n' : ''}${method} ${target} ${version}\r\n${fields.map(f => f + '\r\n').join('')}\r\n${body}`;
}

function head() {
	let text = chance(0.25) ? handshake() : request();
	if (chance(0.3)) text += chance(0.5) ? request() : 'GET /second HTTP/1.1\r\nHost: a\r\n\r\n';
	if (chance(0.01)) text = text.replace('\r\n', `\r\nX-Long: ${'a'.repeat(15000 + below(3000))}\r\n`);
	if (chance(0.3)) text = mutate(text);
	if (chance(0.1)) text = mutate(text);
	return Buffer.from(text, 'latin1');
}

const texts = [ '', 'a', 'Hello', 'caf\u00e9', '\u20ac', '\u{1f600}', 'x'.repeat(125), 'y'.repeat(126), '\u20ac'.repeat(50) ];
const badTexts = [ 'ff', 'c3', '80', 'eda080', 'c080', 'f4908080', 'e28228', 'f09f98', '61c3' ].map(h => Buffer.from(h, 'hex'));
const codes = [ 1000, 1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1014, 3000, 4999, 999, 1004, 1005, 1006, 1015, 2000, 5000 ];

function payload() {
	if (chance(0.05)) return Buffer.alloc(pick([ 65535, 65536, 99999, 100000, 100001, 300 ]), 'z');
	return chance(0.93) ? Buffer.from(pick(texts)) : pick(badTexts);
}

function frame(first, data, odd) {
	const form = odd && chance(0.15) ? data.length < 65536 ? pick([ 126, 127 ]) : 127 : data.length < 126 ? data.length
		: data.length < 65536 ? 126 : 127;
	const masked = !(odd && chance(0.1)), mask = Buffer.from([ below(256), below(256), below(256), below(256) ]);
	const size = Buffer.alloc(form === 127 ? 8 : form === 126 ? 2 : 0);
	if (form === 127) size.writeBigUInt64BE(BigInt(data.length) | (odd && chance(0.2) ? 1n << 63n : 0n));
	if (form === 126) size.writeUInt16BE(data.length);
	if (odd && chance(0.1)) first ^= 1 << below(8);
	return Buffer.concat([ Buffer.from([ first, form | (masked ? 128 : 0) ]), size, masked ? mask : Buffer.alloc(0),
		masked ? Buffer.from(data.map((b, i) => b ^ mask[i & 3])) : data ]);
}

function control(odd) {
	const short = odd && chance(0.1) ? payload() : Buffer.from(pick(texts)).subarray(0, 125);
	if (!chance(0.15)) return frame(pick([ 0x89, 0x8a ]), short, odd);
	const code = Buffer.alloc(2), reason = odd && chance(0.3) ? pick(badTexts) : Buffer.from(pick([ '', 'bye', '\u20ac' ]));
	code.writeUInt16BE(odd ? pick(codes) : pick(codes.slice(0, 12)));
	return frame(0x88, chance(0.3) ? Buffer.alloc(odd && chance(0.3) ? 1 : 0) : Buffer.concat([ code, reason ]), odd);
}

function message(odd) {
	const opcode = chance(0.7) ? 1 : 2, parts = [];
	let data = payload(), first = opcode;
	while (chance(0.35)) {
		const cut = below(Math.min(data.length, 40) + 1);
		parts.push(frame(first, data.subarray(0, cut), odd));
		if (chance(0.3)) parts.push(control(odd));
		data = data.subarray(cut);
		first = 0;
	}
	parts.push(frame(first | 0x80, data, odd));
	if (odd && chance(0.1)) parts.splice(below(parts.length), 1);
	return Buffer.concat(parts);
}

function stream() {
	const odd = chance(0.5), parts = [];
	for (let n = 1 + below(4); n > 0; n--) parts.push(chance(0.7) ? message(odd) : control(odd));
	let all = Buffer.concat(parts);
	if (chance(0.15)) all = all.subarray(0, below(all.length + 1));
	if (chance(0.15) && all.length) all[below(Math.min(all.length, 60))] = below(256);
	return all;
}

// --- the peers

// A connection that gives all at once, then ends; what is written to it is kept.
class Wire extends Duplex {
	constructor(data) {
		super();
		this.data = data;
		this.written = '';
		this.on('error', () => {});
	}
	_read() {
		if (this.data) this.push(this.data), this.data = null;
		else this.push(null);
	}
	_write(chunk, encoding, done) {
		this.written += chunk.toString('latin1');
		done();
	}
	setTimeout() { return this; }
	setNoDelay() { return this; }
	setKeepAlive() { return this; }
}

const server = http.createServer({ keepAlive: false }), upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false });
server.timeout = 0;

function seen(req, upgrade) {
	const entry = { method: req.method, version: req.httpVersion, upgrade, target: hex(req.url), fields: [], body: '', req };
	for (let i = 0; i < req.rawHeaders.length; i += 2) entry.fields.push([ hex(req.rawHeaders[i]), hex(req.rawHeaders[i + 1]) ]);
	req.socket.result.requests.push(entry);
	return entry;
}

function onRequest(req, res) {
	const entry = seen(req, false);
	req.on('data', piece => { entry.body += piece.toString('hex'); });
	req.on('error', () => {});
	res.end();
}

server.on('request', onRequest);
server.on('checkContinue', onRequest);
server.on('checkExpectation', (req, res) => {
	req.socket.result.end = 'HPE 417';
	res.end();
});
server.on('upgrade', (req, wire, rest) => {
	const entry = seen(req, true);
	wire.result.end = 'upgrade';
	entry.handshake = 0;
	const before = wire.written.length;
	upgrades.handleUpgrade(req, wire, rest, ws => {
		ws.on('error', () => {});
		ws.terminate();
	});
	const answer = wire.written.slice(before);
	entry.handshake = Number(answer.slice(9, 12));
	entry.accept = (/Sec-WebSocket-Accept: (.*)\r/.exec(answer) || [])[1];
});
server.on('connect', (req, wire) => {
	seen(req, false);
	wire.result.end = 'upgrade';
});
server.on('clientError', (error, wire) => {
	wire.result.end = wire.result.end || `${error.code} ${error.reason || ''}`.trim();
});

async function nodeReads(inputs) {
	const results = [];
	for (let from = 0; from < inputs.length; from += 250) {
		const wires = inputs.slice(from, from + 250).map(data => {
			const wire = new Wire(data);
			wire.result = { requests: [], end: '' };
			server.emit('connection', wire);
			return wire;
		});
		// Nothing of this waits for anything but the loop.
		for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
		for (const wire of wires) {
			const r = wire.result;
			for (const entry of r.requests) entry.complete = entry.req.complete, delete entry.req;
			// Node answers a missing Host itself, behind what it tells.
			if (!r.end && /HTTP\/1\.1 4\d\d/.test(wire.written)) r.end = 'HPE answered 4xx';
			results.push(r);
			wire.destroy();
		}
	}
	return results;
}

function wsReads(data) {
	const events = [], receiver = new Receiver({ isServer: true, maxPayload: MESSAGE_MAX });
	let why = '';
	receiver.on('message', (m, binary) => events.push([ binary ? 'binary' : 'text', 0, m.toString('hex') ]));
	receiver.on('ping', m => events.push([ 'ping', 0, m.toString('hex') ]));
	receiver.on('pong', m => events.push([ 'pong', 0, m.toString('hex') ]));
	receiver.on('conclude', (code, m) => events.push([ 'close', code, m.toString('hex') ]));
	receiver.on('error', e => {
		events.push([ 'fail', e[Object.getOwnPropertySymbols(e)[0]], '' ]);
		why = e.message;
	});
	return new Promise(done => {
		const finish = () => setImmediate(() => done({ events, why }));
		receiver.once('error', finish);
		receiver.write(data, finish);
	});
}

// --- what ours make of it

function ours(letter, inputs) {
	const records = inputs.map(data => {
		const front = Buffer.alloc(5);
		front.write(letter, 'latin1');
		front.writeUInt32LE(data.length, 1);
		return Buffer.concat([ front, data ]);
	});
	const run = spawnSync(driver, { input: Buffer.concat(records), maxBuffer: 1 << 30 });
	if (run.status !== 0) throw new Error(`${driver}: ${run.signal || run.status}: ${run.stderr}`);
	return run.stdout.toString('latin1').split('\n').slice(0, -1).map(JSON.parse);
}

// --- where they differ

// The first difference of a stream of requests, as { kind, ours, theirs, ... }, or null.
function headDifference(a, b) {
	for (let i = 0;; i++) {
		const x = a.requests[i], y = b.requests[i];
		if (!x || !y) {
			const refuses = /^[45]/.test(a.end), end = b.end;
			if (!x && !y) {
				if (refuses !== /^HPE/.test(end) && !(a.end === 'more' && /INVALID_EOF/.test(end)))
					return { kind: 'end', ours: refuses ? a.why : a.end, theirs: end || 'more', i };
				return refuses && /INVALID_EOF/.test(end) ? { kind: 'end', ours: a.why, theirs: 'more', i } : null;
			}
			// Node tells a request before it judges how its body is framed.
			if (y && refuses && i + 1 === b.requests.length && !y.complete && /^HPE/.test(end)) return null;
			return x ? { kind: 'refuses', ours: 'accepts', theirs: end || 'more', i, x }
				: { kind: 'accepts', ours: refuses ? a.why : a.end, theirs: 'accepts', i, y };
		}
		for (const name of [ 'method', 'version', 'target', 'upgrade' ])
			if (x[name] !== y[name]) return { kind: name, ours: x[name], theirs: y[name], i, x, y };
		if (JSON.stringify(x.fields) !== JSON.stringify(y.fields)) return { kind: 'fields', ours: x.fields, theirs: y.fields, i, x, y };
		if (x.handshake && y.handshake && (x.handshake === 101) !== (y.handshake === 101))
			return { kind: 'handshake', ours: x.handshake_why || 101, theirs: y.handshake, i, x, y };
		if (x.accept !== y.accept) return { kind: 'accept', ours: x.accept, theirs: y.accept, i, x, y };
		if (x.upgrade || x.method === 'CONNECT') return null;
		const [ , payloadOurs, how ] = /^(.*)\|(\w+)$/s.exec(Buffer.from(x.body, 'hex').toString('latin1'));
		if (how === 'done' !== y.complete) return { kind: 'body', ours: how, theirs: y.complete ? 'done' : b.end || 'more', i, x, y };
		if (how === 'done' && hex(payloadOurs) !== y.body) return { kind: 'payload', ours: hex(payloadOurs), theirs: y.body, i, x, y };
		if (how !== 'done') return null;
	}
}

function frameDifference(a, b) {
	for (let i = 0;; i++) {
		const x = a.events[i], y = b.events[i];
		if (!x && !y) return null;
		if (JSON.stringify(x) === JSON.stringify(y)) continue;
		return { ours: x ? `${x[0]} ${x[1]} ${x[0] === 'fail' ? a.why : ''}`.trim() : 'nothing',
			theirs: y ? `${y[0]} ${y[1]} ${y[0] === 'fail' ? b.why : ''}`.trim() : 'nothing', i, x, y };
	}
}

let failed = 0, number = 0;

function report(name, inputs, mine, peers, difference, table) {
	const counts = new Map(table.map(t => [ t, 0 ])), unknown = [];
	let agreed = 0, accepted = 0;
	for (let n = 0; n < inputs.length; n++) {
		const d = difference(mine[n], peers[n]);
		if (!d) {
			agreed++;
			if (!/^[45]|fail/.test(mine[n].end || JSON.stringify(mine[n].events))) accepted++;
			continue;
		}
		d.text = inputs[n].toString('latin1');
		// The request in question.
		if (mine[n].requests) d.text = d.text.slice((mine[n].requests[d.i] || mine[n]).at);
		else d.bytes = inputs[n];
		const known = table.find(t => t.is(d));
		if (known) counts.set(known, counts.get(known) + 1);
		else unknown.push({ n, d });
	}
	console.log(`# ${name}: ${inputs.length} inputs, ${agreed} alike (${accepted} of them taken whole by both)`);
	for (const [ t, count ] of counts) console.log(`# ${String(count).padStart(6)}  ${t.what}`);
	// One of each kind, and how many more.
	const groups = new Map();
	for (const u of unknown) {
		const key = JSON.stringify([ u.d.kind, [ 'fields', 'target', 'payload', 'accept' ].includes(u.d.kind) ? '' : [ u.d.ours, u.d.theirs ] ]);
		groups.set(key, [ ...groups.get(key) || [], u ]);
	}
	for (const [ { n, d: { text, bytes: _, x, y, ...rest } }, ...more ] of groups.values())
		console.log(`# input ${n} and ${more.length} more: ${ascii(rest)}\n#   ${ascii(text).slice(0, 600)}`);
	const enough = agreed > inputs.length / 2 && accepted > inputs.length / 10;
	const ok = unknown.length === 0 && enough;
	if (!ok) failed = 1;
	console.log(`${ok ? 'ok' : 'not ok'} ${++number} - ${name}: ${unknown.length} differences that nothing explains`);
}

async function main() {
	console.log(`1..2\n# seed ${seed}; node ${process.version}, ws ${require('ws/package.json').version}`);
	const heads = Array.from({ length: cases }, head);
	report('requests', heads, ours('H', heads), await nodeReads(heads), headDifference, headDifferences);
	const streams = Array.from({ length: cases }, stream);
	const theirs = [];
	for (const data of streams) theirs.push(await wsReads(Buffer.from(data)));
	report('frames', streams, ours('F', streams), theirs, frameDifference, frameDifferences);
	process.exit(failed);
}
main();
