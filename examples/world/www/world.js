// A world that all who are in it build. What there is, is the session's state: everybody's avatar and camera belong to
// him and go with him, things stay until somebody takes them away.
import {Hub} from "/hub.js";
import {ISLAND, Scene} from "./scene.js";

const at = (selector) => document.querySelector(selector);
const make = (name, more = {}) => Object.assign(document.createElement(name), more);
const random = () => Math.random().toString(36).slice(2, 10);
const round = (n) => Math.round(n * 1000) / 1000;

const SPEED = 6, RATE = 60, RATE_HTTP = 5; // metres a second; times a second
const DELAY = 120; // ms: others are shown as they were then, so that there are places on both sides to go between
const COLOURS = ["#ff6b6b", "#ffa94d", "#ffd43b", "#69db7c", "#4dabf7", "#b197fc", "#f783ac"];
const NAMES = ["Ada", "Alan", "Barbara", "Dennis", "Edsger", "Grace", "Hedy", "Ken", "Leslie", "Margaret", "Niklaus", "Radia"];

const query = new URLSearchParams(location.search);
const kept = (name, value) => sessionStorage.getItem(name) ?? (sessionStorage.setItem(name, value), value);
const pick_one = (list) => list[Math.floor(Math.random() * list.length)];
const me = {
	id: random(), name: query.get("name") ?? kept("name", pick_one(NAMES)), color: query.get("color") ?? kept("color", pick_one(COLOURS)),
	position: [5 * Math.random(), 0, 5 * Math.random()], heading: 0, rise: 0,
};
const version = at("meta[name=version]").content;

const hub = new Hub("world", {select: {tick: 16, batch: true, conflate: true, fields: "compact"}, version, clientInfo: {name: me.name}});
const scene = new Scene(at("#world"));
const others = new Map(); // avatar_id => {look, track: [{time, position, heading}]}, the last ones
let tool = "hand", colour = COLOURS[3], dragged, watched;

// --- the state

const records = (type) => hub.state(type);

// A thing of its own kind: an entity (tree, crate), or an object that has a name (lamp).
function things_of(id) {
	const [made, changed] = [records("entity_created").get(id), records("entity_updated").get(id)];
	if (made) return {...made.entity, ...(changed?.seq > made.seq && changed.entity)};
	const [built, switched] = [records("object_created").get(id), records("object_updated").get(id)];
	return built && {...built.data.object, ...(switched?.seq > built.seq && switched.data.object), kind: "lamp", id};
}

const right = (place, n) => Array.isArray(place) && place.length === n && place.every(Number.isFinite);

function show_thing(id) {
	if (dragged?.id === id && dragged.moved) return; // while it is in our hand it is where that is
	const thing = things_of(id);
	if (thing && right(thing.position, 2)) scene.thing(id, thing);
	else scene.forget_thing(id);
}

function avatar(m) {
	if (m.avatar_id === me.id || !right(m.position, 3)) return;
	const track = others.get(m.avatar_id)?.track ?? [];
	track.push({time: performance.now(), position: m.position, heading: m.heading ?? 0});
	if (track.length > 40) track.shift();
	others.set(m.avatar_id, {name: String(m.name), color: String(m.color), track});
	scene.avatar(m.avatar_id, {name: String(m.name), color: String(m.color)});
}

function take(m, live) {
	switch (m.type) {
	case "avatar_position_update": return avatar(m);
	case "entity_created": case "entity_updated": case "entity_deleted":
		show_thing(String(m.entity?.id ?? m.key));
		return live && m.type !== "entity_updated" && told(m, `${m.type === "entity_created" ? "built" : "took away"} a ${m.entity?.kind ?? "thing"}`);
	case "object_created": case "object_updated": case "object_deleted":
		show_thing(String(m.data?.object?.name ?? m.key));
		return live && told(m, {object_created: "put up", object_updated: m.data?.object?.on ? "lit" : "put out", object_deleted: "took away"}[m.type] + ` ${m.data?.object?.name}`);
	case "state_deleted":
		others.delete(m.key);
		scene.forget_avatar(m.key);
		return show_thing(m.key);
	case "world_initialized": return scene.grow(m.world.seed);
	case "world_updated":
		at("#hour").value = m.world.hour;
		return scene.hour(m.world.hour);
	}
}

