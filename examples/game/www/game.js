// A player's window on the town: it says which way he wants to go, and shows what the town's server made of it.
import {Hub} from "/hub.js";
import {background, banana, monkey} from "./draw.js";

const at = (selector) => document.querySelector(selector);
const query = new URLSearchParams(location.search);
const DELAY = 100;  // ms, at least: others are shown as they were then, with places on both sides to go between
const SPEED = 0.24; // units a ms, as the server has it
const CHAT_LINES = 6;

let name = query.get("name") ?? sessionStorage.getItem("name");
let map, picture;
let states = [];    // the last ones, each {time, tick, round, left, players, bananas}
let people = new Map(); // number => {name, key}
let mine;           // our number
let shown;          // where we are shown
let input = {n: 0, dx: 0, dy: 0};
let sent = [];      // inputs that no state knows of yet: {n, time}
let waits = [];     // ms from an input to its state, the last ones
let asked = 0;      // when we said join_game

// The town itself is live, and over HTTP it would not be; its chat is kept.
const town = new Hub("town", {transports: ["websocket"], select: {types: ["!player_input", "!heartbeat", "!join_game"]}});
const chat = new Hub("town.chat");
for (const hub of [town, chat]) hub.on("rebootstrap", () => hub.restart());

// --- in

function numbers(list, n) {
	const out = [];
	for (let i = 0; i < list.length; i += n) out.push(list.slice(i, i + n));
	return out;
}

// Which of our inputs the server knows, and how long that took.
function settle(me, time) {
	while (me && sent.some(({n}) => n === me.n)) waits.push(time - sent.shift().time);
	waits.splice(0, waits.length - 100);
}

function take(m) {
	if (m.type === "game_map") {
		map = m;
		picture = background(m);
	} else if (m.type === "game_state") {
		const state = {time: performance.now(), tick: m.tick, round: m.round, left: m.left, bananas: numbers(m.bananas, 2), players: new Map()};
		for (const [number, x, y, dx, n, score] of numbers(m.players, 6)) state.players.set(number, {number, x, y, dx, n, score});
		if (states.at(-1)?.tick >= m.tick) states = [];
		states.push(state);
		if (states.length > 30) states.shift();
		settle(state.players.get(mine), state.time);
	} else if (m.type === "game_event" && m.event === "moved" && states.length) {
		// Between the states of a crowd, which are rare: who has changed his way.
		for (const [number, x, y, dx, n, score] of numbers(m.players, 6)) states.at(-1).players.set(number, {number, x, y, dx, n, score});
		settle(states.at(-1).players.get(mine), performance.now());
	} else if (m.type === "player_joined" || m.type === "state_deleted") {
		people = new Map([...town.state("player_joined").values()].map(({player, name: called, key}) => [player, {name: called, key}]));
		mine = town.state("player_joined").get(town.clientId)?.player;
	} else if (m.type === "game_event" && m.event === "round_over" && m.seq) {
		banner(m.score ? `${m.winner} wins round ${m.round} with ${m.score} bananas` : `Nobody wins round ${m.round}`, 4000);
	}
}
town.on("state", take);
town.on("record", take);
for (const kind of ["reset", "gap"]) town.on(kind, () => (states = [], people.clear(), mine = undefined));
town.on("direct", (m) => m.type === "error" && m.data.code !== "not_joined" && banner(m.data.message, 3000));
town.on("status", (status) => status === "joined" && (asked = 0, sent = [], say_input()));

// --- out

// Until the server has us in the town: also after it, or we, had gone.
function join() {
	const now = performance.now();
	if (!name || town.status !== "joined" || mine !== undefined || now < asked + 1000) return;
	if (town.send({type: "join_game", key: town.clientId, own: true, name})) asked = now;
}

function say_input() {
	input.n = (input.n % 99999) + 1;
	if (mine !== undefined && town.send({type: "player_input", ...input})) sent.push({n: input.n, time: performance.now()});
	if (sent.length > 60) sent.shift();
}

function go(dx, dy) {
	if (dx === input.dx && dy === input.dy) return;
	Object.assign(input, {dx, dy});
	say_input();
}

const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, -1], KeyS: [0, 1]};
const held = new Set();
const by_keys = () => {
	const [x, y] = [0, 1].map((i) => Math.sign([...held].reduce((sum, code) => sum + ways[code][i], 0)));
	go(x, y);
};
addEventListener("keydown", (event) => {
	if (event.target.tagName === "INPUT") return event.code === "Escape" && event.target.blur();
	if (event.code === "Enter") return at("#chat input").focus(), event.preventDefault();
	if (ways[event.code] && !event.repeat) held.add(event.code), by_keys();
});
addEventListener("keyup", (event) => held.delete(event.code) && by_keys());
addEventListener("blur", () => (held.clear(), go(0, 0)));

