// socketio_cuts.js MODULE PORT SESSION TRANSPORTS CUTS SEED: a client behind a proxy of its own, which cuts all its
// connections at so many moments; prints whether it
// got all events that somebody else numbers, once and in order, and how it came back.
'use strict';

const net = require('net');
const [name, port, session, transports, cuts, seed] = process.argv.slice(2);
const {io} = require(name);

let state = Number(seed) || 1;
const random = () => {
	state = (state * 1103515245 + 12345) & 0x7fffffff;
	return state / 0x80000000;
};

const open = new Set();
const proxy = net.createServer((near) => {
	const far = net.connect(port, '127.0.0.1');
	open.add(near);
	near.on('close', () => open.delete(near));
	for (const [a, b] of [[near, far], [far, near]]) {
		a.on('data', (data) => b.write(data));
		a.on('error', () => {});
		a.on('close', () => b.destroy());
	}
});
// Where a WebSocket is cut between its 101 and its first packet, the client waits for that until `timeout`.
const options = {forceNew: true, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0, timeout: 2000};

proxy.listen(0, '127.0.0.1', async () => {
	const base = (at) => `http://127.0.0.1:${at}/${session}`;
	const socket = io(base(proxy.address().port), {...options, transports: transports.split(',')});
	const writer = io(base(port), {...options, transports: ['websocket']});
	const report = {recovered: 0, fresh: 0, cut: 0};
	let n = 0, first = true;
	const got = [];
	socket.on('n', (data) => got.push(data.i));
	socket.on('connect', () => {
		if (!first)
			report[socket.recovered ? 'recovered' : 'fresh']++;
		first = false;
	});
	await Promise.all([socket, writer].map((s) => new Promise((resolve) => s.once('connect', resolve))));
	const emit = () => new Promise((resolve) => writer.emit('n', {i: n++}, resolve));
	while (report.cut < cuts) {
		await new Promise((resolve) => setTimeout(resolve, random() * 12));
		for (let i = random() * 4; i > 0; i--)
			await emit();
		// Whatever it is doing: connecting, polling, going on, or nothing of that.
		if (open.size) {
			report.cut++;
			for (const near of open)
				near.destroy();
		}
	}
	while (!socket.connected)
		await new Promise((resolve) => setTimeout(resolve, 5));
	await emit();
	while (got[got.length - 1] !== n - 1)
		await new Promise((resolve) => setTimeout(resolve, 5));
	const wrong = got.findIndex((i, at) => i !== at);
	report.wrong = wrong < 0 && got.length === n ? null : got.slice(Math.max(wrong - 3, 0), wrong + 3);
	report.sent = n;
	process.stdout.write(JSON.stringify(report) + '\n', () => process.exit(0));
});
