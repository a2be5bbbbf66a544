// socketio-suite.js HOST:PORT PATH GROUP...: what the protocol documents of Engine.IO 4 and Socket.IO 5 ask of a server,
// asked by fetch() and by npm's ws, as browsers would: each request on whatever connection there is, several at a time.
// Prints TAP. The groups `engine` want an echo of messages, the groups `socket` the rules beside this file. The server's
// times are to be pingInterval 300 and pingTimeout 200 for `heartbeat`, whose checks of these are made again where the
// machine was too slow, and for `silent` it is to wait a second for a CONNECT; the others go by the open packet.
'use strict';

const WebSocket = require('ws');
const [address, path, ...groups] = process.argv.slice(2);
const http = `http://${address}${path}?EIO=4`, ws = `ws://${address}${path}?EIO=4`;

// --- checks

let n = 0, failed = 0;

function ok(good, name, ...got) {
	failed += !good;
	console.log(`${good ? 'ok' : 'not ok'} ${++n} - ${name}`);
	if (!good && got.length)
		console.log(`#   got: ${JSON.stringify(got)}`);
}

const is = (got, want, name) => ok(JSON.stringify(got) === JSON.stringify(want), name, got);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What takes a time that another one has set: the machine may hold up either side.
async function sometimes(name, check) {
	for (let i = 0; i < 8; i++)
		if (await check())
			return ok(true, name);
	return ok(false, name);
}

// --- carriers

const get = async (query, options) => fetch(http + query, options);
const post = (query, body) => get(query, {method: 'POST', body});

async function polling() {
	const answer = await get('&transport=polling');
	const open = JSON.parse((await answer.text()).slice(1));
	return `&transport=polling&sid=${open.sid}`;
}

// Packets in their order, and the end.
class Socket {
	constructor(query = '&transport=websocket', base = ws) {
		this.in = [];
		this.waits = [];
		this.ws = new WebSocket(base + query);
		this.opened = new Promise((resolve) => this.ws.once('open', resolve));
		this.closed = new Promise((resolve) => this.ws.once('close', () => resolve(true)));
		this.ws.on('error', () => {});
		this.ws.on('message', (data, binary) => {
			this.in.push(binary ? Array.from(data) : data.toString());
			this.waits.shift()?.();
		});
	}
	async packet() {
		if (!this.in.length)
			await new Promise((resolve) => this.waits.push(resolve));
		return this.in.shift();
	}
	// The next one that is no ping.
	async next() {
		for (;;) {
			const packet = await this.packet();
			if (packet !== '2')
				return packet;
			this.send('3');
		}
	}
	send(...packets) {
		for (const packet of packets)
			this.ws.send(packet);
		return this;
	}
}

async function socket() {
	const s = new Socket();
	await s.packet(); // open
	return s;
}

// --- Engine.IO

const keys = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades'];
const bad = {
	'no EIO': ['?transport=polling', '?transport=websocket'],
	'an EIO that is none': ['?EIO=abc&transport=polling', '?EIO=abc&transport=websocket'],
	'no transport': ['?EIO=4', '?EIO=4'],
	'a transport that is none': ['?EIO=4&transport=abc', '?EIO=4&transport=abc'],
	'a sid that is none': ['?EIO=4&transport=polling&sid=abc', '?EIO=4&transport=websocket&sid=abc'],
};
const suite = {};

suite.handshake = async () => {
	const answer = await get('&transport=polling'), text = await answer.text(), open = JSON.parse(text.slice(1));
	is([answer.status, text[0]], [200, '0'], 'polling: an open packet');
	is(Object.keys(open).sort(), keys, 'its members');
	ok(typeof open.sid === 'string' && Number.isInteger(open.pingInterval) && Number.isInteger(open.pingTimeout), 'of their types', open);
	is([open.upgrades, open.maxPayload], [['websocket'], 1000000], 'upgrades and maxPayload');
	const s = new Socket(), packet = await s.packet(), other = JSON.parse(packet.slice(1));
	is([packet[0], Object.keys(other).sort(), other.upgrades], ['0', keys, []], 'WebSocket: one without upgrades');
	ok(other.sid !== open.sid, 'another sid');
	for (const [name, [poll, socket]] of Object.entries(bad)) {
		is((await fetch(`http://${address}${path}${poll}`)).status, 400, `polling: ${name}`);
		ok(await new Socket(socket, `ws://${address}${path}`).closed, `WebSocket: ${name}`);
	}
	for (const method of ['POST', 'PUT', 'DELETE'])
		is((await get('&transport=polling', {method})).status, 400, `polling: begun by ${method}`);
	s.ws.close();
};

