// Pictures of symbols: cards are letters, all others a cut stone of their own shape and colour with the name below.
"use strict";
(() => {
  const HUES = [42, 352, 205, 150, 275, 22, 185, 320, 95, 235, 60, 0];
  const NS = "http://www.w3.org/2000/svg";
  const CARDS = /^(10|[2-9]|[AKQJ])$/;

  function polygon(corners, radius, turn, inner) {
    const points = [];
    const count = inner ? corners * 2 : corners;
    for (let i = 0; i < count; i++) {
      const angle = (2 * Math.PI * i) / count + turn - Math.PI / 2;
      const r = inner && i % 2 ? radius * inner : radius;
      points.push(`${(50 + r * Math.cos(angle)).toFixed(1)},${(43 + r * Math.sin(angle)).toFixed(1)}`);
    }
    return points.join(" ");
  }

  const SHAPES = [
    () => polygon(6, 34, 0), () => polygon(5, 36, 0, 0.5), () => polygon(4, 36, 0), () => polygon(8, 34, Math.PI / 8),
    () => polygon(3, 36, 0), () => polygon(6, 36, 0, 0.62), () => polygon(5, 35, 0), () => polygon(4, 33, Math.PI / 4),
    () => polygon(8, 36, 0, 0.7), () => polygon(7, 35, 0), () => polygon(3, 36, Math.PI), () => polygon(12, 36, 0, 0.82),
  ];

  function shape(name, attributes) {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  // Games begin at different places of the lists, so that they look different.
  const offset = (game) => Array.from(game).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7);

  // A picture of the symbol that stands of a game, with its value where it has one.
  window.drawSymbol = (name, game, value) => {
    const index = Math.max(0, game.symbols.indexOf(name)) + offset(game.game_id);
    const svg = shape("svg", { viewBox: "0 0 100 100", "aria-hidden": "true", class: "symbol" });
    const hue = HUES[index % HUES.length];
    if (CARDS.test(name)) {
      const text = shape("text", { x: 50, y: 70, "text-anchor": "middle", class: "letter", fill: `hsl(${hue} 45% 78%)` });
      text.textContent = name;
      svg.append(text);
    } else {
      const points = SHAPES[index % SHAPES.length]();
      svg.append(shape("polygon", { points, fill: `hsl(${hue} 70% 46%)`, stroke: `hsl(${hue} 90% 80%)`, "stroke-width": 2.5, "stroke-linejoin": "round" }));
      svg.append(shape("polygon", { points, fill: `hsl(${hue} 85% 72%)`, opacity: 0.55, transform: "translate(50 43) scale(.55) translate(-50 -43)" }));
      svg.append(shape("ellipse", { cx: 42, cy: 27, rx: 11, ry: 6, fill: "#fff", opacity: 0.45, transform: "rotate(-24 42 27)" }));
      const label = shape("text", { x: 50, y: 95, "text-anchor": "middle", class: "name" });
      label.textContent = name.replaceAll("_", " ");
      svg.append(label);
    }
    if (value) {
      const text = shape("text", { x: 50, y: 53, "text-anchor": "middle", class: "value" });
      text.textContent = value;
      svg.append(text);
    }
    return svg;
  };
})();
