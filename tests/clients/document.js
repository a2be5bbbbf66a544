// The text of examples/document: many authors, some away for a while, some of whose edits come twice, in every order
// that a log can have; all have the same text in the end, and what each has put in. Usage: document.js SEED
const {SharedText, apply, move, join, difference, shift} = require("../../examples/document/document.js");

let state = Number(process.argv[2]) || 1;
const roll = (n) => {
	state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
	return (state >>> 8) % n;
};
const fail = (what, ...more) => {
	console.error(what, ...more.map((m) => JSON.stringify(m)));
	process.exit(1);
};

function change(text, mark) {
	const from = roll(text.length + 1), drop = roll(3) ? 0 : Math.min(roll(4), text.length - from);
	return text.slice(0, from) + (drop && roll(2) ? "" : mark) + text.slice(from + drop);
}

// Two edits of one text, done in either order, give the same; and two of a row are one.
for (let i = 0; i < 2000; i++) {
	let text = "";
	for (let n = roll(12); n > 0; n--)
		text = change(text, "abc\ud83d\ude00"[roll(3)]);
	const a = difference(text, change(text, "X")), b = difference(text, change(text, "Y"));
	const one = apply(apply(text, a), move(b, a, false)), two = apply(apply(text, b), move(a, b, true));
	if (one !== two)
		fail("two orders", text, a, b, one, two);
	const then = difference(apply(text, a), change(apply(text, a), "Z"));
	if (apply(text, join(a, then)) !== apply(apply(text, a), then))
		fail("two in one", text, a, then);
}
if (shift(3, [1, "xy", -1]) !== 4 || shift(0, ["a"]) !== 1 || shift(1, [0 + 2, "a"]) !== 1)
	fail("a position");

for (let round = 0; round < 60; round++) {
	const log = [], authors = [];
	for (let i = 0; i < 2 + roll(3); i++)
		authors.push({name: "abcd"[i], text: new SharedText(), has: 0, edits: 0, away: false, lost: null});
	// The hub: the author learns its number, others the edit.
	const take = (edit) => log.push({id: edit.id, base: edit.base, op: edit.op});
	const catchUp = (one) => {
		while (one.has < log.length) {
			const seq = ++one.has, record = log[seq - 1];
			// Its own come as an ack, or as a record where it was away; the ack may come behind others.
			if (one.text.sent && one.text.sent.id === record.id)
				one.text.kept(record.id, seq);
			else
				one.text.add(seq, record);
		}
	};
	const step = (one) => {
		switch (roll(6)) {
		case 0:
			one.away = !one.away;
			break;
		case 1:
		case 2: {
			const view = one.text.view;
			one.text.edit(difference(view, change(view, one.name + one.edits % 10)));
			break;
		}
		case 3:
			if (!one.away)
				catchUp(one);
			break;
		default: {
			if (one.away)
				break;
			// What was sent before may have been lost, or have come, and is sent again; one stranger lies.
			const edit = one.text.sent && roll(4) === 0 ? one.text.sent : one.text.next(`${one.name}${one.edits++}`);
			if (edit && roll(5))
				take(edit);
			if (roll(40) === 0)
				take({id: `x${log.length}`, base: roll(50), op: [roll(30) + 1, -roll(9), 0, "?"]});
		}
		}
		if (roll(100) === 0) { // begins anew
			one.text.restart();
			one.has = 0;
			catchUp(one);
		}
	};
	for (let i = 0; i < 300; i++)
		step(authors[roll(authors.length)]);
	for (let again = true; again; ) {
		again = false;
		for (const one of authors) {
			catchUp(one);
			const edit = one.text.sent || one.text.next(`${one.name}${one.edits++}`);
			if (edit) {
				take(edit);
				again = true;
			}
		}
	}
	for (const one of authors) {
		catchUp(one);
		if (one.text.view !== one.text.text || one.text.text !== authors[0].text.text || one.text.seq !== log.length)
			fail("not the same", round, one.name, one.text.view, one.text.text, authors[0].text.text);
	}
	const late = new SharedText();
	log.forEach((record, i) => late.add(i + 1, record));
	if (late.text !== authors[0].text.text)
		fail("another text for who comes late", round);
}
console.log("converged");