suite.messages = async () => {
	const sid = await polling();
	const answer = await post(sid, '4hello');
	is([answer.status, await answer.text()], [200, 'ok'], 'polling: a POST');
	const back = await get(sid);
	is([back.status, back.headers.get('content-type'), await back.text()], [200, 'text/plain; charset=UTF-8', '4hello'], 'comes back as text');
	await post(sid, '4test1\x1e4test2\x1e4test3');
	is(await (await get(sid)).text(), '4test1\x1e4test2\x1e4test3', 'three at a time');
	await post(sid, 'bAQIDBA==');
	is(await (await get(sid)).text(), 'bAQIDBA==', 'binary');
	await post(sid, '4€ä\u{1f600}');
	is(await (await get(sid)).text(), '4€ä\u{1f600}', 'what takes several bytes a character');
	for (const body of ['abc', '', '4a\x1e', '7']) {
		const sid = await polling();
		is((await post(sid, body)).status, 200, `polling: ${JSON.stringify(body)} is taken`);
		is((await get(sid)).status, 400, 'and ends the session');
	}
	const s = await socket();
	s.send('4hello', '4\u{1f600}', Buffer.from([1, 2, 3, 4]), Buffer.alloc(0));
	is([await s.next(), await s.next(), await s.next(), await s.next()], ['4hello', '4\u{1f600}', [1, 2, 3, 4], []], 'WebSocket: text and binary');
	s.send('abc');
	ok(await s.closed, 'what is no packet ends it');
	const t = await socket();
	t.send('');
	ok(await t.closed, 'nor is nothing');
};

suite.rules = async () => {
	let sid = await polling();
	const [first, second] = await Promise.all([get(sid), sleep(20).then(() => get(`${sid}&t=burst`))]);
	is([first.status, second.status].sort(), [200, 400], 'two polls at a time: one is refused');
	is(await (first.status === 200 ? first : second).text(), '1', 'the other one closed');
	is((await get(sid)).status, 400, 'and no other answered');
	sid = await polling();
	const abort = new AbortController();
	const lost = get(sid, {signal: abort.signal}).catch(() => {});
	await sleep(50);
	abort.abort();
	await lost;
	is((await get(sid)).status, 400, 'a poll that is given up ends the session');
};

suite.closing = async () => {
	for (let i = 0; i < 10; i++) {
		const sid = await polling();
		const [poll] = await Promise.all([get(sid), post(sid, '1')]);
		is([poll.status, await poll.text(), (await get(sid)).status], [200, '6', 400], 'polling: a close packet');
	}
	const s = await socket();
	s.send('1');
	ok(await s.closed, 'WebSocket: a close packet');
	const t = await socket();
	t.ws.close();
	ok(await t.closed, 'a close frame');
};

async function upgrade(check) {
	const sid = await polling(), s = new Socket(sid.replace('polling', 'websocket'));
	await s.opened;
	s.send('2probe');
	is(await s.packet(), '3probe', 'the probe is answered');
	s.send('5');
	await check(s, sid);
	s.ws.close();
}

suite.upgrade = async () => {
	const hello = async (s) => is(await s.send('4hello').next(), '4hello', 'it goes on there');
	await upgrade(hello);
	await upgrade(async (s, sid) => {
		await hello(s);
		is([(await get(sid)).status, (await post(sid, '4x')).status], [400, 400], 'and no more by polling');
		await hello(s);
		ok(await new Socket(sid.replace('polling', 'websocket')).closed, 'nor over another WebSocket');
		await hello(s);
	});
	const sid = await polling(), poll = get(sid), s = new Socket(sid.replace('polling', 'websocket'));
	await s.opened;
	s.send('2probe');
	is(await (await poll).text(), '6', 'a poll returns for the probe');
	await s.packet();
	s.ws.close();
	await s.closed;
	await post(sid, '4still');
	let text;
	do
		text = await (await get(sid)).text();
	while (text === '6');
	is(text, '4still', 'where it is given up polling goes on');
};

suite.heartbeat = async () => {
	await sometimes('polling: three pings', async () => {
		const sid = await polling();
		for (let i = 0; i < 3; i++) {
			const poll = await get(sid);
			if (poll.status !== 200 || await poll.text() !== '2' || (await post(sid, '3')).status !== 200)
				return false;
		}
		return true;
	});
	await sometimes('polling: an end when the times are over', async () => {
		const sid = await polling();
		await sleep(500);
		return (await get(sid)).status === 400;
	});
	await sometimes('WebSocket: three pings', async () => {
		const s = await socket();
		for (let i = 0; i < 3; i++) {
			const packet = await Promise.race([s.packet(), s.closed]);
			if (packet !== '2')
				return false;
			s.send('3');
		}
		s.ws.close();
		return true;
	});
	const s = await socket();
	ok(await s.closed, 'WebSocket: an end without an answer');
	const t = await socket();
	t.send('2');
	ok(await t.closed, 'a ping of a client ends it');
};

// --- Socket.IO

async function connected() {
	const s = await socket();
	s.send('40');
	await s.next(); // the answer
	await s.next(); // auth
	return s;
}