// The pointer says the way, from where we are.
let pointer;
const by_pointer = () => {
	if (!pointer || !shown) return;
	const [x, y] = [(pointer.x - view.x) / view.scale - shown.x, (pointer.y - view.y) / view.scale - shown.y];
	go(Math.abs(x) > 15 ? Math.sign(x) : 0, Math.abs(y) > 15 ? Math.sign(y) : 0);
};
at("#town").addEventListener("pointerdown", ({clientX: x, clientY: y}) => (pointer = {x, y}, at("#chat input").blur(), by_pointer()));
addEventListener("pointermove", ({clientX: x, clientY: y}) => pointer && (pointer = {x, y}));
addEventListener("pointerup", () => pointer && (pointer = undefined, go(0, 0)));

setInterval(() => town.send({type: "heartbeat", record: {}}), 10000);
setInterval(() => (join(), by_pointer()), 100);

// --- chat

const line = (text, kind) => {
	const item = document.createElement("li");
	item.textContent = text;
	if (kind) item.className = kind;
	at("#chat ol").append(item);
	while (at("#chat ol").children.length > CHAT_LINES) at("#chat ol").firstChild.remove();
	return item;
};
const own = new Map(); // msg_id => its line
function heard(m) {
	own.get(m.msg_id)?.remove();
	if (m.type === "chat_message") line(`${m.name}: ${m.text}`);
	else if (m.event === "round_over") line(m.score ? `Round ${m.round}: ${m.winner}, ${m.score} bananas` : `Round ${m.round}: nobody`, "result");
}
chat.on("record", heard);
// Who comes sees what was said last.
const off = chat.on("status", async (status) => {
	if (status !== "joined") return;
	off();
	const answer = await fetch(`/sessions/town.chat/records?since=${chat.epoch}-${Math.max(0, chat.seq - CHAT_LINES)}&limit=${CHAT_LINES}`);
	if (answer.ok) (await answer.text()).split("\n").filter((text) => text).map((text) => JSON.parse(text)).filter((m) => m.from).forEach(heard);
});
at("#chat form").addEventListener("submit", (event) => {
	event.preventDefault();
	const text = at("#chat input").value.trim(), msg_id = crypto.randomUUID();
	at("#chat input").value = "";
	at("#chat input").blur();
	if (!text) return;
	const item = line(`${name}: ${text}`, "waits");
	own.set(msg_id, item);
	chat.publish({type: "chat_message", name, text, msg_id}).catch(() => (item.className = "refused"));
});

// --- the picture

const canvas = at("#town"), c = canvas.getContext("2d");
const view = {x: 0, y: 0, scale: 1};
let banner_until = 0;

function banner(text, ms) {
	at("#banner").textContent = text;
	at("#banner").hidden = false;
	banner_until = performance.now() + ms;
}

const inside = (x, y) => x < 22 || y < 22 || x > map.width - 22 || y > map.height - 22 ||
	map.houses.some(([hx, hy, w, h]) => x > hx - 22 && x < hx + w + 22 && y > hy - 22 && y < hy + h + 22);

// All others, as they were a moment ago.
function places(time) {
	let i = states.length - 1;
	while (i > 0 && states[i].time > time) i--;
	const from = states[i], to = states[i + 1] ?? from;
	const part = to === from ? 0 : Math.min(1, Math.max(0, (time - from.time) / (to.time - from.time)));
	return [...to.players.values()].map((p) => {
		const q = from.players.get(p.number) ?? p;
		return {...p, x: q.x + (p.x - q.x) * part, y: q.y + (p.y - q.y) * part, moves: p.x !== q.x || p.y !== q.y};
	});
}

// Ourselves, as the server will have us by now.
function ahead(me, now, elapsed) {
	const time = Math.min(200, now - states.at(-1).time + (town.latency ?? 0) / 2);
	const step = SPEED * time * (input.dx && input.dy ? 0.7071 : 1);
	let {x, y} = me;
	if (!inside(x + step * input.dx, y)) x += step * input.dx;
	if (!inside(x, y + step * input.dy)) y += step * input.dy;
	const near = shown && Math.hypot(x - shown.x, y - shown.y) < 200 ? 1 - Math.exp(-elapsed / 40) : 1;
	shown = {x: near === 1 ? x : shown.x + (x - shown.x) * near, y: near === 1 ? y : shown.y + (y - shown.y) * near};
	return {...me, ...shown, dx: input.dx || me.dx, moves: !!(input.dx || input.dy)};
}