const told = (m, what) => {
	at("#events").append(make("p", {textContent: `${m.by ?? "Somebody"} ${what}`}));
	while (at("#events").children.length > 5) at("#events").firstChild.remove();
};

hub.on("state", (m) => take(m, false));
hub.on("record", (m) => take(m, true));
// The state follows: all that there is.
for (const name of ["reset", "gap"]) hub.on(name, () => (others.clear(), scene.clear(), dragged = undefined));
hub.on("status", (status) => {
	if (status !== "joined") return;
	say_avatar();
	say_camera();
	// The first one in a new world makes it; of two at once, one.
	if (!records("world_initialized").has("world"))
		hub.publish({type: "world_initialized", key: "world", if_seq: 0, world: {seed: Math.floor(Math.random() * 1e6)}}).catch(() => {});
});
hub.on("error", ({message}) => banner(message, 4000));

// A page that the hub does not want any more is loaded again, once: it may be what the hub has.
hub.on("version", (wanted) => {
	if (sessionStorage.getItem("loaded for") === wanted) return banner("This page is not the hub's", 10000);
	sessionStorage.setItem("loaded for", wanted);
	location.reload();
});
// 99 times in vain: from a clean start.
hub.on("rebootstrap", () => {
	others.clear();
	scene.clear();
	banner("99 attempts were in vain; it begins anew", 10000);
	hub.restart();
});

// --- what is ours

// It goes with us. Over HTTP we are no member, so that it goes after a while that we say nothing.
const ours = () => (hub.transport === "websocket" ? {own: true} : {ttl: 15});

let avatar_said = 0, camera_said = "";
function say_avatar() {
	avatar_said = performance.now();
	hub.send({type: "avatar_position_update", avatar_id: me.id, ...ours(), name: me.name, color: me.color, position: me.position.map(round), heading: round(me.heading)});
}
function say_camera() {
	const camera = Object.fromEntries(Object.entries(scene.view).map(([name, n]) => [name, round(n)]));
	if (hub.send({type: "camera_update", key: `camera ${me.id}`, ...ours(), avatar_id: me.id, camera})) camera_said = JSON.stringify(scene.view);
}

async function publish(message) {
	try {
		await hub.publish({...message, by: me.name});
	} catch (error) {
		banner(`not done: ${error.message}`, 4000);
	}
}

function build(place) {
	const [x, z] = place.map(round);
	if (tool === "lamp") {
		let n = 1;
		while (records("object_created").has(`Lamp ${n}`)) n++;
		return publish({type: "object_created", if_seq: 0, data: {object: {name: `Lamp ${n}`, position: [x, z], color: colour, on: true}}});
	}
	return publish({type: "entity_created", entity: {id: random(), kind: tool, position: [x, z], color: colour}});
}

function change(id, what, live) {
	const thing = things_of(id);
	if (!thing) return;
	const message = thing.kind === "lamp" ? {type: "object_updated", data: {object: {name: id, position: thing.position, color: thing.color, on: thing.on, ...what}}}
		: {type: "entity_updated", entity: {...thing, ...what}};
	return live ? hub.send(message) : publish(message);
}

function remove(id) {
	const thing = things_of(id);
	if (thing) publish(thing.kind === "lamp" ? {type: "object_deleted", data: {object: {name: id}}} : {type: "entity_deleted", entity: {id, kind: thing.kind}});
}

// --- hands and feet

