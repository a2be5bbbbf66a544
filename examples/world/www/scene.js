// What is seen: the island, avatars, things. It knows nothing of the hub.
import * as THREE from "/three.module.min.js";

export const ISLAND = 40; // radius; metres
const WHITE = new THREE.Color("#ffffff");

function label(text) {
	const canvas = document.createElement("canvas");
	Object.assign(canvas, {width: 256, height: 64});
	const c = canvas.getContext("2d");
	c.font = "600 34px system-ui, sans-serif";
	c.textAlign = "center";
	c.lineWidth = 7;
	c.strokeStyle = "#0b1a26b0";
	c.fillStyle = "#fff";
	c.strokeText(text, 128, 44, 250);
	c.fillText(text, 128, 44, 250);
	const map = new THREE.CanvasTexture(canvas);
	map.colorSpace = THREE.SRGBColorSpace;
	const sprite = new THREE.Sprite(new THREE.SpriteMaterial({map, depthWrite: false}));
	sprite.scale.set(2.4, 0.6, 1);
	return sprite;
}

const round_shadow = (() => {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = 64;
	const c = canvas.getContext("2d"), g = c.createRadialGradient(32, 32, 4, 32, 32, 32);
	g.addColorStop(0, "#0a1a1099");
	g.addColorStop(1, "#0a1a1000");
	c.fillStyle = g;
	c.fillRect(0, 0, 64, 64);
	const map = new THREE.CanvasTexture(canvas);
	const material = new THREE.MeshBasicMaterial({map, transparent: true, depthWrite: false});
	return (size) => {
		const mesh = new THREE.Mesh(new THREE.PlaneGeometry(size, size), material);
		mesh.rotation.x = -Math.PI / 2;
		mesh.position.y = 0.03;
		return mesh;
	};
})();

const halo = (() => {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = 64;
	const c = canvas.getContext("2d"), g = c.createRadialGradient(32, 32, 2, 32, 32, 32);
	g.addColorStop(0, "#fff");
	g.addColorStop(0.3, "#fff8");
	g.addColorStop(1, "#fff0");
	c.fillStyle = g;
	c.fillRect(0, 0, 64, 64);
	return new THREE.CanvasTexture(canvas);
})();

const flat = (color, more) => new THREE.MeshLambertMaterial({color, flatShading: true, ...more});
const mesh = (geometry, material, x = 0, y = 0, z = 0) => {
	const m = new THREE.Mesh(geometry, material);
	m.position.set(x, y, z);
	return m;
};

function avatar({name, color}) {
	const group = new THREE.Group(), body = new THREE.Group();
	const skin = flat("#f3d3b0"), cloth = new THREE.MeshLambertMaterial({color}), dark = flat("#22303a");
	body.add(mesh(new THREE.CapsuleGeometry(0.4, 0.6, 4, 14), cloth, 0, 0.75));
	body.add(mesh(new THREE.SphereGeometry(0.36, 18, 14), skin, 0, 1.62));
	body.add(mesh(new THREE.SphereGeometry(0.38, 18, 10, 0, 7, 0, 1.35), cloth, 0, 1.66));
	for (const side of [-1, 1]) {
		body.add(mesh(new THREE.SphereGeometry(0.055, 8, 8), dark, side * 0.14, 1.64, 0.33));
		body.add(mesh(new THREE.SphereGeometry(0.12, 8, 8), cloth, side * 0.46, 0.85));
	}
	const tag = label(name);
	tag.position.y = 2.4;
	group.add(body, tag, round_shadow(1.6));
	group.userData.body = body;
	return group;
}

// What is thin can be taken hold of all the same.
const handle = (size, height) => mesh(new THREE.CylinderGeometry(size, size, height, 8), new THREE.MeshBasicMaterial({visible: false}), 0, height / 2);

