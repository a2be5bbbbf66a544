// socketio_cuts.js MODULE PORT[,PORT...] SESSION TRANSPORTS CUTS SEED [ROOM...]: a client behind a proxy of its own, which
// cuts all its connections at so many moments; prints whether it got all events that somebody else numbers, once and in
// order, and how it came back. Of several hubs each connection is to another one. In rooms, to which rules of the hub bring
// it, so it is in each; then `say` is a rule that says somewhere what it is given.
'use strict';

const net = require('net');
const [name, hubs, session, transports, cuts, seed, ...rooms] = process.argv.slice(2);
const ports = hubs.split(',');
let connections = 0;
const {io} = require(name);

let state = Number(seed) || 1;
const random = () => {
	state = (state * 1103515245 + 12345) & 0x7fffffff;
	return state / 0x80000000;
};

const open = new Set();
const proxy = net.createServer((near) => {
	const far = net.connect(ports[connections++ % ports.length], '127.0.0.1');
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
	const writer = io(base(ports[0]), {...options, transports: ['websocket'], auth: {writes: true}});
	const report = {recovered: 0, fresh: 0, cut: 0};
	const places = [session, ...rooms];
	let n = 0, first = true, joined = 0;
	const got = places.map(() => []);
	socket.on('n', (data) => got[rooms.length ? places.indexOf(data.session) : 0].push(data.i));
	socket.on('hub:joined', () => joined++);
	// What has come before it was told that it is there again is kept over the next cut, and comes again.
	socket.on('disconnect', () => socket.receiveBuffer = []);
	socket.on('connect', () => {
		if (!first)
			report[socket.recovered ? 'recovered' : 'fresh']++;
		first = false;
	});
	await Promise.all([socket, writer].map((s) => new Promise((resolve) => s.once('connect', resolve))));
	while (joined < rooms.length)
		await new Promise((resolve) => setTimeout(resolve, 5));
	const emit = () => new Promise((resolve) => rooms.length
		? writer.emit('say', {i: Math.floor(n / places.length), session: places[n++ % places.length]}, resolve)
		: writer.emit('n', {i: n++}, resolve));
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
	do
		await emit();
	while (n % places.length);
	// What is lost is not waited for when the last has come.
	while (got.some((all) => all[all.length - 1] !== n / places.length - 1))
		await new Promise((resolve) => setTimeout(resolve, 5));
	report.wrong = null;
	for (const all of got) {
		const wrong = all.findIndex((i, at) => i !== at);
		if (wrong >= 0 || all.length !== n / places.length)
			report.wrong = all.slice(Math.max(wrong - 3, 0), wrong + 3);
	}
	report.joined = joined;
	report.sent = n;
	process.stdout.write(JSON.stringify(report) + '\n', () => process.exit(0));
});
