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

  function grid(scene, game) {
    const wins = new Set(scene.wins.flatMap((win) => win.cells.map(String)));
    const said = scene.window.map((reel, r) => `reel ${r + 1} ${reel.join(", ")}`).join("; ");
    return element("div", { class: "grid", role: "img", "aria-label": said, style: `grid-template-columns: repeat(${scene.window.length}, 1fr)` },
      scene.window.map((reel, r) => element("div", { class: "reel" }, reel.map((name, row) => element("div", { class: wins.has(`${r},${row}`) ? "cell wins" : "cell" }, drawSymbol(name, game, scene.values[r] ? scene.values[r][row] : 0))))));
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
    const drawn = found.replay.scenes.slice(0, 60);
    $("main").replaceChildren(element("div", { class: "two" },
      element("section", { class: "card", "aria-label": "the round" }, element("h2", {}, `Round ${found.round_id}`),
        element("p", { role: "status" }, element("span", { class: `verdict ${verdict[0]}`, id: "verdict" }, verdict[1]), ` ${verdict[2]}`),
        drawn.map((scene) => element("div", { class: "scene" }, element("div", {}, element("strong", {}, scene.window ? `${scene.number ? `spin ${scene.number + 1}` : "paid spin"}, ${scene.state}` : scene.kind), scene.words.length ? ` · ${scene.words.join(" · ")}` : "", ` · so far ${money(scene.total_minor)}`),
          scene.window ? grid(scene, game) : null, scene.wins && scene.wins.length ? element("ul", {}, scene.wins.map((win) => element("li", {}, `${win.words}: ${money(win.won_minor)}`))) : null)),
        found.replay.scenes.length > drawn.length ? element("p", { class: "dim" }, `${found.replay.scenes.length - drawn.length} more scenes are not drawn.`) : null),
      element("div", {},
        element("section", { class: "card", "aria-label": "money" }, element("h2", {}, "Money and time"), element("ol", { class: "timeline" }, found.timeline.map((row) => element("li", {}, element("strong", {}, row.what), row.amount_minor === null ? "" : ` ${money(row.amount_minor)}`, element("div", { class: "dim" }, row.detail), element("time", { class: "mono dim" }, row.at))))),
        element("section", { class: "card", "aria-label": "audit log" }, element("h2", {}, "Audit log"),
          element("p", {}, element("span", { class: `verdict ${logged[0]}`, id: "logged" }, logged[1]), ` ${logged[2]}`),
          element("dl", {}, proof.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "mono" }, value)]))),
        element("section", { class: "card", "aria-label": "record" }, element("h2", {}, "Record"), element("dl", {}, facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "mono" }, value)]))))));
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
      element("section", { class: "card" }, element("h2", {}, "Events"), table([["Operator"], ["Waiting", true], ["Oldest"], ["Put aside", true], ["Receiver"], ["Last answer"]],
        found.events.map((row) => [row.operator_id, String(row.waiting), row.oldest_at || "", element("span", { class: row.dead ? "bad" : null }, String(row.dead)), row.disabled ? `${row.url} (gone)` : row.url || "none: they are kept", row.last_error || ""]), "No event waits.")));
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

  function chart(build) {
    const [width, height, left, bottom] = [640, 220, 52, 24];
    const days = build.days.filter((day) => day.so_far !== null);
    const centre = build.rtp ?? days.at(-1).so_far;
    const reach = Math.max(0.02, ...days.flatMap((day) => [Math.abs(day.so_far - centre), Math.min(day.half_width ?? 0, 0.6)])) * 1.15;
    const x = (i) => left + (days.length > 1 ? (i * (width - left - 12)) / (days.length - 1) : (width - left) / 2);
    const y = (value) => 10 + ((centre + reach - value) / (2 * reach)) * (height - bottom - 16);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": `RTP of ${build.build} so far ${(100 * days.at(-1).so_far).toFixed(2)} percent` });
    for (const value of [centre - reach, centre, centre + reach]) {
      svg.append(shape("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: value === centre ? "theory" : "axis" }));
      svg.append(shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, `${(100 * value).toFixed(1)} %`));
    }
    if (build.rtp !== null && days.every((day) => day.half_width !== null)) {
      const clip = (value) => Math.max(centre - reach, Math.min(centre + reach, value));
      // A single day is a bar, since a band needs two.
      const edges = days.length > 1 ? days.map((day, i) => [x(i), day.half_width]) : [[x(0) - 14, days[0].half_width], [x(0) + 14, days[0].half_width]];
      const upper = edges.map(([at, half]) => `${at},${y(clip(build.rtp + half))}`);
      const lower = edges.map(([at, half]) => `${at},${y(clip(build.rtp - half))}`).reverse();
      svg.prepend(shape("polygon", { points: [...upper, ...lower].join(" "), class: "band" }));
    }
    svg.append(shape("polyline", { points: days.map((day, i) => `${x(i)},${y(day.so_far)}`).join(" "), class: "line" }));
    days.forEach((day, i) => {
      const out = build.rtp !== null && day.half_width !== null && Math.abs(day.so_far - build.rtp) > day.half_width;
      const dot = shape("circle", { cx: x(i), cy: y(day.so_far), r: 3.5, class: out ? "out" : "" });
      dot.append(shape("title", {}, `${day.day}: ${(100 * day.so_far).toFixed(3)} % so far, ${day.spins} spins that day`));
      svg.append(dot);
      if (i === 0 || i === days.length - 1) svg.append(shape("text", { x: x(i), y: height - 6, "text-anchor": i ? "end" : "start" }, day.day));
    });
    return svg;
  }

  async function rtp() {
    frame("rtp", element("p", { id: "found" }, "Reading…"));
    const { builds, verdicts } = await ask("GET", "rtp");
    const percent = (value) => `${(100 * value).toFixed(2)} %`;
    const colours = { page: "bad", investigate: "warn", info: "warn", within: "good", insufficient: "dim" };
    $("main").replaceChildren(
      element("section", { class: "card", id: "verdicts", "aria-label": "verdicts" }, element("h2", {}, "Verdicts of the monitor"), table([["Level"], ["Operator"], ["Build"], ["Stakes from"], ["Day"], ["Rounds", true], ["RTP", true], ["95 % of such days", true], ["Certified", true], ["Why"]],
        verdicts.map((row) => [element("span", { class: colours[row.level] }, row.level), row.operator_id, `${row.build}${row.mode === "base" ? "" : ` (${row.mode})`}`, row.stakes, row.day, row.rounds.toLocaleString("en"), percent(row.rtp), row.band === null ? "no exact law" : `${percent(row.band[0])} – ${percent(row.band[1])}`, percent(row.rtp_certified), row.reasons.join("; ")]), "Nothing is judged yet: a day is when all of its rounds are counted, an alarm at once.")),
      element("h2", {}, "RTP of the last 30 days"),
      element("p", { class: "dim" }, "What was won of what was staked, all operators together, added up day by day; shaded: where 95 of 100 right builds are by the certified mean and standard deviation at stakes of one size. Skew wins and mixed stakes widen what is normal: read it as a picture, not as a verdict."),
      ...(builds.length ? builds.map((build) => {
        const last = build.days.at(-1);
        const inside = build.rtp === null || last.half_width === null || last.so_far === null ? null : Math.abs(last.so_far - build.rtp) <= last.half_width;
        return element("section", { class: "card", "aria-label": build.build }, element("h3", {}, `${build.build}, ${build.currency}`),
          element("p", {}, `${build.spins.toLocaleString("en")} rounds · ${last.so_far === null ? "–" : (100 * last.so_far).toFixed(3)} % · certified ${build.rtp === null ? "unknown: the build is not loaded" : (100 * build.rtp).toFixed(3) + " %"} · `, inside === null ? "" : element("span", { class: inside ? "good" : "warn" }, inside ? "inside the band" : "outside the band")),
          build.days.some((day) => day.so_far !== null) ? chart(build) : null);
      }) : [element("p", { class: "card dim" }, "Nothing was played in the last 30 days.")]));
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
