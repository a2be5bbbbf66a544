#!/usr/bin/env node
// Rooms on the npm package "socket.io": the event "join" puts a client into a room, the event
// "message" goes to all in that room, the sender included.
//
//   node socketio.js PORT      says "ready" when it listens
'use strict';
const path = require('path');
const { createRequire } = require('module');
const http = require('http');
const load = createRequire(path.join(process.env.HUB_BENCH_PEERS || __dirname, 'package.json'));
const { Server } = load('socket.io');

const server = http.createServer();
const io = new Server(server, { transports: ['polling', 'websocket'], perMessageDeflate: false,
	httpCompression: false, serveClient: false });

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
server.listen(Number(process.argv[2]), '127.0.0.1', 4096, () => console.log('ready'));
