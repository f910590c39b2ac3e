// Draws what the service answers. Nothing here knows odds, pays or seeds: an outcome arrives as scenes with their cells and sums.
"use strict";
(() => {
  const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");
  const KEPT = "rgs-play-session";
  let app, games, game, session, busy = false, hurry = false;

  const $ = (id) => document.getElementById(id);
  const money = (minor) => `${(minor / 100).toFixed(2)}`;
  const pause = (ms) => new Promise((done) => {
    if (REDUCED.matches || hurry) return setTimeout(done, 8);
    const timer = setTimeout(done, ms);
    const skip = setInterval(() => { if (hurry) { clearTimeout(timer); clearInterval(skip); done(); } }, 30);
    setTimeout(() => clearInterval(skip), ms + 40);
  });

  function element(name, attributes = {}, ...children) {
    const found = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) found.addEventListener(key.slice(2), value);
      else if (value !== false && value !== null) found.setAttribute(key, value === true ? "" : value);
    }
    found.append(...children.filter((child) => child !== null));
    return found;
  }

  async function ask(method, path, body) {
    const options = { method, headers: { Accept: "application/json" } };
    if (body !== undefined) { options.body = JSON.stringify(body); options.headers["Content-Type"] = "application/json"; }
    for (let attempt = 0; ; attempt++) {
      let reply;
      try {
        reply = await fetch(`/play/api${path}`, options);
      } catch (error) {
        if (attempt >= 4) throw new Error("The service does not answer. Your round is safe: try again.");
      }
      if (reply && reply.ok) return reply.json();
      const problem = reply ? await reply.json().catch(() => ({})) : { retryable: true };
      // The same request with the same id is the same round, so repeating it is safe.
      if (!problem.retryable || attempt >= 4) {
        const error = new Error(problem.detail || problem.title || "The service does not answer.");
        error.code = problem.code;
        throw error;
      }
      await new Promise((done) => setTimeout(done, Math.min(4000, problem.retry_after_ms || 200 * 2 ** attempt)));
    }
  }

  function say(text) { $("live").textContent = text; }

  // --- The hall ------------------------------------------------------------------------------------

  function hall() {
    document.title = "Games · rgs-core";
    app.replaceChildren(
      element("header", {}, element("h1", {}, "Games"), element("span", { class: "dim" }, "play money against the sandbox; every outcome is drawn, kept and replayed by the service")),
      element("ul", { class: "games" }, ...games.map((each) => element("li", {}, element("button", { "data-game": each.game_id, onclick: () => enter(each) },
        element("strong", {}, each.title),
        element("span", { class: "row" }, ...each.symbols.slice(0, 4).map((name) => drawSymbol(name, each))),
        element("span", { class: "dim" }, each.description),
        element("span", { class: "dim" }, `RTP ${(100 * each.rtp).toFixed(2)} %`))))),
      games.length ? null : element("p", {}, "No game is offered here. Certified models in RGS_MODELS_DIR appear in this hall."),
      element("p", { class: "hidden", id: "live", role: "status", "aria-live": "polite" }));
    document.body.dataset.state = "hall";
  }

  async function enter(chosen, kept) {
    game = chosen;
    try {
      session = kept || await ask("POST", "/sessions", { game_id: game.game_id, build_hash: game.build_hash, client_seed: randomText(12) });
    } catch (error) {
      say(error.message);
      return;
    }
    localStorage.setItem(KEPT, session.session_id);
    room();
    show(game.window, []);
    await history();
    if (session.round) await follow(session.round);
  }

  function randomText(length) {
    return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => "abcdefghijkmnpqrstuvwxyz23456789"[byte % 32]).join("");
  }

  // --- A game --------------------------------------------------------------------------------------

  function room() {
    document.title = `${game.title} · rgs-core`;
    const modes = element("select", { id: "mode", onchange: stakes }, ...game.modes.map((m) => element("option", { value: m.mode }, m.mode)));
    app.replaceChildren(
      element("header", {}, element("button", { id: "back", onclick: () => { localStorage.removeItem(KEPT); hall(); } }, "← Games"), element("h1", {}, game.title), element("span", { class: "dim" }, game.description)),
      element("div", { class: "stage", id: "stage" }, element("div", { class: "reels", id: "reels", role: "img", "aria-label": "reels" }), element("div", { id: "lines" })),
      element("div", { class: "banner", id: "banner" }, "Good luck."),
      element("div", { class: "choice", id: "choice", role: "group", "aria-label": "your choice" }),
      element("div", { class: "bar" },
        element("label", {}, "Balance EUR", element("output", { id: "balance" }, money(session.balance_minor))),
        element("label", { hidden: game.modes.length < 2 }, "Mode", modes),
        element("label", {}, "Stake EUR", element("select", { id: "stake" })),
        element("button", { id: "spin", onclick: press }, "Spin"),
        element("label", {}, "Win EUR", element("output", { id: "win" }, "0.00"))),
      element("p", { class: "hidden", id: "live", role: "status", "aria-live": "polite" }),
      element("div", { class: "columns" },
        element("section", { class: "panel", "aria-label": "history" }, element("h2", {}, "History"), element("div", { class: "scroll", tabindex: 0 }, element("table", { id: "history" }))),
        element("section", { class: "panel", "aria-label": "fairness" }, element("h2", {}, "Fairness"), element("div", { id: "fair" }))));
    stakes();
    fairness();
    document.body.dataset.state = "ready";
    $("spin").focus();
  }

  function stakes() {
    const mode = game.modes.find((m) => m.mode === $("mode").value);
    const before = $("stake").selectedIndex;
    $("stake").replaceChildren(...mode.stakes.map((minor) => element("option", { value: minor }, money(minor))));
    $("stake").selectedIndex = before >= 0 ? before : Math.min(3, mode.stakes.length - 1);
  }

  function fairness(closed) {
    const rows = [["Seed commitment", session.commitment], ["Your seed", session.client_seed || "none"], ["Build", session.build_hash]];
    if (closed) rows.push(["Server seed", closed.server_seed]);
    $("fair").replaceChildren(
      element("p", { class: "dim" }, closed
        ? "The seed is public now: its SHA-256 is the commitment, and with both seeds anybody can draw every round of this session again."
        : "The service committed to its seed before your first spin. End the session to see it; every round can be drawn again from it."),
      element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "mono", "data-fair": name }, value)])),
      element("p", { class: "row" }, ...(closed ? [element("button", { id: "file", onclick: file }, "Make the file of the session"), element("button", { onclick: () => enter(game) }, "New session")] : [element("button", { id: "close", onclick: end }, "End session and show the seed")])));
  }

  // What the page at /verify reads. The log that the file refers to is signed some seconds after the last round.
  async function file() {
    const button = $("file");
    button.disabled = true;
    button.textContent = "Waiting for the log to be signed…";
    for (let attempt = 0; ; attempt++) {
      try {
        const found = await ask("GET", `/sessions/${session.session_id}/file`);
        const url = URL.createObjectURL(new Blob([JSON.stringify(found)], { type: "application/json" }));
        button.replaceWith(element("a", { id: "save", class: "button", href: url, download: `${session.session_id}.json` }, "Save the file"),
          element("a", { id: "verify", class: "button", href: `/verify#${session.commitment}`, target: "_blank", rel: "noopener" }, "Open the verifier, and choose the file there"));
        return say("The file of the session is ready.");
      } catch (error) {
        if (error.code === "AUDIT_PENDING" && attempt < 10) continue;
        button.disabled = false;
        button.textContent = "Make the file of the session";
        return alert_(error);
      }
    }
  }

  async function end() {
    if (busy) return;
    try {
      const closed = await ask("POST", `/sessions/${session.session_id}/close`, {});
      localStorage.removeItem(KEPT);
      fairness(closed);
      $("spin").disabled = true;
      $("banner").textContent = `The session is over. ${closed.rounds} rounds; paid out ${closed.paid_out ? closed.paid_out.amount.amount.toFixed(2) : "0.00"} EUR.`;
      say("The session is over. Its seed is shown.");
    } catch (error) { alert_(error); }
  }

  function show(window_, values, cells = new Set()) {
    const tallest = Math.max(...window_.map((reel) => reel.length));
    $("stage").style.setProperty("--ratio", window_.length / tallest);
    $("reels").style.setProperty("--reels", window_.length);
    $("reels").classList.toggle("dimmed", cells.size > 0);
    $("reels").replaceChildren(...window_.map((reel, r) => element("div", { class: "reel" }, ...reel.map((name, row) =>
      element("div", { class: cells.has(`${r},${row}`) ? "cell wins" : "cell" }, drawSymbol(name, game, values[r] ? values[r][row] : 0))))));
    $("reels").setAttribute("aria-label", "reels: " + window_.map((reel, r) => `reel ${r + 1} ${reel.join(", ")}`).join("; "));
    $("lines").replaceChildren();
  }

  async function roll(window_) {
    const reels = [...$("reels").children];
    reels.forEach((reel) => reel.classList.add("rolling"));
    await pause(420);
    for (let r = 0; r < reels.length; r++) {
      const fresh = (window_[r] || []).map((name) => element("div", { class: "cell" }, drawSymbol(name, game)));
      reels[r].replaceChildren(...fresh);
      reels[r].classList.remove("rolling");
      await pause(130);
    }
  }

  async function press() {
    if (busy) { hurry = true; return; }
    const stake = Number($("stake").value);
    begin();
    try {
      const spinId = `play-${randomText(20)}`;
      const reels = [...$("reels").children];
      reels.forEach((reel) => reel.classList.add("rolling"));
      const played = await ask("POST", `/sessions/${session.session_id}/spins`, { spin_id: spinId, stake_minor: stake, mode: $("mode").value });
      $("balance").textContent = money(session.balance_minor - stake);
      await follow(played);
    } catch (error) {
      show(game.window, []);
      alert_(error);
      done();
    }
  }

  function begin() {
    busy = true; hurry = false;
    document.body.dataset.state = "playing";
    $("spin").textContent = "Skip";
    $("win").textContent = "0.00";
    $("choice").replaceChildren();
  }

  function done() {
    busy = false;
    document.body.dataset.state = "ready";
    $("spin").textContent = "Spin";
    $("spin").disabled = false;
  }

  // Shows a round as far as it has come, then asks, or ends it. `from`: scenes that were seen already.
  async function follow(played, from = 0) {
    begin();
    await scenes(played.scenes.slice(from));
    if (played.balance_minor !== undefined) session.balance_minor = played.balance_minor;
    if (played.awaiting) return choose(played.awaiting, played.scenes.length);
    $("balance").textContent = money(session.balance_minor);
    $("win").textContent = money(played.win_minor);
    $("banner").replaceChildren(played.win_minor ? element("strong", {}, `You win ${money(played.win_minor)} EUR`) : "No win this time.");
    say(`${played.win_minor ? `You win ${money(played.win_minor)} euro` : "No win"}. Balance ${money(session.balance_minor)}.`);
    await history();
    done();
  }

  async function scenes(list) {
    let shown = 0;
    for (const scene of list) {
      if (!scene.window) {
        $("banner").textContent = scene.words.join(", ");
        await pause(900);
        continue;
      }
      if (["stop", "spin"].includes(scene.kind)) {
        if ($("reels").children.length !== scene.window.length) show(scene.window, scene.values);
        await roll(scene.window);
      }
      show(scene.window, scene.values);
      if (scene.kind === "fall") { $("reels").classList.add("drop"); setTimeout(() => $("reels").classList.remove("drop"), 260); }
      const label = scene.number ? `Spin ${scene.number + 1} of the round` : "";
      $("banner").textContent = [label, ...scene.words].filter(Boolean).join(" · ");
      for (const win of scene.wins.slice(0, 12)) {
        show(scene.window, scene.values, new Set(win.cells.map(String)));
        if (win.line && win.cells.length > 1) $("lines").replaceChildren(winningLine($("reels"), win.cells));
        shown += win.won_minor;
        $("win").textContent = money(shown);
        $("banner").textContent = `${win.words} · ${money(win.won_minor)} EUR`;
        await pause(Math.max(220, 760 - 60 * scene.wins.length));
      }
      shown = scene.total_minor;
      $("win").textContent = money(shown);
      if (scene.wins.length || scene.words.length) {
        show(scene.window, scene.values, new Set(scene.wins.flatMap((win) => win.cells.map(String))));
        if (scene.words.length) $("banner").textContent = [label, ...scene.words].filter(Boolean).join(" · ");
      }
      await pause(scene.words.length ? 900 : list.length > 1 ? 320 : 80);
    }
  }

  function choose(asked, seen) {
    document.body.dataset.state = "choosing";
    $("spin").disabled = true;
    $("banner").replaceChildren(asked.choice === "gamble" ? `You have won ${money(asked.won_minor)} EUR. Gamble it?` : `Choose your ${asked.choice}.`);
    say($("banner").textContent);
    $("choice").replaceChildren(...asked.options.map((option) => element("button", { "data-option": option, onclick: async () => {
      $("choice").replaceChildren();
      document.body.dataset.state = "playing";
      try {
        const played = await ask("POST", `/sessions/${session.session_id}/rounds/${encodeURIComponent(asked.round_id)}/choices`, { step: asked.step, choice: asked.choice, option });
        await follow(played, Math.max(0, seen - (asked.choice === "gamble" ? 0 : 1)));
      } catch (error) { alert_(error); done(); await refresh(); }
    } }, option)));
    $("choice").firstChild.focus();
  }

  async function refresh() {
    session = await ask("GET", `/sessions/${session.session_id}`);
    $("balance").textContent = money(session.balance_minor);
    if (session.round) await follow(session.round);
  }

  function alert_(error) {
    $("banner").replaceChildren(element("span", { class: "alert", role: "alert" }, error.message));
    say(error.message);
  }

  async function history() {
    const { rounds } = await ask("GET", `/sessions/${session.session_id}/history`);
    $("history").replaceChildren(
      element("tr", {}, ...["Round", "Stake", "Win", ""].map((name) => element("th", { scope: "col" }, name))),
      ...rounds.map((row) => element("tr", {},
        element("td", {}, `${row.nonce}${row.mode === "base" ? "" : ` ${row.mode}`}`), element("td", {}, money(row.stake_minor)), element("td", {}, money(row.win_minor)),
        element("td", {}, element("button", { "data-watch": row.spin_id, "aria-label": `verify round ${row.nonce}`, onclick: () => watch(row) }, "verify")))),
      ...(rounds.length ? [] : [element("tr", {}, element("td", { colspan: 4, class: "dim" }, "No round yet."))]));
  }

  async function watch(row) {
    if (busy) return;
    begin();
    $("stage").scrollIntoView({ block: "nearest" });
    try {
      const seen = await ask("GET", `/sessions/${session.session_id}/spins/${encodeURIComponent(row.spin_id)}`);
      await scenes(seen.scenes);
      $("banner").replaceChildren(element("strong", { class: seen.match ? "good" : "alert" }, seen.match ? "MATCH" : "MISMATCH"),
        ` round ${seen.nonce} drawn again from its seed: ${money(row.win_minor)} EUR`, element("div", { class: "mono dim" }, seen.digest));
      say(`Round ${seen.nonce}: ${seen.match ? "match" : "mismatch"}.`);
    } catch (error) { alert_(error); }
    done();
  }

  document.addEventListener("keydown", (event) => {
    if (!$("spin") || ["SELECT", "INPUT", "BUTTON"].includes(event.target.tagName)) return;
    if (event.code === "Space") { event.preventDefault(); $("spin").click(); }
  });

  window.startPage = async (place) => {
    app = place;
    ({ games } = await ask("GET", "/games"));
    const kept = localStorage.getItem(KEPT);
    if (kept) {
      try {
        const found = await ask("GET", `/sessions/${encodeURIComponent(kept)}`);
        const its = games.find((each) => each.game_id === found.game_id);
        if (its && !found.closed) return enter(its, found);
      } catch (error) { /* another database: begin anew */ }
      localStorage.removeItem(KEPT);
    }
    hall();
  };
})();
