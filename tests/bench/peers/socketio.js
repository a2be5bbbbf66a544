#!/usr/bin/env node
// Rooms on the npm package "socket.io": the event "join" puts a client into a room, the event
// "message" goes to all in that room, the sender included. With the package of an adapter and the URL of
// its Redis, it is one of several nodes.
//
//   node socketio.js PORT [ADAPTER REDIS]      says "ready" when it listens
'use strict';
const path = require('path');
const { createRequire } = require('module');
const http = require('http');
const load = createRequire(path.join(process.env.HUB_BENCH_PEERS || __dirname, 'package.json'));
const { Server } = load('socket.io');
const [port, adapter, redis] = process.argv.slice(2);

// The second client is for subscriptions; who reads a stream has clients of its own.
async function connect() {
	const clients = [load('redis').createClient({ url: redis })];
	if (adapter === '@socket.io/redis-adapter') clients.push(clients[0].duplicate());
	await Promise.all(clients.map((client) => client.connect()));
	return load(adapter).createAdapter(...clients);
}

async function main() {
	const server = http.createServer();
	const io = new Server(server, { transports: ['polling', 'websocket'], perMessageDeflate: false,
		httpCompression: false, serveClient: false, ...(adapter && { adapter: await connect() }) });

	io.on('connection', (socket) => {
		let room;
		socket.on('join', (name) => {
			room = String(name);
			socket.join(room);
		});
		socket.on('message', (data) => {
			if (room) io.to(room).emit('message', data);
		});
	});
	server.listen(Number(port), '127.0.0.1', 4096, () => console.log('ready'));
}

main();
