// How the town looks.

const hue = (number) => (number * 137) % 360;

function round_rect(c, x, y, w, h, r) {
	c.beginPath();
	c.roundRect(x, y, w, h, r);
}

// What does not move, once.
export function background({width, height, houses}) {
	const canvas = document.createElement("canvas");
	Object.assign(canvas, {width, height});
	const c = canvas.getContext("2d");
	let seed = 7;
	const dice = (n) => (seed = (seed * 16807) % 2147483647) % n;
	const grass = c.createLinearGradient(0, 0, width, height);
	grass.addColorStop(0, "#5aa04c");
	grass.addColorStop(1, "#3f8547");
	c.fillStyle = grass;
	c.fillRect(0, 0, width, height);
	for (let i = 0; i < 900; i++) {
		c.fillStyle = dice(2) ? "#ffffff10" : "#00000014";
		c.fillRect(dice(width), dice(height), 3 + dice(5), 2);
	}
	// Roads between the rows of houses, and from each door to the next one.
	c.lineCap = c.lineJoin = "round";
	const roads = [[[80, 352], [1520, 352]], [[80, 640], [1520, 640]], [[80, 862], [1520, 862]], [[80, 352], [80, 862]], [[1520, 352], [1520, 862]]];
	for (const [x, y, w, h] of houses) roads.push([[x + w / 2, y + h], [x + w / 2, [352, 640, 862].find((road) => road > y + h)]]);
	for (const [style, size] of [["#b98f5a", 46], ["#d3ad74", 38]]) {
		c.strokeStyle = style;
		for (const [i, [from, to]] of roads.entries()) {
			c.lineWidth = i < 5 ? size : size - 16;
			c.beginPath();
			c.moveTo(...from);
			c.lineTo(...to);
			c.stroke();
		}
	}
	for (const [i, [x, y, w, h]] of houses.entries()) {
		c.fillStyle = "#0004";
		round_rect(c, x + 10, y + 12, w, h, 10);
		c.fill();
		c.fillStyle = "#e9d8b4";
		round_rect(c, x, y, w, h, 8);
		c.fill();
		// A roof of four sides, the light from above.
		const tone = [12, 28, 200, 340][i % 4], inset = Math.min(w, h) / 2.4;
		const [a, b, d, e] = [[x, y], [x + w, y], [x + w, y + h - 26], [x, y + h - 26]];
		const [f, g] = [[x + inset, y + (h - 26) / 2], [x + w - inset, y + (h - 26) / 2]];
		for (const [points, light] of [[[a, b, g, f], 52], [[b, d, g], 44], [[d, e, f, g], 36], [[e, a, f], 47]]) {
			c.fillStyle = `hsl(${tone} 55% ${light}%)`;
			c.beginPath();
			for (const point of points) c.lineTo(...point);
			c.fill();
		}
		c.fillStyle = "#6b4a2b";
		round_rect(c, x + w / 2 - 14, y + h - 30, 28, 30, [8, 8, 0, 0]);
		c.fill();
		c.fillStyle = "#bfe3f2";
		for (const side of [0.2, 0.8]) c.fillRect(x + w * side - 11, y + h - 22, 22, 14);
	}
	// Palms, where nobody stands in their way.
	for (let i = 0; i < 60; i++) {
		const x = dice(width), y = dice(height);
		if (!houses.some(([hx, hy, w, h]) => x > hx - 50 && x < hx + w + 50 && y > hy - 50 && y < hy + h + 50) && [352, 640, 862].every((road) => Math.abs(y - road) > 45) && x > 130 && x < 1470) palm(c, x, y, 14 + dice(12));
	}
	return canvas;
}

function palm(c, x, y, size) {
	c.fillStyle = "#0003";
	c.beginPath();
	c.ellipse(x + 6, y + 8, size, size * 0.8, 0, 0, 7);
	c.fill();
	for (let i = 0; i < 7; i++) {
		const a = i * 0.9 + x;
		c.fillStyle = i % 2 ? "#2f7a3a" : "#3c9448";
		c.beginPath();
		c.ellipse(x + Math.cos(a) * size * 0.6, y + Math.sin(a) * size * 0.6, size * 0.7, size * 0.24, a, 0, 7);
		c.fill();
	}
	c.fillStyle = "#7b5632";
	c.beginPath();
	c.arc(x, y, size * 0.18, 0, 7);
	c.fill();
}

export function banana(c, x, y, time) {
	c.save();
	c.translate(x, y + Math.sin(time / 300 + x) * 3);
	c.fillStyle = "#0003";
	c.beginPath();
	c.ellipse(0, 14, 11, 4, 0, 0, 7);
	c.fill();
	c.rotate(-0.5);
	c.fillStyle = "#ffdf3f";
	c.strokeStyle = "#a9801a";
	c.lineWidth = 1.5;
	c.beginPath();
	c.moveTo(-12, -5);
	c.quadraticCurveTo(0, 14, 13, -5);
	c.quadraticCurveTo(0, 4, -12, -5);
	c.fill();
	c.stroke();
	c.fillStyle = "#5d4512";
	c.fillRect(11, -8, 4, 4);
	c.restore();
}

export function monkey(c, {x, y, dx, number, name, score, me, moves}, time) {
	c.save();
	c.translate(x, y);
	c.fillStyle = "#0004";
	c.beginPath();
	c.ellipse(0, 20, 17, 6, 0, 0, 7);
	c.fill();
	c.save();
	if (moves) c.translate(0, -Math.abs(Math.sin(time / 70 + number)) * 5);
	if (dx < 0) c.scale(-1, 1);
	const fur = `hsl(${hue(number)} 45% 38%)`, skin = "#f0cfa0";
	c.strokeStyle = fur;
	c.lineWidth = 4;
	c.lineCap = "round";
	c.beginPath(); // the tail
	c.moveTo(-10, 12);
	c.bezierCurveTo(-26, 14, -26, -6, -17, -4);
	c.stroke();
	const disc = (style, dx_, dy, rx, ry = rx) => {
		c.fillStyle = style;
		c.beginPath();
		c.ellipse(dx_, dy, rx, ry, 0, 0, 7);
		c.fill();
	};
	disc(fur, 0, 10, 12, 11);
	disc(skin, 2, 12, 7, 7);
	disc(fur, -14, -7, 6);
	disc(fur, 14, -7, 6);
	disc(skin, -14, -7, 3.2);
	disc(skin, 14, -7, 3.2);
	disc(fur, 0, -8, 14, 13);
	disc(skin, 2, -8, 9.5, 7);
	disc(skin, 3, -3, 8.5, 6);
	disc("#2b1a10", -1, -9, 1.9, 2.5);
	disc("#2b1a10", 7, -9, 1.9, 2.5);
	c.strokeStyle = "#2b1a10";
	c.lineWidth = 1.5;
	c.beginPath();
	c.arc(4, -3, 4, 0.3, 2.6);
	c.stroke();
	c.restore();
	c.font = `${me ? "bold " : ""}13px system-ui, sans-serif`;
	c.textAlign = "center";
	c.lineWidth = 3;
	c.strokeStyle = "#0009";
	c.fillStyle = me ? "#ffd84d" : "#fff";
	const text = score ? `${name} ${score}` : name;
	c.strokeText(text, 0, -27);
	c.fillText(text, 0, -27);
	c.restore();
}