const THINGS = {
	tree({color}) {
		const group = new THREE.Group();
		group.add(mesh(new THREE.CylinderGeometry(0.16, 0.26, 1.2, 7), flat("#7a5637"), 0, 0.6), round_shadow(3.4), handle(0.9, 3.6));
		for (const [size, y, light] of [[1.3, 1.7, 0], [1.05, 2.5, 0.1], [0.7, 3.25, 0.2]])
			group.add(mesh(new THREE.ConeGeometry(size, 1.5, 8), flat(new THREE.Color(color).lerp(WHITE, light)), 0, y));
		return group;
	},
	crate({color}) {
		const group = new THREE.Group(), box = new THREE.BoxGeometry(1.3, 1.3, 1.3);
		const lines = new THREE.LineSegments(new THREE.EdgesGeometry(box), new THREE.LineBasicMaterial({color: "#2b2018"}));
		lines.position.y = 0.65;
		group.add(mesh(box, flat(color), 0, 0.65), lines, round_shadow(2.6));
		return group;
	},
	lamp({color, on, name}) {
		const group = new THREE.Group();
		group.add(mesh(new THREE.CylinderGeometry(0.07, 0.12, 2.6, 8), flat("#3a4650"), 0, 1.3), round_shadow(1.4), handle(0.5, 3.2));
		const glass = on ? new THREE.MeshBasicMaterial({color: new THREE.Color(color).lerp(WHITE, 0.6)}) : flat(new THREE.Color(color).multiplyScalar(0.25));
		group.add(mesh(new THREE.SphereGeometry(0.34, 16, 12), glass, 0, 2.8));
		if (on) {
			const glow = new THREE.Sprite(new THREE.SpriteMaterial({map: halo, color, blending: THREE.AdditiveBlending, depthWrite: false}));
			glow.scale.setScalar(4);
			glow.position.y = 2.8;
			group.add(glow);
		}
		const tag = label(name);
		tag.position.y = 3.6;
		tag.scale.multiplyScalar(0.8);
		group.add(tag);
		return group;
	},
};

function free(object) {
	object.removeFromParent();
	object.traverse((o) => {
		if (o.geometry && !(o.isSprite || o.material?.map)) o.geometry.dispose();
		if (o.isSprite && o.material.map !== halo) o.material.map?.dispose();
	});
}

export class Scene {
	avatars = new Map(); // id => group
	things = new Map();
	view = {yaw: 0.6, pitch: 0.42, distance: 13};
	#target = new THREE.Vector3();
	#ray = new THREE.Raycaster();

	constructor(canvas) {
		this.canvas = canvas;
		this.renderer = new THREE.WebGLRenderer({canvas, antialias: true});
		this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
		this.scene = new THREE.Scene();
		this.camera = new THREE.PerspectiveCamera(55, 1, 0.1, 400);
		this.sun = new THREE.DirectionalLight("#fff1d6", 2.2);
		this.air = new THREE.HemisphereLight("#cfe9ff", "#5b7a4a", 1.5);
		this.scene.add(this.sun, this.air);
		this.#land();
		this.hour(13);
	}