const canvas = at("#world");
let looks;
canvas.addEventListener("pointerdown", (event) => {
	canvas.setPointerCapture(event.pointerId);
	const {id} = scene.pick(event.clientX, event.clientY);
	looks = {x: event.clientX, y: event.clientY, far: 0};
	if (tool === "hand" && id) dragged = {id, moved: false, said: 0};
});
canvas.addEventListener("pointermove", (event) => {
	if (!looks) return;
	const [dx, dy] = [event.clientX - looks.x, event.clientY - looks.y];
	Object.assign(looks, {x: event.clientX, y: event.clientY, far: looks.far + Math.abs(dx) + Math.abs(dy)});
	if (looks.far < 5) return;
	if (!dragged) {
		scene.view.yaw -= dx / 150;
		scene.view.pitch = Math.min(1.4, Math.max(0.05, scene.view.pitch + dy / 200));
		return;
	}
	const {place} = scene.pick(event.clientX, event.clientY), thing = things_of(dragged.id);
	if (!place || !thing) return;
	dragged.moved = true;
	dragged.place = place.map(round);
	scene.thing(dragged.id, {...thing, position: dragged.place});
	if (performance.now() > dragged.said + 50) {
		dragged.said = performance.now();
		change(dragged.id, {position: dragged.place}, true);
	}
});
canvas.addEventListener("pointerup", (event) => {
	const hand = dragged, far = looks?.far ?? 0;
	dragged = looks = undefined;
	if (hand?.moved) return change(hand.id, {position: hand.place});
	if (far >= 5) return;
	const {id, place} = scene.pick(event.clientX, event.clientY);
	if (tool === "away" && id) return remove(id);
	if (tool === "hand" && id && things_of(id)?.kind === "lamp") return change(id, {on: !things_of(id).on});
	if (tool === "hand" && id) return change(id, {color: colour});
	if (place && tool === "hand") goal = place, watched = undefined;
	if (place && !["hand", "away"].includes(tool)) build(place);
});
canvas.addEventListener("wheel", (event) => {
	event.preventDefault();
	scene.view.distance = Math.min(60, Math.max(4, scene.view.distance * Math.exp(event.deltaY / 700)));
}, {passive: false});

const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, 1], KeyS: [0, -1]};
const held = new Set();
let goal; // where a click sent us
addEventListener("keydown", (event) => {
	if (ways[event.code]) held.add(event.code), (watched = goal = undefined), event.preventDefault();
	if (event.code === "Space" && me.position[1] === 0) me.rise = 7, event.preventDefault();
});
addEventListener("keyup", (event) => held.delete(event.code));
addEventListener("blur", () => held.clear());

let stepped = performance.now();
setInterval(() => {
	const now = performance.now(), seconds = Math.min(0.1, (now - stepped) / 1000);
	stepped = now;
	const [side, ahead] = [0, 1].map((i) => [...held].reduce((sum, code) => sum + ways[code][i], 0)), {yaw} = scene.view;
	let [dx, dz] = [-Math.sin(yaw) * ahead + Math.cos(yaw) * side, -Math.cos(yaw) * ahead - Math.sin(yaw) * side], moves = false;
	if (goal) [dx, dz] = [goal[0] - me.position[0], goal[1] - me.position[2]];
	if (dx || dz) {
		const left = Math.hypot(dx, dz), step = goal ? Math.min(left, SPEED * seconds) : SPEED * seconds;
		const [x, z] = [me.position[0] + (dx * step) / left, me.position[2] + (dz * step) / left];
		me.heading = Math.atan2(dx, dz);
		if (Math.hypot(x, z) < ISLAND - 0.5) me.position = [x, me.position[1], z];
		else goal = undefined;
		if (step === left) goal = undefined;
		moves = true;
	}
	if (me.rise || me.position[1] > 0) {
		me.rise -= 18 * seconds;
		me.position[1] = Math.max(0, me.position[1] + me.rise * seconds);
		if (me.position[1] === 0) me.rise = 0;
		moves = true;
	}
	const still = me.moves && !moves; // said once more where we have come to a stand
	me.moves = moves;
	const rate = hub.transport === "websocket" ? RATE : RATE_HTTP;
	if (still || now > avatar_said + (moves ? 1000 / rate - 2 : 5000)) say_avatar();
}, 1000 / RATE);
setInterval(() => JSON.stringify(scene.view) !== camera_said && !watched && say_camera(), 100);

// --- the picture

// Where an avatar was at that time.
function then(track, time) {
	let i = track.length - 1;
	while (i > 0 && track[i].time > time) i--;
	const from = track[i], to = track[i + 1] ?? from;
	const part = to === from ? 0 : Math.min(1, Math.max(0, (time - from.time) / (to.time - from.time)));
	const turn = ((to.heading - from.heading + 3 * Math.PI) % (2 * Math.PI)) - Math.PI;
	return {
		position: from.position.map((n, axis) => n + (to.position[axis] - n) * part), heading: from.heading + turn * part,
		moves: to.position.some((n, axis) => n !== from.position[axis]),
	};
}