suite.connect = async () => {
	const greets = async (s, packet, place, auth) => {
		s.send(packet);
		const answer = await s.next(), open = JSON.parse(answer.slice(2 + place.length));
		is([answer.slice(0, 2 + place.length), Object.keys(open), typeof open.sid], [`40${place}`, ['sid'], 'string'], `${packet}: an answer with a sid`);
		is(await s.next(), `42${place}["auth",${auth}]`, 'and auth');
	};
	await greets(await socket(), '40', '', '{}');
	await greets(await socket(), '40{"token":"123"}', '', '{"token":"123"}');
	await greets(await socket(), '40/custom', '/custom,', '{}');
	await greets(await socket(), '40/custom,', '/custom,', '{}');
	await greets(await socket(), '40/custom,{"token":"abc"}', '/custom,', '{"token":"abc"}');
	let s = await connected();
	await greets(s, '40/custom,', '/custom,', '{}');
	s.send('40/random');
	is(await s.next(), '44/random,{"message":"Invalid namespace"}', 'a namespace that is none');
	s.send('42["message","still"]');
	is(await s.next(), '42["message-back","still"]', 'harms nothing');
	s.send('40');
	ok(await s.closed, 'to connect twice ends it');
	for (const first of ['4abc', '42["message"]', '41', '40"x"', '40[1]', '43[]', '44{}', '45', '4', '47'])
		ok(await (await socket()).send(first).closed, `no beginning: ${first}`);
};

suite.silent = async () => {
	const s = await socket(), sid = await polling();
	ok(await s.closed, 'WebSocket: who connects to nothing in time is sent away');
	let poll;
	do
		poll = await get(sid);
	while (poll.status === 200 && await poll.text() !== '1');
	is((await get(sid)).status, 400, 'polling: the same');
};

suite.disconnect = async () => {
	let s = await connected();
	s.send('41');
	s.send('40/custom');
	is((await s.next()).slice(0, 11), '40/custom,{', 'it may leave the main namespace, and go to another');
	await s.next();
	s = await connected();
	s.send('40/custom');
	await s.next();
	await s.next();
	s.send('41/custom', '42["message","to main"]');
	is(await s.next(), '42["message-back","to main"]', 'or leave another one');
	s.send('40/custom,');
	is((await s.next()).slice(0, 11), '40/custom,{', 'and come again');
	await s.next();
	s.send('41/custom,', '42/custom,["message","late"]', '42["message","on"]');
	is(await s.next(), '42["message-back","on"]', 'what is late for it harms nothing');
	s = await connected();
	s.send('41');
	await sleep(1200); // longer than there is to connect to the first one
	s.send('40');
	is((await s.next()).slice(0, 4), '40{"', 'who has left all of them may come to one at any time');
};

suite.message = async () => {
	const s = await connected();
	s.send('42["message",1,"2",{"3":[true]}]');
	is(await s.next(), '42["message-back",1,"2",{"3":[true]}]', 'an event');
	s.send('42["message"]');
	is(await s.next(), '42["message-back"]', 'without arguments');
	s.send('42["message","\u{1f600}",null,-1.5]');
	is(await s.next(), '42["message-back","\u{1f600}",null,-1.5]', 'with others');
	s.send('42456["message-with-ack",1,"2",{"3":[false]}]');
	is(await s.next(), '43456[1,"2",{"3":[false]}]', 'an ack');
	s.send('420["message-with-ack"]');
	is(await s.next(), '430[]', 'without arguments');
	const places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
	for (const [ask, want] of [['452-["message",', '452-["message-back",'], ['452-789["message-with-ack",', '462-789[']]) {
		s.send(`${ask}${places}]`, Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6]));
		is([await s.next(), await s.next(), await s.next()], [`${want}${places}]`, [1, 2, 3], [4, 5, 6]], `binary: ${want}`);
	}
	s.send('40/custom');
	await s.next();
	await s.next();
	s.send('42/custom,["message",1]', '42/custom,7["message-with-ack",2]', '451-/custom,["message",{"a":{"_placeholder":true,"num":0}}]', Buffer.from([9]));
	is([await s.next(), await s.next(), await s.next(), await s.next()],
		['42/custom,["message-back",1]', '43/custom,7[2]', '451-/custom,["message-back",{"a":{"_placeholder":true,"num":0}}]', [9]], 'the same elsewhere');
	for (const wrong of ['4abc', '42{}', '42', '42["message"', '42[]', '42[{}]', '42["connect"]', '42abc["message",1]', '42/custom2,["message"]', '45["x"]', '4511-["x"]', '44{}'])
		ok(await (await connected()).send(wrong).closed, `ends it: ${wrong}`);
	const t = await connected();
	t.send('451-["message",{"_placeholder":true,"num":0}]', '42["message"]');
	ok(await t.closed, 'text where an attachment was to come');
	const u = await connected();
	u.send(Buffer.from([1]));
	ok(await u.closed, 'an attachment of nothing');
	const v = await connected();
	v.send('451-["message",{"_placeholder":true,"num":1}]', Buffer.from([1]));
	ok(await v.closed, 'a placeholder of none');
};

(async () => {
	for (const group of groups) {
		console.log(`# ${group}`);
		await suite[group]();
	}
	console.log(`1..${n}`);
	process.exit(failed ? 1 : 0);
})().catch((e) => {
	console.log(`Bail out! ${e.stack}`);
	process.exit(1);
});
