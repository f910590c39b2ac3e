// The path of a win through the cells of a grid.
"use strict";
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const HUES = [42, 190, 320, 110, 15, 255, 70, 160];

  // `reels` has reels for children, and they cells; cells of the win are [reel, row]. The picture is as large as `reels` and
  // is to be laid over it; it grows and shrinks with it. `number` chooses the colour.
  window.winningLine = (reels, cells, number = 0) => {
    const box = reels.getBoundingClientRect();
    const points = cells.map(([reel, row]) => {
      const cell = reels.children[reel].children[row].getBoundingClientRect();
      return `${(cell.x + cell.width / 2 - box.x).toFixed(1)},${(cell.y + cell.height / 2 - box.y).toFixed(1)}`;
    });
    const svg = document.createElementNS(NS, "svg");
    svg.setAttribute("class", "path");
    svg.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const drawn = document.createElementNS(NS, "polyline");
    drawn.setAttribute("points", points.join(" "));
    drawn.setAttribute("stroke", window.lineColour(number));
    svg.append(drawn);
    return svg;
  };

  window.lineColour = (number) => `hsl(${HUES[number % HUES.length]} 90% 66%)`;
})();
