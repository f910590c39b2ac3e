// Checks the signed list of files, then loads each with its hash: the browser refuses one that was changed.
"use strict";
(async () => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const fail = (why) => {
    const line = document.getElementById("loading");
    line.setAttribute("role", "alert");
    line.textContent = `The page does not start: ${why}`;
    document.body.dataset.state = "refused";
  };
  try {
    const manifest = await (await fetch(`${document.body.dataset.root}/manifest.json`, { cache: "no-cache" })).json();
    const signed = new TextEncoder().encode(JSON.stringify({ page: manifest.page, files: manifest.files }));
    const key = await crypto.subtle.importKey("raw", bytes(document.body.dataset.key), "Ed25519", false, ["verify"]);
    if (!(await crypto.subtle.verify("Ed25519", key, bytes(manifest.signature), signed))) {
      return fail("the list of its files was changed.");
    }
    for (const { name, integrity } of manifest.files) {
      await new Promise((resolve, reject) => {
        const style = name.endsWith(".css");
        const element = document.createElement(style ? "link" : "script");
        if (style) {
          element.rel = "stylesheet";
          element.href = `${document.body.dataset.root}/assets/${name}`;
        } else {
          element.src = `${document.body.dataset.root}/assets/${name}`;
        }
        element.integrity = integrity;
        element.crossOrigin = "anonymous";
        element.onload = resolve;
        element.onerror = () => reject(new Error(`the file ${name} was changed, or cannot be read.`));
        document.head.append(element);
      });
    }
    window.startPage(document.getElementById("app"));
  } catch (error) {
    fail(error.message || "its files cannot be checked in this browser.");
  }
})();
