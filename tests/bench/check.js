#!/usr/bin/env node
// A second opinion on hubbench: measures fan-out on a WebSocket server that broadcasts, with nothing of
// hubbench in it, on Node's own sockets. tests/bench/check runs both and shows by how much they differ.
//
//   node check.js '{"port":8000,"path":"/ws","join":"room","clients":100,"publishers":10,"rate":100,
//                   "closed":0,"seconds":5,"warmup":1,"bytes":100}'
//
// Open model: a message is due every 1/rate seconds, and its latency counts from then. Closed model:
// each publisher has `closed` messages under way and fills up when it has half of them back. Prints
// {"deliveries_per_s","sent_per_s","p50_us","p99_us","max_us","missing"} of what was due, and what
// came, within the measured time.
'use strict';
const net = require('net');
const o = { path: '/', join: '', rate: 0, closed: 0, seconds: 5, warmup: 1, bytes: 100,
	...JSON.parse(process.argv[2]) };
const now = () => Number(process.hrtime.bigint() / 100n) / 10000; // ms
const start = { at: Infinity };
let joined = 0, sent = 0, sentTimed = 0, delivered = 0, timed = 0;
const latencies = [];
const members = [];

// A masked text frame; the key is zero, so that the payload stands as it is.
function frame(text) {
	const body = Buffer.from(text, 'latin1');
	const head = body.length < 126 ? Buffer.from([ 0x81, 0x80 | body.length, 0, 0, 0, 0 ])
		: Buffer.from([ 0x81, 0x80 | 126, body.length >> 8, body.length & 255, 0, 0, 0, 0 ]);
	return Buffer.concat([ head, body ]);
}

// "check", publisher (4 digits), the instant it was due (16: microseconds), and padding.
function publish(publisher, due) {
	const text = 'check' + String(publisher).padStart(4, '0') + (due * 1000).toFixed(0).padStart(16, '0');
	members[publisher].socket.write(frame(text.padEnd(o.bytes, 'x')));
	sent++;
	if (due >= start.at && due < start.end) sentTimed++;
}

function fill(member, at) {
	for (; member.underWay < o.closed; member.underWay++) publish(member.index, at);
}

function take(member, payload, at) {
	if (payload.length < 25 || payload[0] !== 99 || payload.latin1Slice(0, 5) !== 'check') return;
	delivered++;
	if (at >= start.at && at < start.end) timed++;
	const due = Number(payload.latin1Slice(9, 25)) / 1000;
	if (due >= start.at && due < start.end) latencies.push(at - due);
	if (o.closed && member.index === Number(payload.latin1Slice(5, 9))
		&& --member.underWay <= o.closed / 2 && at < start.end)
		fill(member, at);
}

// Takes all whole frames of a piece; what is left waits for the next one.
function read(member, piece) {
	const at = now();
	let data = member.rest ? Buffer.concat([ member.rest, piece ]) : piece, from = 0;
	if (!member.open) {
		const end = data.indexOf('\r\n\r\n');
		if (end < 0) return void (member.rest = data);
		if (!data.latin1Slice(0, 16).includes(' 101')) throw new Error(data.latin1Slice(0, end));
		member.open = true;
		from = end + 4;
		if (o.join) member.socket.write(frame(o.join));
		if (++joined === o.clients) setTimeout(begin, 500);
	}
	while (data.length - from >= 2) {
		let head = 2, length = data[from + 1];
		if (length === 126) {
			if (data.length - from < 4) break;
			length = data.readUInt16BE(from + 2), head = 4;
		} else if (length === 127) throw new Error('a frame over 65535 bytes');
		if (data.length - from < head + length) break;
		take(member, data.subarray(from + head, from + head + length), at);
		from += head + length;
	}
	member.rest = from < data.length ? data.subarray(from) : null;
}

function begin() {
	const first = now();
	start.at = first + o.warmup * 1000;
	start.end = start.at + o.seconds * 1000;
	let next = 0;
	(function tick() {
		const at = now();
		if (at >= start.end) return void settle(at);
		if (o.rate)
			for (let due; (due = first + next * 1000 / o.rate) <= at && due < start.end; next++)
				publish(next % o.publishers, due);
		// Timers are good to a millisecond: sleeps until shortly before, then looks again and again.
		const left = o.rate ? first + next * 1000 / o.rate - now() : 5;
		if (left > 3) setTimeout(tick, left - 2);
		else setImmediate(tick);
	})();
	if (!o.rate)
		members.slice(0, o.publishers).forEach((member) => fill(member, first));
}

function settle(since) {
	if (delivered < sent * o.clients && now() < since + 3000) return void setTimeout(settle, 20, since);
	latencies.sort((a, b) => a - b);
	const p = (share) => Math.round(latencies[Math.ceil(latencies.length * share) - 1] * 1000);
	console.log(JSON.stringify({ deliveries_per_s: Math.round(timed / o.seconds),
		sent_per_s: Math.round(sentTimed / o.seconds), p50_us: p(0.5), p99_us: p(0.99), max_us: p(1),
		missing: sent * o.clients - delivered }));
	process.exit(0);
}

for (let i = 0; i < o.clients; i++) {
	const member = { index: i, socket: net.connect(o.port, '127.0.0.1'), open: false, rest: null,
		underWay: 0 };
	members.push(member);
	member.socket.setNoDelay(true);
	member.socket.on('data', (piece) => read(member, piece));
	member.socket.on('error', (err) => { throw err; });
	member.socket.write(`GET ${o.path} HTTP/1.1\r\nHost: 127.0.0.1:${o.port}\r\nUpgrade: websocket\r\n` +
		'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aHViIGxvYWQgY2xpZW50IQ==\r\n\r\n');
}