let before = performance.now();
function frame(now) {
	const {innerWidth: width, innerHeight: height, devicePixelRatio: dpr} = window;
	if (canvas.width !== Math.round(width * dpr) || canvas.height !== Math.round(height * dpr))
		Object.assign(canvas, {width: Math.round(width * dpr), height: Math.round(height * dpr)});
	c.setTransform(dpr, 0, 0, dpr, 0, 0);
	c.fillStyle = "#17301f";
	c.fillRect(0, 0, width, height);
	if (map) {
		view.scale = Math.max(0.9, width / map.width, height / map.height);
		const look = shown ?? {x: map.width / 2, y: map.height / 2};
		for (const [axis, size, of] of [["x", width, map.width], ["y", height, map.height]])
			view[axis] = Math.min(0, Math.max(size - of * view.scale, size / 2 - look[axis] * view.scale));
		c.translate(view.x, view.y);
		c.scale(view.scale, view.scale);
		c.drawImage(picture, 0, 0);
		const last = states.at(-1);
		for (const [x, y] of last?.bananas ?? []) banana(c, x, y, now);
		const delay = Math.max(DELAY, states.length > 1 ? (1.5 * (last.time - states[0].time)) / (states.length - 1) : 0);
		const all = last ? places(now - delay).filter(({number}) => number !== mine) : [];
		const me = last?.players.get(mine);
		if (me) all.push({...ahead(me, now, now - before), me: true});
		for (const p of all.sort((a, b) => a.y - b.y)) monkey(c, {...p, name: people.get(p.number)?.name ?? ""}, now);
	}
	before = now;
	if (now > banner_until) at("#banner").hidden = true;
	requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

// --- the words around it

const p95 = () => Math.round([...waits].sort((a, b) => a - b)[Math.floor(waits.length * 0.95)]);
const doing = {
	connecting: "connecting", behind: "catching up", waiting: "no connection: trying again", offline: "no network: it goes on when there is one",
	failed: "the hub does not let us in", closed: "closed",
};
function words() {
	const last = states.at(-1), age = last ? performance.now() - last.time : Infinity;
	const hub = town.status !== "joined" ? town : chat;
	let what = doing[hub.status], kind = hub.status === "failed" ? "bad" : "";
	if (!what && !name) what = "at the door";
	else if (!what && mine === undefined) what = performance.now() > asked + 900 ? "the town's server does not answer" : "going in";
	else if (!what && age > 2000) what = "the town stands still: its server is away";
	else if (!what) what = "playing", kind = "good";
	if (chat.waiting) what += `; ${chat.waiting} to be said later`;
	at("#state").className = `panel ${kind}`;
	at("#what").textContent = what;
	at("#numbers").textContent = [`${last?.players.size ?? 0} players`, town.latency !== undefined && `${town.latency.toFixed(1)} ms to the hub`,
		waits.length && `P95 ${p95()} ms from key to state`].filter(Boolean).join("\n");
	at("#number").textContent = last?.round ?? "\u2013";
	at("#left").textContent = last ? `${Math.floor(last.left / 60)}:${String(last.left % 60).padStart(2, "0")}` : "\u2013";
	at("#board ol").replaceChildren(...[...(last?.players.values() ?? [])].sort((a, b) => b.score - a.score || a.number - b.number).slice(0, 8).map(({number, score}) => {
		const item = document.createElement("li");
		for (const text of [people.get(number)?.name ?? "?", score]) item.append(Object.assign(document.createElement("span"), {textContent: text}));
		if (number === mine) item.className = "me";
		return item;
	}));
	at("#door").hidden = !!name;
}
setInterval(words, 200);
setInterval(() => town.ping().catch(() => {}), 5000);
at("#door form").addEventListener("submit", (event) => {
	event.preventDefault();
	name = at("#door input").value.trim() || undefined;
	if (name) sessionStorage.setItem("name", name);
	words();
});
words();
// For who looks at it from the console, and for tests.
const called = (name) => states.at(-1)?.players.get([...people].find(([, p]) => p.name === name)?.[0]);
window.town = {
	place: (who) => called(who) && [called(who).x, called(who).y], score: (who) => called(who)?.score ?? 0, bananas: () => [...states.at(-1)?.bananas ?? []],
	round: () => states.at(-1)?.round, tick: () => states.at(-1)?.tick, mine: () => mine, name: () => name, under_way: () => sent.length,
	said: (text) => chat.publish({type: "chat_message", name, text}),
};