let drawn = performance.now(), frames = 0, second = drawn, fps = 0;
function frame(now) {
	let eye = me.position;
	scene.avatar(me.id, me);
	scene.place_avatar(me.id, me.position, me.heading, me.moves, now);
	for (const [id, {track}] of others) {
		const {position, heading, moves} = then(track, performance.now() - DELAY);
		scene.place_avatar(id, position, heading, moves, now);
		if (id === watched) eye = position;
	}
	const camera = watched && records("camera_update").get(`camera ${watched}`)?.camera;
	if (watched && !others.has(watched)) watched = undefined;
	if (camera) for (const name of ["yaw", "pitch", "distance"]) if (Number.isFinite(camera[name])) scene.view[name] += (camera[name] - scene.view[name]) * 0.15;
	scene.render(eye, now - drawn);
	drawn = now;
	frames++;
	if (now > second + 1000) [fps, frames, second] = [Math.round((frames * 1000) / (now - second)), 0, now];
	if (now > banner_until) at("#banner").hidden = true;
	requestAnimationFrame(frame);
}

// --- the words around it

let banner_until = 0;
function banner(text, ms) {
	at("#banner").textContent = text;
	at("#banner").hidden = false;
	banner_until = performance.now() + ms;
}

const doing = {
	connecting: "connecting", behind: "catching up", joined: "in the world", waiting: "no connection: trying again",
	offline: "no network: it goes on when there is one", failed: "the hub does not let us in", closed: "closed",
};
function words() {
	at("#state").className = `panel ${{joined: "good", failed: "bad"}[hub.status] ?? ""}`;
	at("#what").textContent = doing[hub.status] + (hub.waiting ? `; ${hub.waiting} change${hub.waiting > 1 ? "s" : ""} under way` : "")
		+ (hub.transport && hub.transport !== "websocket" ? ` (by ${hub.transport})` : "");
	at("#numbers").textContent = [hub.userCount !== undefined && `${hub.userCount} clients`, `${others.size + 1} avatars`, `${scene.things.size} things`,
		hub.latency !== undefined && `${hub.latency.toFixed(1)} ms`, `${fps} fps`].filter(Boolean).join(" \u00b7 ");
	const all = [...others].sort(([, a], [, b]) => a.name.startsWith("Bot") - b.name.startsWith("Bot") || a.name.localeCompare(b.name, "en", {numeric: true}));
	const item = (id, {name, color}, mine) => {
		const li = make("li"), dot = make("i");
		dot.style.background = color;
		li.append(dot, mine ? `${name} (you)` : name);
		if (!mine) li.append(make("button", {textContent: watched === id ? "back" : "see", className: watched === id ? "on" : "", onclick: () => (watched = watched === id ? undefined : id, words())}));
		return li;
	};
	const list = [item(me.id, me, true), ...all.slice(0, 9).map(([id, look]) => item(id, look))];
	if (all.length > 9) list.push(make("li", {textContent: `and ${all.length - 9} more`}));
	const shows = list.map((li) => li.textContent).join();
	if (at("#people").dataset.shows !== shows) at("#people ul").replaceChildren(...list);
	at("#people").dataset.shows = shows;
}

for (const [name, text] of Object.entries({hand: "Hand", tree: "Tree", crate: "Crate", lamp: "Lamp", away: "Remove"})) {
	const button = make("button", {textContent: text, id: name, className: name === tool ? "on" : ""});
	button.onclick = () => {
		at(`#${tool}`).className = "";
		tool = name;
		button.className = "on";
	};
	at("#tools").append(button);
}
for (const one of COLOURS) {
	const button = make("button", {className: `colour ${one === colour ? "on" : ""}`, title: one});
	button.style.background = one;
	button.onclick = () => {
		at(".colour.on").classList.remove("on");
		colour = one;
		button.classList.add("on");
	};
	at("#tools").append(button);
}
const hour = make("input", {type: "range", id: "hour", min: 0, max: 24, step: 0.25, value: 13});
hour.addEventListener("input", () => scene.hour(Number(hour.value)));
hour.addEventListener("change", () => publish({type: "world_updated", key: "world", world: {hour: Number(hour.value)}}));
at("#tools").append(Object.assign(make("label"), {textContent: "Hour"}));
at("#tools label").append(hour);

setInterval(words, 200);
setInterval(() => hub.ping().catch(() => {}), 5000);
words();
requestAnimationFrame(frame);
// For who looks at it from the console, and for tests.
window.world = {hub, scene, me, others, things_of};
