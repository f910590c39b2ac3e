// The console reads what the service knows, and changes nothing.
"use strict";
(() => {
  let app, person;
  const $ = (id) => document.getElementById(id);

  function element(name, attributes = {}, ...children) {
    const found = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) found.addEventListener(key.slice(2), value);
      else if (value !== false && value !== null && value !== undefined) found.setAttribute(key, value === true ? "" : value);
    }
    found.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return found;
  }

  async function ask(method, path, body) {
    const options = { method, headers: { Accept: "application/json" } };
    if (body !== undefined) { options.body = JSON.stringify(body); options.headers["Content-Type"] = "application/json"; }
    const reply = await fetch(`/console/api/${path}`, options).catch(() => null);
    if (reply === null) throw new Error("The service does not answer.");
    const found = await reply.json().catch(() => ({}));
    if (reply.ok) return found;
    const error = new Error(found.detail || found.title || `status ${reply.status}`);
    error.code = found.code;
    throw error;
  }

  // 123 at exponent 2 is 1.23; digits are kept as text, since some currencies have more than a number holds.
  function amount(minor, exponent, currency) {
    if (minor === null || minor === undefined) return "";
    const negative = minor < 0;
    const digits = String(Math.abs(minor)).padStart(exponent + 1, "0");
    const text = exponent ? `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}` : digits;
    return `${negative ? "−" : ""}${text}${currency ? ` ${currency}` : ""}`;
  }

  const PLACES = [["rounds", "Rounds", rounds], ["open", "Under way", underWay], ["rtp", "Live RTP", rtp], ["traffic", "Traffic", traffic]];

  function frame(place, ...children) {
    app.replaceChildren(
      element("header", {}, element("h1", {}, "rgs-core console"),
        element("nav", { "aria-label": "sections" }, PLACES.map(([key, label]) => element("a", { href: `#${key}`, "aria-current": key === place ? "page" : null }, label))),
        element("span", { class: "dim" }, person), element("button", { id: "logout", onclick: leave }, "Log out")),
      element("main", { id: "main", tabindex: -1 }, ...children));
    document.body.dataset.state = place;
  }

  async function leave() {
    await ask("POST", "logout", {}).catch(() => null);
    login();
  }

  function login(message) {
    const name = element("input", { id: "name", name: "name", autocomplete: "username", required: true, maxlength: 64 });
    const password = element("input", { id: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 128 });
    const said = element("p", { class: "bad", role: "alert" }, message || "");
    app.replaceChildren(element("div", { class: "card login" }, element("h2", {}, "Console"),
      element("form", { onsubmit: async (event) => {
        event.preventDefault();
        said.textContent = "";
        try { ({ name: person } = await ask("POST", "login", { name: name.value, password: password.value })); route(); }
        catch (error) { said.textContent = error.message; password.value = ""; password.focus(); }
      } }, element("label", {}, "Name", name), element("label", {}, "Password", password), element("button", { class: "main" }, "Log in"), said),
      element("p", { class: "dim" }, "People are let in with rgs-server console NAME, which prints a password once.")));
    document.body.dataset.state = "login";
    name.focus();
  }

  async function guarded(job) {
    try { await job(); }
    catch (error) {
      if (error.code === "LOGIN_REQUIRED") return login(error.message === "log in" ? "" : error.message);
      const main = $("main") || app;
      main.append(element("p", { class: "card bad", role: "alert" }, error.message));
    }
  }

  function table(heads, rows, empty) {
    if (!rows.length) return element("p", { class: "dim" }, empty);
    return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, heads.map(([name, number]) => element("th", { scope: "col", class: number ? "num" : null }, name)))),
      element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell, i) => element("td", { class: heads[i][1] ? "num" : null }, cell)))))));
  }

  // --- Rounds --------------------------------------------------------------------------------------

  async function rounds(query) {
    const fields = [["id", "Spin or round"], ["session", "Session"], ["player", "Player"], ["since", "Since (UTC)"], ["until", "Until (UTC)"]];
    const form = element("form", { class: "bar", onsubmit: (event) => {
      event.preventDefault();
      const wanted = new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value.trim()));
      location.hash = `rounds?${wanted}`;
    } }, fields.map(([name, label]) => element("label", {}, label, element("input", { name, value: query.get(name) || "", placeholder: name.length > 4 && ["since", "until"].includes(name) ? "2026-01-31T12:00:00.000Z" : "", maxlength: 255 }))), element("button", { class: "main" }, "Find"));
    frame("rounds", element("section", { class: "card", "aria-label": "search" }, element("h2", {}, "Rounds"), form), element("section", { class: "card", id: "found", "aria-live": "polite" }, "Searching…"));
    const { rounds: found } = await ask("GET", `rounds?${query}`);
    $("found").replaceChildren(table([["Played"], ["Operator"], ["Game"], ["Round"], ["Player"], ["Stake", true], ["Win", true]],
      found.map((row) => [row.played_at, row.operator_id, `${row.game_id}${row.mode === "base" ? "" : ` (${row.mode})`}`,
        element("a", { href: `#round?${new URLSearchParams({ operator: row.operator_id, spin: row.spin_id })}`, class: "mono" }, row.spin_id),
        element("a", { href: `#rounds?${new URLSearchParams({ player: row.player_id })}` }, row.player_id),
        amount(row.stake_minor, row.exponent, row.currency), amount(row.win_minor, row.exponent, row.currency)]),
      [...query.keys()].length ? "Nothing is found. Ids are whole and case counts." : "No round in the last 24 hours."));
    document.body.dataset.state = "rounds-shown";
  }

  // The grid of a scene with its winning lines, and its wins as a list: the one that is pressed is shown alone.
  function grid(scene, game, money) {
    const wins = new Set(scene.wins.flatMap((win) => win.cells.map(String)));
    const said = scene.window.map((reel, r) => `reel ${r + 1} ${reel.join(", ")}`).join("; ");
    const cells = scene.window.map((reel, r) => reel.map((name, row) => element("div", { class: wins.has(`${r},${row}`) ? "cell wins" : "cell" }, drawSymbol(name, game, scene.values[r] ? scene.values[r][row] : 0))));
    const reels = element("div", { class: "grid", role: "img", "aria-label": said, style: `grid-template-columns: repeat(${scene.window.length}, 1fr)` }, cells.map((reel) => element("div", { class: "reel" }, reel)));
    const drawn = element("div", { class: "drawn" }, reels);
    const lined = (win) => win.line && win.cells.length > 1;
    const paths = new Map();
    const show = (one) => {
      drawn.classList.toggle("one", one !== null);
      const its = new Set(one === null ? [] : one.cells.map(String));
      cells.forEach((reel, r) => reel.forEach((cell, row) => cell.classList.toggle("shown", its.has(`${r},${row}`))));
      paths.forEach((path, win) => path.classList.toggle("shown", win === one));
    };
    let pressed = null;
    const buttons = scene.wins.map((win, n) => element("button", { "aria-pressed": "false", onclick: () => {
      pressed = pressed === win ? null : win;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(scene.wins[i] === pressed)));
      show(pressed);
    }, onmouseenter: () => show(win), onmouseleave: () => show(pressed) },
      lined(win) ? element("span", { class: "swatch", style: `background: ${lineColour(n)}` }) : null, `${win.words}: ${money(win.won_minor)}`));
    // Lines need to know where the cells are, once they are on the page.
    const draw = () => scene.wins.forEach((win, n) => { if (lined(win)) { const path = winningLine(reels, win.cells, n); paths.set(win, path); drawn.append(path); } });
    return [[drawn, buttons.length ? element("ul", { class: "wins", "aria-label": "wins" }, buttons.map((button) => element("li", {}, button))) : null], draw];
  }

  async function round(query) {
    frame("rounds", element("p", { id: "found", "aria-live": "polite" }, "Drawing the round again…"));
    const { round: found } = await ask("GET", `round?${query}`);
    const game = { game_id: found.game_id, symbols: found.replay.symbols || [] };
    const money = (minor) => amount(minor, found.exponent, found.currency);
    const facts = [["Operator", found.operator_id], ["Round", found.round_id], ["Spin", found.spin_id], ["Session", element("a", { href: `#rounds?${new URLSearchParams({ session: found.session_id })}` }, found.session_id)],
      ["Player", found.player_id], ["Game", `${found.game_id}, mode ${found.mode}`], ["Decided", found.policy || "nothing, or the usual"], ["Country", found.geo], ["Stake", money(found.stake_minor)], ["Win", money(found.win_minor)], ["Nonce", String(found.nonce)],
      ["Build", found.build_hash], ["Mechanics", `version ${found.mechanic_version}`], ["Seed commitment", found.seed_commitment], ["Outcome", found.outcome_digest], ["Event", found.telemetry_ref], ["Idempotency key", found.idempotency_key]];
    const verdict = { match: ["good", "MATCH", "drawn again from its seed: the same outcome, bit for bit"], mismatch: ["bad", "MISMATCH", "the record is not what its seed gives"], unavailable: ["warn", "NOT REPLAYED", found.replay.reason] }[found.replay.result];
    const logged = { match: ["good", "MATCH", `leaf ${found.audit.position} of ${found.audit.tree_size}, signed ${found.audit.signed_at}`], mismatch: ["bad", "MISMATCH", found.audit.reason], pending: ["warn", "NOT SIGNED", found.audit.reason] }[found.audit.result];
    const proof = found.audit.result === "match" ? [["Log", found.audit.log], ["Root", found.audit.root]] : [];
    const drawn = found.replay.scenes.slice(0, 60).map((scene) => [scene, ...(scene.window ? grid(scene, game, money) : [null, () => {}])]);
    $("main").replaceChildren(element("div", { class: "two" },
      element("section", { class: "card", "aria-label": "the round" }, element("h2", {}, `Round ${found.round_id}`),
        element("p", { role: "status" }, element("span", { class: `verdict ${verdict[0]}`, id: "verdict" }, verdict[1]), ` ${verdict[2]}`),
        drawn.map(([scene, shown]) => element("div", { class: "scene" }, element("div", {}, element("strong", {}, scene.window ? `${scene.number ? `spin ${scene.number + 1}` : "paid spin"}, ${scene.state}` : scene.kind), scene.words.length ? ` · ${scene.words.join(" · ")}` : "", ` · so far ${money(scene.total_minor)}`),
          shown)),
        found.replay.scenes.length > drawn.length ? element("p", { class: "dim" }, `${found.replay.scenes.length - drawn.length} more scenes are not drawn.`) : null),
      element("div", {},
        element("section", { class: "card", "aria-label": "money" }, element("h2", {}, "Money and time"), element("ol", { class: "timeline" }, found.timeline.map((row) => element("li", {}, element("strong", {}, row.what), row.amount_minor === null ? "" : ` ${money(row.amount_minor)}`, element("div", { class: "dim" }, row.detail), element("time", { class: "mono dim" }, row.at))))),
        element("section", { class: "card", "aria-label": "audit log" }, element("h2", {}, "Audit log"),
          element("p", {}, element("span", { class: `verdict ${logged[0]}`, id: "logged" }, logged[1]), ` ${logged[2]}`),
          element("dl", {}, proof.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "mono" }, value)])),
          found.audit.result === "match" ? element("p", {}, element("a", { id: "proof", href: `/console/api/proof?${query}`, download: `${found.spin_id}.json` }, "Take the proof along"), element("span", { class: "dim" }, " · rgs audit proof FILE --key KEY verifies it anywhere")) : null),
        element("section", { class: "card", "aria-label": "record" }, element("h2", {}, "Record"), element("dl", {}, facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "mono" }, value)]))))));
    drawn.forEach(([, , draw]) => draw());
    document.body.dataset.state = "round";
  }

  // --- What is under way -----------------------------------------------------------------------------

  async function underWay() {
    frame("open", element("p", { id: "found" }, "Reading…"));
    const found = await ask("GET", "open");
    $("main").replaceChildren(
      element("section", { class: "card" }, element("h2", {}, "Steps at wallets"), table([["Operator"], ["Transaction"], ["State"], ["Amount", true], ["Since"], ["Tries", true], ["Next"], ["Last answer"]],
        found.steps.map((row) => [row.operator_id, element("span", { class: "mono" }, row.txn_id), element("span", { class: row.state === "failed" ? "bad" : null }, row.state), amount(row.amount_minor, row.exponent, row.currency), row.since, String(row.attempts), row.next_try_at || "nobody tries any more", row.last_error || ""]), "Nothing is under way: every debit, credit and rollback has ended.")),
      element("section", { class: "card" }, element("h2", {}, "Rounds that wait"), table([["Operator"], ["Round"], ["Session"], ["Waits for"], ["Until"]],
        found.rounds.map((row) => [row.operator_id, element("span", { class: "mono" }, row.round_id), element("span", { class: "mono" }, row.session_id), row.waits_for, row.due_at]), "No round waits for a settlement or a choice.")),
      element("section", { class: "card" }, element("h2", {}, "Events"), table([["Operator"], ["To"], ["Waiting", true], ["Oldest"], ["Put aside", true], ["Receiver"], ["Last answer"]],
        found.events.map((row) => [row.operator_id, row.sink, String(row.waiting), row.oldest_at || "", element("span", { class: row.dead ? "bad" : null }, String(row.dead)), row.sink !== "webhook" ? "" : row.disabled ? `${row.url} (gone)` : row.url || "none: they are kept", row.last_error || ""]), "No event waits.")));
    document.body.dataset.state = "open-shown";
  }

  // --- RTP -------------------------------------------------------------------------------------------

  const NS = "http://www.w3.org/2000/svg";
  function shape(name, attributes, text) {
    const found = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
    if (text !== undefined) found.textContent = text;
    return found;
  }

  // The RTP of the days up to each day in its exact band, which is the wider the fewer rounds there were.
  function chart(build) {
    const [width, height, left, bottom] = [640, 220, 60, 24];
    const days = build.days, centre = days.at(-1).theory;
    const far = (value) => Math.abs(value - centre);
    const reach = Math.max(0.005, ...days.map((day) => far(day.rtp)), ...days.flatMap((day) => (day.band || []).map((edge) => Math.min(far(edge), 0.6)))) * 1.15;
    const x = (i) => left + (days.length > 1 ? (i * (width - left - 12)) / (days.length - 1) : (width - left) / 2);
    const y = (value) => 10 + ((centre + reach - Math.max(centre - reach, Math.min(centre + reach, value))) / (2 * reach)) * (height - bottom - 16);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": `RTP of ${build.build}: ${percent(days.at(-1).rtp)}, certified ${percent(centre)}` });
    for (const value of [centre - reach, centre, centre + reach]) {
      svg.append(shape("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: value === centre ? "theory" : "axis" }));
      svg.append(shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, percent(value)));
    }
    if (days.every((day) => day.band)) {
      // A single day is a bar, since a band needs two.
      const edges = days.length > 1 ? days.map((day, i) => [x(i), day.band]) : [[x(0) - 14, days[0].band], [x(0) + 14, days[0].band]];
      const upper = edges.map(([at, band]) => `${at},${y(band[1])}`);
      const lower = edges.map(([at, band]) => `${at},${y(band[0])}`).reverse();
      svg.prepend(shape("polygon", { points: [...upper, ...lower].join(" "), class: "band" }));
    }
    svg.append(shape("polyline", { points: days.map((day, i) => `${x(i)},${y(day.rtp)}`).join(" "), class: "line" }));
    days.forEach((day, i) => {
      const dot = shape("circle", { cx: x(i), cy: y(day.rtp), r: 3.5, class: outside(day) ? "out" : "" });
      dot.append(shape("title", {}, `${day.day}: ${percent(day.rtp)} of ${day.rounds.toLocaleString("en")} rounds in ${day.window_days === 1 ? "a day" : `${day.window_days} days`}`));
      svg.append(dot);
      if (i === 0 || i === days.length - 1) svg.append(shape("text", { x: x(i), y: height - 6, "text-anchor": days.length === 1 ? "middle" : i ? "end" : "start" }, day.day));
    });
    return svg;
  }

  const percent = (value) => `${(100 * value).toFixed(2)} %`;
  const outside = (day) => day.band !== null && (day.rtp < day.band[0] || day.rtp > day.band[1]);
  const every = (row) => (row.operator_id === "" ? "all operators" : row.operator_id);
  const whole = (text) => element("span", { class: "whole" }, text);
  const named = (row) => `${row.build}${row.mode === "base" ? "" : ` (${row.mode})`}`;

  async function rtp() {
    frame("rtp", element("p", { id: "found" }, "Reading…"));
    const { builds, verdicts, unjudged } = await ask("GET", "rtp");
    const colours = { page: "bad", investigate: "warn", info: "warn", within: "good", insufficient: "dim" };
    $("main").replaceChildren(
      element("section", { class: "card", id: "verdicts", "aria-label": "verdicts" }, element("h2", {}, "Verdicts of the monitor"), table([["Level"], ["Operator"], ["Build"], ["Channel"], ["Stakes"], ["Until"], ["Days", true], ["Rounds", true], ["RTP", true], ["95 % of such windows", true], ["Certified", true], ["Why"]],
        verdicts.map((row) => [element("span", { class: colours[row.level] }, row.level), whole(every(row)), named(row), row.channel || "none", whole(row.stakes), whole(row.day), String(row.window_days), row.rounds.toLocaleString("en"), percent(row.rtp), row.band === null ? "no exact law" : `${percent(row.band[0])} – ${percent(row.band[1])}`, percent(row.rtp_certified), row.reasons.join("; ")]), "Nothing is judged yet: a day is when all of its rounds are counted, an alarm at once."),
        unjudged.length ? element("p", { class: "dim" }, `Not judged: ${unjudged.map((row) => `${named(row)}: ${row.reason}`).join("; ")}.`) : null),
      element("h2", {}, "RTP of thirty days"),
      element("p", { class: "dim" }, "For each of the last 30 days: what was won of what was staked in up to 30 days until then, all operators, stakes and channels together, once that day is judged. Shaded is the exact band in which 95 of 100 right builds are after so many rounds at such stakes."),
      ...(builds.length ? builds.map((build) => {
        const last = build.days.at(-1);
        return element("section", { class: "card", "aria-label": build.build }, element("h3", {}, `${named(build)}, ${build.currency}`),
          element("p", {}, `${last.rounds.toLocaleString("en")} rounds of ${last.window_days === 1 ? "one day" : `${last.window_days} days`} until ${last.day} · ${percent(last.rtp)} · certified ${percent(last.theory)} · `,
            last.band === null ? element("span", { class: "dim" }, "no exact law, no band") : element("span", { class: outside(last) ? "warn" : "good" }, outside(last) ? "outside the band" : "inside the band")),
          chart(build));
      }) : [element("p", { class: "card dim" }, "No day of the last 30 is judged yet. A day is judged when all of its rounds are counted, some twenty minutes after its end.")]));
    document.body.dataset.state = "rtp-shown";
  }

  // --- Traffic ---------------------------------------------------------------------------------------

  // Lines over time: each of them a name, a class and a value of each bin.
  function lines(title, bins, drawn, unit) {
    const [width, height, left, bottom] = [640, 200, 64, 24];
    const most = Math.max(...drawn.flatMap(({ values }) => values.filter((value) => value !== null)), 0) * 1.1 || 1;
    const times = bins.map((bin) => Date.parse(bin.at));
    const span = Math.max(times.at(-1) - times[0], 1);
    const x = (i) => left + (times.length > 1 ? ((times[i] - times[0]) / span) * (width - left - 12) : (width - left) / 2);
    const y = (value) => 10 + (1 - value / most) * (height - bottom - 16);
    const last = drawn.map(({ name, values }) => `${name} ${values.at(-1) ?? "none"}`).join(", ");
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": `${title}: now ${last} ${unit}` });
    for (const value of [0, most / 2, most]) {
      svg.append(shape("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: "axis" }));
      svg.append(shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ${unit}`));
    }
    for (const { name, values, kind } of drawn) {
      const points = values.flatMap((value, i) => (value === null ? [] : [`${x(i)},${y(value)}`]));
      svg.append(shape("polyline", { points: points.join(" "), class: kind }));
      values.forEach((value, i) => {
        if (value === null) return;
        const dot = shape("circle", { cx: x(i), cy: y(value), r: 3, class: kind === "line second" ? "out" : "" });
        dot.append(shape("title", {}, `${bins[i].at}: ${name} ${value} ${unit}`));
        svg.append(dot);
      });
    }
    [0, bins.length - 1].forEach((i) => svg.append(shape("text", { x: x(i), y: height - 6, "text-anchor": i ? "end" : "start" }, bins[i].at.slice(11, 16))));
    return svg;
  }

  async function traffic() {
    frame("traffic", element("p", { id: "found" }, "Reading…"));
    const { bins, errors } = await ask("GET", "traffic");
    const every = 300;
    const rate = (count) => Math.round((10 * count) / every) / 10;
    $("main").replaceChildren(element("h2", {}, "The last six hours"),
      element("p", { class: "dim" }, "Bins of five minutes, of all workers together; times in UTC. Workers write every minute, so what is newest comes late. Alerts are Prometheus's, not this page's."),
      ...(bins.length ? [
        element("section", { class: "card", "aria-label": "latency of spins" }, element("h3", {}, "Latency of spins: p50 and p99 (red)"), lines("latency of spins", bins, [{ name: "p50", values: bins.map((bin) => bin.p50_ms), kind: "line" }, { name: "p99", values: bins.map((bin) => bin.p99_ms), kind: "line second" }], "ms")),
        element("section", { class: "card", "aria-label": "requests" }, element("h3", {}, "Requests a second: all, and faults of ours (red)"), lines("requests", bins, [{ name: "all", values: bins.map((bin) => rate(bin.requests)), kind: "line" }, { name: "faults", values: bins.map((bin) => rate(bin.faults)), kind: "line second" }], "/s"))]
        : [element("p", { class: "card dim" }, "Nothing was answered yet, or it is not a minute ago.")]),
      element("section", { class: "card", "aria-label": "errors" }, element("h3", {}, "Errors by code"), table([["Operation"], ["Code"], ["Errors", true]], errors.map((row) => [row.operation, row.code, row.errors.toLocaleString("en")]), "No request was refused.")));
    document.body.dataset.state = "traffic-shown";
  }

  function route() {
    const [place, search] = location.hash.slice(1).split("?");
    const query = new URLSearchParams(search || "");
    const shown = place === "round" ? round : (PLACES.find(([key]) => key === place) || PLACES[0])[2];
    return guarded(() => shown(query));
  }

  window.startPage = async (found) => {
    app = found;
    addEventListener("hashchange", () => person && route());
    try { ({ person } = await ask("GET", "me")); await route(); }
    catch (error) { login(error.code === "LOGIN_REQUIRED" ? "" : error.message); }
  };
})();
