/* A server of Socket.IO beside others on a Redis, with clients of its own, or a sender without any:
 *
 *   socketio_node.js ioredis|redis HOST PORT KEY
 *
 * Takes a command a line, {id, do, ...}, and answers each by a line {id, ...}. What a client of it gets is a line
 * {to, nsp, event: [name, arguments...]}. Binary is {"$hex": "0102"} in both. Ends with its input. */
"use strict";
const http = require("http");
const readline = require("readline");
const {Server} = require("socket.io");
const {io: connect} = require("socket.io-client");
const {createAdapter} = require("@socket.io/redis-adapter");
const {Emitter} = require("@socket.io/redis-emitter");

const [kind, host, port, key] = process.argv.slice(2);
const say = (o) => process.stdout.write(JSON.stringify(o) + "\n");

/* Binary as text, and back. */
const shown = (v) => Buffer.isBuffer(v) || v instanceof ArrayBuffer ? {$hex: Buffer.from(v).toString("hex")}
    : Array.isArray(v) ? v.map(shown)
    : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, w]) => [k, shown(w)])) : v;
const meant = (v) => v && typeof v.$hex === "string" ? Buffer.from(v.$hex, "hex")
    : v && typeof v.$date === "string" ? new Date(v.$date)
    : Array.isArray(v) ? v.map(meant)
    : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, w]) => [k, meant(w)])) : v;

async function redis() {
	if (kind === "ioredis") {
		const Redis = require("ioredis").Redis || require("ioredis");
		return [new Redis(Number(port), host), new Redis(Number(port), host)];
	}
	const {createClient} = require("redis");
	const pub = createClient({url: `redis://${host}:${port}`}), sub = pub.duplicate();
	pub.on("error", () => {});
	sub.on("error", () => {});
	await Promise.all([pub.connect(), sub.connect()]);
	return [pub, sub];
}

/* What a broadcast is for. */
function operator(base, c) {
	let op = base;
	for (const room of c.rooms || [])
		op = op.to(room);
	for (const room of c.except || [])
		op = op.except(room);
	for (const flag of c.flags || [])
		op = op[flag];
	return op;
}

(async () => {
	const [pub, sub] = await redis();
	const server = http.createServer();
	const io = new Server(server, {adapter: createAdapter(pub, sub, {key, requestsTimeout: 2000})});
	const emitter = new Emitter(pub, {key});
	const clients = {};
	const rooms = {};

	const serve = (nsp) => nsp.on("connection", (socket) => {
		for (const room of rooms[socket.handshake.auth.name] || [])
			socket.join(room);
		socket.on("hello", (...args) => socket.broadcast.emit("hello", ...args));
	});
	serve(io.of("/"));
	serve(io.of(/.*/));
	server.listen(0, "127.0.0.1");
	await new Promise((done) => server.on("listening", done));

	const commands = {
		/* Connects a client to its namespace, in rooms. */
		async client(c) {
			rooms[c.name] = c.rooms;
			const socket = connect(`http://127.0.0.1:${server.address().port}${c.nsp}`,
			    {auth: {name: c.name}, transports: ["websocket"], forceNew: true});
			clients[c.name] = socket;
			socket.onAny((event, ...args) => {
				const answer = typeof args.at(-1) === "function" ? args.pop() : null;
				say({to: c.name, nsp: c.nsp, event: shown([event, ...args])});
				if (answer)
					answer(`from ${c.name}`);
			});
			await new Promise((done, failed) => {
				socket.on("connect", done);
				socket.on("connect_error", failed);
			});
			return {sid: socket.id};
		},
		async say(c) {
			clients[c.name].emit(...meant(c.event));
		},
		async emit(c) {
			operator(io.of(c.nsp), c).emit(...meant(c.event));
		},
		async ask(c) {
			return {acks: await operator(io.of(c.nsp).timeout(5000), c).emitWithAck(...meant(c.event))};
		},
		async emitter(c) {
			operator(emitter.of(c.nsp), c).emit(...meant(c.event));
		},
		async fetch(c) {
			return {sids: (await io.of(c.nsp).fetchSockets()).map((s) => s.id)};
		},
		async rooms(c) {
			return {rooms: [...await io.of(c.nsp).adapter.allRooms()]};
		},
		async count(c) {
			return {servers: await io.of(c.nsp).adapter.serverCount()};
		},
		async server(c) {
			return {answers: await io.of(c.nsp).serverSideEmitWithAck("question", 1)};
		},
		async serve(c) {
			io.of(c.nsp).on("question", (n, answer) => answer(n + 1));
		},
		async join(c) {
			io.of(c.nsp).in(c.from).socketsJoin(c.room);
		},
	};

	say({ready: true});
	for await (const line of readline.createInterface({input: process.stdin})) {
		const c = JSON.parse(line);

		commands[c.do](c).then((answer) => say({id: c.id, ...answer}), (e) => say({id: c.id, failed: String(e.message || e)}));
	}
	process.exit(0);
})().catch((e) => {
	process.stderr.write(`${e.stack}\n`);
	process.exit(1);
});
