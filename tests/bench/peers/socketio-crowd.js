#!/usr/bin/env node
// A world on the npm package "socket.io": who joins hears what all say of their avatars, volatile, since what is late
// is of no use.
//
//   node socketio-crowd.js PORT [TICK]      TICK: every so many ms the last of each client in one array, as one writes
//                                           it by hand; without, each by itself and at once
'use strict';
const path = require('path');
const { createRequire } = require('module');
const http = require('http');
const load = createRequire(path.join(process.env.HUB_BENCH_PEERS || __dirname, 'package.json'));
const { Server } = load('socket.io');

const server = http.createServer();
const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
const tick = Number(process.argv[3] || 0);
const last = new Map();
let room; // there is one

io.on('connection', (socket) => {
	socket.on('join', (name) => {
		room = String(name);
		socket.join(room);
	});
	socket.on('message', (data) => {
		if (tick) last.set(socket.id, data);
		else io.to(room).volatile.emit('message', data);
	});
});
if (tick) setInterval(() => {
	if (last.size) io.to(room).volatile.emit('message', [...last.values()]);
	last.clear();
}, tick);
server.listen(Number(process.argv[2]), '127.0.0.1', 4096, () => console.log('ready'));
