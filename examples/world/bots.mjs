// Avatars that wander about, as lines for hubcat: node bots.mjs [COUNT]
//
// Each says where it is 60 times a second, and belongs to the hubcat behind: when that goes, so do they.
const count = Number(process.argv[2] ?? 20);
const RATE = 60, SPEED = 3, ISLAND = 34;

const dice = (from, to) => from + Math.random() * (to - from);
const somewhere = () => {
	const angle = dice(0, 2 * Math.PI), far = ISLAND * Math.sqrt(Math.random());
	return [far * Math.cos(angle), far * Math.sin(angle)];
};
const bots = Array.from({length: count}, (_, i) => {
	const [x, z] = somewhere();
	return {avatar_id: `bot-${process.pid}-${i + 1}`, name: `Bot ${i + 1}`, color: `hsl(${(i * 137) % 360}, 60%, 60%)`, x, z, to: somewhere(), rest: 0};
});

function step(bot, seconds) {
	if ((bot.rest -= seconds) > 0) return;
	const [dx, dz] = [bot.to[0] - bot.x, bot.to[1] - bot.z], far = Math.hypot(dx, dz);
	if (far < 0.5) {
		bot.to = somewhere();
		bot.rest = dice(0, 2);
		return;
	}
	bot.heading = Math.atan2(dx, dz);
	bot.x += (dx / far) * SPEED * seconds;
	bot.z += (dz / far) * SPEED * seconds;
}

const round = (n) => Math.round(n * 1000) / 1000;
let before = performance.now(), waits = false;
setInterval(() => {
	const now = performance.now(), seconds = Math.min(0.1, (now - before) / 1000);
	before = now;
	for (const bot of bots) step(bot, seconds);
	if (waits) return; // where the pipe is full, what we would say would be out of date before it is heard
	waits = !process.stdout.write(bots.map(({avatar_id, name, color, x, z, heading = 0}) =>
		JSON.stringify({type: "avatar_position_update", avatar_id, own: true, name, color, position: [round(x), 0, round(z)], heading: round(heading)}) + "\n").join(""));
}, 1000 / RATE);
process.stdout.on("drain", () => (waits = false));
process.stdout.on("error", () => process.exit(0));
