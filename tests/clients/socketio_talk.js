// What clients of Socket.IO do, in Node and in a browser: `io` of the library; more: options of it; bytes(array):
// binary as it is sent there.
'use strict';

const once = (socket, event) => new Promise((resolve, reject) => {
	socket.once(event, (...args) => resolve(args));
	socket.once('connect_error', (e) => reject(new Error(`${event}: ${e.message}`)));
});
const emit = (socket, ...args) => new Promise((resolve) => socket.emit(...args, resolve));
const until = async (condition) => {
	while (!condition())
		await new Promise((resolve) => setTimeout(resolve, 5));
};
const equal = (got, array) => String(Array.from(new Uint8Array(got))) === String(array);

async function overSocketIO(io, base, session, transports, more, bytes) {
	const options = (auth) => ({transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, auth, ...more});

	const open = async (auth) => {
		const socket = io(`${base}/${session}`, options(auth));
		socket.got = [];
		for (const event of ['move', 'say', 'file', 'note', 'count', 'mine'])
			socket.on(event, (...args) => {
				// The place of the record, which is no matter of the application's.
				if (typeof args[args.length - 1] === 'string' && /^\w{11}-\d+$/.test(args[args.length - 1]))
					args.pop();
				socket.got.push([event, ...args]);
			});
		await once(socket, 'connect');
		if (transports.length > 1 && socket.io.engine.transport.name !== 'websocket')
			await new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
		return socket;
	};

	// Loses the connection without a word, and says when it is there again.
	const lose = (socket) => {
		const back = new Promise((resolve) => socket.once('connect', resolve));
		socket.io.engine.close();
		return back;
	};

	const report = {};
	const [ann, bob] = [await open(), await open()];
	report.transport = ann.io.engine.transport.name;
	report.ids = [ann.id, bob.id];

	ann.emit('move', {x: 1, text: 'gr\u00fc\u00dfe \u{1f600}'});
	report.ack = await emit(ann, 'say', 1, 'two', [3]);
	const file = Array.from({length: 3000}, (_, i) => i & 255);
	report.fileAck = await emit(ann, 'file', {name: 'f', data: bytes(file), more: [bytes([1, 2])]});
	await until(() => bob.got.length >= 3);
	report.move = bob.got[0][1];
	report.say = bob.got[1];
	const got = bob.got[2][1];
	report.file = equal(got.data, file) && equal(got.more[0], [1, 2]);
	report.own = ann.got.length;

	ann.emit('ready', {});
	await until(() => ann.got.length >= 1 && bob.got.length >= 4);
	report.note = [ann.got[0][1].text, bob.got[3][1].text];

	// An ack needs the way back while the client sends; many at once fill more than one request.
	const many = await Promise.all(Array.from({length: 200}, (_, i) => emit(ann, 'count', {i})));
	report.acks = many.every((a, i) => i === 0 || a.seq === many[i - 1].seq + 1);
	await until(() => bob.got.length >= 204);
	report.counts = bob.got.slice(4).every((e, i) => e[1].i === i);

	const back = lose(bob);
	for (let i = 200; i < 220; i++)
		await emit(ann, 'count', {i});
	await back;
	report.recovered = bob.recovered;
	await emit(ann, 'count', {i: 220});
	await until(() => bob.got[bob.got.length - 1][1].i === 220);
	report.after = bob.got.slice(204).map((e) => e[1].i);
	report.sameId = bob.id === report.ids[1];

	const echo = await open({echo: true});
	echo.emit('mine', {a: 1});
	await until(() => echo.got.length >= 1);
	report.echo = echo.got[0];

	const refused = io(`${base}/main`, options());
	report.refused = await new Promise((resolve) => refused.once('connect_error', (e) => resolve(e.message)));
	refused.close();
	for (const socket of [ann, bob, echo])
		socket.close();
	return report;
}

if (typeof module !== 'undefined')
	module.exports = {overSocketIO};