	#land() {
		const ground = mesh(new THREE.CylinderGeometry(ISLAND, ISLAND - 3, 3, 72), flat("#79b35a"), 0, -1.5);
		const sand = mesh(new THREE.CylinderGeometry(ISLAND + 3, ISLAND + 5, 2.2, 72), flat("#ead7a0"), 0, -1.6);
		this.water = mesh(new THREE.CircleGeometry(390, 64), new THREE.MeshLambertMaterial({color: "#3f9fc4"}), 0, -1.1);
		this.water.rotation.x = -Math.PI / 2;
		ground.userData.ground = true;
		this.ground = ground;
		this.scene.add(ground, sand, this.water);
	}

	// What grows there, the same for all who have the seed.
	grow(seed) {
		if (this.grown) free(this.grown);
		this.grown = new THREE.Group();
		let n = seed % 2147483646 + 1;
		const dice = () => (n = (n * 16807) % 2147483647) / 2147483647;
		const at = () => {
			const angle = dice() * 7, far = ISLAND * Math.sqrt(dice()) * 0.97;
			return [far * Math.cos(angle), far * Math.sin(angle)];
		};
		const many = (geometry, colors, count, y, scale) => {
			const all = new THREE.InstancedMesh(geometry, flat("#fff"), count), o = new THREE.Object3D();
			for (let i = 0; i < count; i++) {
				const [x, z] = at(), size = scale[0] + dice() * (scale[1] - scale[0]);
				o.position.set(x, y * size, z);
				o.rotation.set(dice(), dice() * 7, dice());
				o.scale.setScalar(size);
				o.updateMatrix();
				all.setMatrixAt(i, o.matrix);
				all.setColorAt(i, new THREE.Color(colors[Math.floor(dice() * colors.length)]));
			}
			this.grown.add(all);
		};
		many(new THREE.IcosahedronGeometry(0.5), ["#8d9499", "#a3a9a5", "#7d8284"], 40, 0.15, [0.4, 1.5]);
		many(new THREE.ConeGeometry(0.12, 0.5, 4), ["#5f9a45", "#8cc46a", "#6aa84f"], 420, 0.25, [0.6, 1.4]);
		many(new THREE.OctahedronGeometry(0.13), ["#ff8fa3", "#ffd166", "#ffffff", "#b48ef0"], 160, 1.6, [0.8, 1.3]);
		this.scene.add(this.grown);
	}

	hour(hour) {
		const day = Math.max(0, Math.sin(((hour - 6) / 12) * Math.PI)), low = Math.exp(-((Math.min(Math.abs(hour - 6), Math.abs(hour - 18)) / 1.4) ** 2));
		const sky = new THREE.Color("#101b38").lerp(new THREE.Color("#9fd3ea"), Math.min(1, day * 1.7)).lerp(new THREE.Color("#f2a56b"), low * 0.7);
		this.scene.background = sky;
		this.scene.fog = new THREE.Fog(sky, 60, 170);
		const angle = ((hour - 6) / 12) * Math.PI;
		this.sun.position.set(Math.cos(angle) * 30, Math.max(4, Math.sin(angle) * 30), 18);
		this.sun.intensity = 0.25 + 2 * day;
		this.air.intensity = 0.9 + 0.8 * day;
		this.water.material.color.set("#1d3f66").lerp(new THREE.Color("#3f9fc4"), Math.min(1, day * 1.5));
	}

	avatar(id, look) {
		let group = this.avatars.get(id);
		if (!group) {
			group = avatar(look);
			this.avatars.set(id, group);
			this.scene.add(group);
		}
		return group;
	}
	forget_avatar(id) {
		if (this.avatars.has(id)) free(this.avatars.get(id));
		this.avatars.delete(id);
	}
	place_avatar(id, [x, y, z], heading, moves, now) {
		const group = this.avatars.get(id), {body} = group.userData;
		group.position.set(x, 0, z);
		body.position.y = y + (moves && y < 0.01 ? Math.abs(Math.sin(now / 110)) * 0.12 : 0);
		body.rotation.y = heading;
		body.rotation.z = moves ? Math.sin(now / 110) * 0.06 : 0;
	}

	// Made anew where it looks otherwise.
	thing(id, thing) {
		const look = JSON.stringify([thing.kind, thing.color, thing.on, thing.name]);
		let group = this.things.get(id);
		if (group?.userData.look !== look) {
			if (group) free(group);
			group = (THINGS[thing.kind] ?? THINGS.crate)(thing);
			group.userData = {look, id};
			this.things.set(id, group);
			this.scene.add(group);
		}
		group.position.set(thing.position[0], 0, thing.position[1]);
	}
	forget_thing(id) {
		if (this.things.has(id)) free(this.things.get(id));
		this.things.delete(id);
	}

	clear() {
		for (const id of [...this.avatars.keys()]) this.forget_avatar(id);
		for (const id of [...this.things.keys()]) this.forget_thing(id);
	}

	// What is at a point of the page: {id} of a thing, and the place [x, z] on the ground.
	pick(px, py) {
		const {width, height} = this.canvas.getBoundingClientRect();
		this.scene.updateMatrixWorld(); // of what has come since it was drawn
		this.#ray.setFromCamera(new THREE.Vector2((px / width) * 2 - 1, 1 - (py / height) * 2), this.camera);
		const [hit] = this.#ray.intersectObjects([...this.things.values()], true).filter(({object}) => !object.isSprite && !object.material.map);
		const [ground] = this.#ray.intersectObject(this.ground);
		let of = hit?.object;
		while (of && of.userData.id === undefined) of = of.parent;
		const on_top = ground && ground.point.y > -0.01;
		return {id: hit && (!ground || hit.distance < ground.distance + 0.5) ? of?.userData.id : undefined, place: on_top && [ground.point.x, ground.point.z]};
	}

	// Where a point of the island is on the page.
	where([x, y, z]) {
		const {width, height} = this.canvas.getBoundingClientRect(), v = new THREE.Vector3(x, y, z).project(this.camera);
		return [((v.x + 1) / 2) * width, ((1 - v.y) / 2) * height];
	}

	render([x, y, z], elapsed) {
		const {clientWidth: width, clientHeight: height} = this.canvas, {yaw, pitch, distance} = this.view;
		if (this.canvas.width !== Math.floor(width * this.renderer.getPixelRatio()) || this.camera.aspect !== width / height) {
			this.renderer.setSize(width, height, false);
			this.camera.aspect = width / height;
			this.camera.updateProjectionMatrix();
		}
		const to = new THREE.Vector3(x, y + 1.4, z);
		this.#target.lerp(to, this.#target.distanceTo(to) > 15 ? 1 : 1 - Math.exp(-elapsed / 90));
		this.camera.position.set(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch)).multiplyScalar(distance).add(this.#target);
		this.camera.position.y = Math.max(0.4, this.camera.position.y);
		this.camera.lookAt(this.#target);
		this.renderer.render(this.scene, this.camera);
	}
}
