// A visit on the phone: one question after the other. Every answer goes into the phone's queue first and the next question
// is shown; sending is the queue's business. So the page is the same with and without a signal.
"use strict";
(() => {
  const main = document.getElementById("visit");
  if (!main) return;
  const queue = self.kewangQueue;
  const person = document.body.dataset.person;
  const PHOTO_BYTES = 150_000;
  const sections = [...main.querySelectorAll("[data-step]")];
  let visit = null;

  const fits = (section) => {
    const { kinds, cameras } = section.dataset;
    return (!kinds || kinds.split(" ").includes(visit.kind)) && (!cameras || visit.cameras);
  };
  const done = () => new Set([...visit.done, ...visit.told?.done ?? []]);
  // The server knows of a visit from its first step on: only then there is something to end.
  const begun = () => done().has(["install", "move"].includes(visit.kind) ? "site" : "start");
  const left = () => visit.done.includes("leave");
  const open = () => sections.filter(fits).find((section) => !done().has(section.dataset.step));

  const show = (section) => {
    for (const one of sections) one.hidden = one !== section;
    main.dataset.at = section.dataset.step;
    const steps = sections.filter(fits);
    for (const place of main.querySelectorAll("[data-fill=progress]")) place.value = steps.indexOf(section) / (steps.length - 1);
    main.querySelector(".leave").hidden = !begun() || section.dataset.step === "sent";
    for (const choice of main.querySelectorAll("[data-of-cameras]")) choice.hidden = !visit.cameras;
    for (const button of section.querySelectorAll("[data-go]")) button.hidden = !visit.cameras || done().has(button.dataset.go);
    if (section.dataset.step === "site") propose(section);
    for (const form of section.querySelectorAll("[data-anew]")) form.action = `/t/visit/${visit.id}/anew`;
    for (const live of section.querySelectorAll("[data-live]")) watch(live);
    scrollTo(0, 0);
  };

  const render = () => {
    for (const [name, text] of Object.entries(visit.words ?? {}))
      for (const place of main.querySelectorAll(`[data-fill=${name}]`)) place.textContent = text;
    const list = document.getElementById("known-sources");
    for (const name of (list?.childElementCount === 1 && visit.sources) || []) {
      const item = list.querySelector("template").content.cloneNode(true);
      item.querySelector("p").textContent = name;
      list.append(item);
    }
    if (visit.refused) return refuse(visit.refused);
    if (visit.told?.finished && location.pathname !== `/t/visit/${visit.id}/end`) return end();
    if (left()) return gone();
    show(open() ?? sections.find((section) => section.dataset.step === "sent"));
  };

  const end = async () => {
    await queue.forget(visit.id);
    location.replace(`/t/visit/${visit.id}/end`);
  };

  const alone = (panel) => {
    for (const section of [...sections, main.querySelector(".leave")]) section.hidden = true;
    panel.hidden = false;
  };

  // The server said no: its own words, and the way back.
  const refuse = (said) => {
    const panel = document.getElementById("refused");
    for (const name of ["text", "next", "code"])
      panel.querySelector(`[data-fill=${name}]`).textContent = said[name] ?? "";
    alone(panel);
  };

  // Ended red; the server may not know it yet.
  const gone = () => {
    main.dataset.at = "left";
    alone(document.getElementById("left"));
    scrollTo(0, 0);
  };

  const answer = async (step, fields, photo) => {
    if (visit.done.includes(step)) return;  // tapped twice
    const steps = fields ? [{ id: crypto.randomUUID(), step, fields, at_ms: Date.now() }] : [];
    visit = { ...visit, done: [...visit.done, step] };
    await queue.keep(visit, { steps, photos: photo ? [photo] : [] });
    render();
    self.kewangField.send();
  };

  const submitted = async (event) => {
    const form = event.target.closest("form[data-answers]");
    if (!form || !visit) return;
    event.preventDefault();
    const said = [...new FormData(form, event.submitter)].filter(([name]) => name !== "csrf" && name !== "request");
    const step = form.dataset.answers;
    const { device, fingerprint, kind, old } = visit;
    const begins = step === "start" || step === "site" ? { device, fingerprint, kind, old } : {};
    try {
      await answer(step, form.hasAttribute("data-local") ? null : { ...Object.fromEntries(said), ...begins });
    } catch {
      form.submit();
    }
  };

  // ---- the photo: shrunk on the phone; drawing it anew leaves the EXIF data behind
  const shrunk = async (file) => {
    for (const side of [1280, 960, 640]) {
      const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
      const scale = Math.min(1, side / Math.max(picture.width, picture.height));
      const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      picture.close();
      for (const quality of [0.8, 0.6, 0.4]) {
        const made = await canvas.convertToBlob({ type: "image/jpeg", quality });
        if (made.size <= PHOTO_BYTES) return made.arrayBuffer();
      }
    }
    throw new RangeError("photo");
  };

  const photographed = async (event) => {
    const input = event.target.closest("input[data-photo]");
    if (!input?.files.length || !visit) return;
    const trouble = input.form.querySelector("[data-trouble]");
    const busy = input.form.querySelector("[data-busy]");
    trouble.hidden = true;
    busy.hidden = false;
    try {
      const bytes = await shrunk(input.files[0]);
      await answer(input.form.dataset.photo, null, { id: crypto.randomUUID(), kind: input.form.dataset.photo, bytes });
    } catch {
      trouble.hidden = false;
    } finally {
      busy.hidden = true;
      input.value = "";
    }
  };

  // ---- the site: the nearest by the phone's position, else the planned one, else the list
  const metres = (a, b) => {
    const rad = Math.PI / 180;
    const x = (b.lon - a.lon) * rad * Math.cos((a.lat + b.lat) / 2 * rad);
    return Math.hypot(x, (b.lat - a.lat) * rad) * 6_371_000;
  };

  const position = () => new Promise((resolve) => {
    if (!navigator.geolocation) resolve(null);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lat: coords.latitude, lon: coords.longitude, accuracy_m: coords.accuracy }),
      () => resolve(null), { enableHighAccuracy: true, timeout: 10_000, maximumAge: 60_000 });
  });

  const propose = async (section) => {
    if (section.dataset.asked) return;
    section.dataset.asked = "1";
    if (visit.words?.planned) choose(section, section.querySelector(`input[value="${CSS.escape(visit.words.planned)}"]`));
    const here = await position();
    const form = section.querySelector("form");
    if (!here) { section.querySelector("[data-unplaced]").hidden = false; return; }
    for (const [name, value] of Object.entries(here)) form.elements[name].value = value;
    const near = [...form.querySelectorAll("input[data-lat]")].map((input) => ({
      input, far: metres(here, { lat: Number(input.dataset.lat), lon: Number(input.dataset.lon) }),
    })).sort((a, b) => a.far - b.far);
    for (const { input, far } of [...near].reverse()) {
      input.closest("label").querySelector("[data-fill=far]").textContent = distance(far);
      form.querySelector("fieldset").prepend(input.closest("label"));
    }
    if (near.length && near[0].far < Math.max(1000, 2 * here.accuracy_m)) choose(section, near[0].input, distance(near[0].far));
  };

  const distance = (far) => far < 1000 ? `${Math.max(10, Math.round(far / 10) * 10)} m` : `${(far / 1000).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 })} km`;

  const choose = (section, input, far = "") => {
    if (!input) return;
    input.checked = true;
    section.querySelector("[data-fill=site]").textContent = input.closest("label").querySelector("b").textContent;
    section.querySelector("[data-fill=site-far]").textContent = far;
    section.classList.add("proposed");
  };

  // ---- what comes from the server while a question is open
  const watch = (live) => {
    if (live.hasAttribute("hx-get")) return;
    live.setAttribute("hx-get", live.dataset.live.replace("VISIT", visit.id));
    live.setAttribute("hx-trigger", `load, every ${live.dataset.everyS}s`);
    htmx.process(live);
  };

  // The buttons stand beside what is asked again, so that no tap is lost when it is swapped; here they come and go.
  const swapped = (event) => {
    away(false);
    const live = event.target.closest("[data-live]");
    for (const form of live?.closest("[data-step]").querySelectorAll("form[data-when]:not([data-seen])") ?? [])
      form.hidden = !live.querySelector(`[data-${form.dataset.when}]`);
    look();
  };

  // ---- the picture: whether it is clear is asked once all of it is on the screen
  const seen = new Set();
  const broken = (picture) => picture.complete && !picture.naturalWidth;
  const look = () => {
    const section = main.querySelector("[data-step=picture]");
    const pictures = [...section.querySelectorAll(".thumbnail img")];
    for (const picture of pictures) if (picture.complete && !broken(picture)) seen.add(picture.src);
    const all = pictures.every((picture) => seen.has(picture.src));
    const state = !pictures.length ? "none" : pictures.some(broken) ? "failed" : all ? "shown" : "loading";
    for (const part of section.querySelectorAll("[data-seen]")) {
      part.hidden = !part.dataset.seen.split(" ").includes(state);
      part.classList.add("looked-at");
    }
  };
  const again = () => {
    for (const picture of [...main.querySelectorAll(".thumbnail img")].filter(broken)) picture.src = picture.src;
    look();
  };

  const swapping = (event) => {
    const { target, serverResponse, xhr } = event.detail;
    if (xhr.status === 401) self.kewangField.send();
    if (target.kewangShown === serverResponse) { event.detail.shouldSwap = false; away(false); }
    else if (xhr.status === 200) target.kewangShown = serverResponse;
  };

  const away = (gone) => document.body.classList.toggle("away", gone);
  document.addEventListener("htmx:sendError", () => away(true));
  document.addEventListener("htmx:timeout", () => away(true));
  document.addEventListener("htmx:afterSwap", swapped);
  document.addEventListener("htmx:beforeSwap", swapping);

  // ---- where this page begins: the server's page, the phone's own record, or the label's address without a signal
  const fresh = () => {
    const label = location.pathname.match(/^\/d\/([^/]+)\/([^/]+)\/?$/i);
    const { visit: id, device, fingerprint, kind, cameras, old } = main.dataset;
    if (device) return { id, device, fingerprint, kind, old, cameras: cameras === "1" };
    if (!label) return null;
    const known = listed(label[1].toLowerCase());
    return {
      id: crypto.randomUUID(), device: label[1].toLowerCase(), fingerprint: label[2].toUpperCase(), kind: "install",
      cameras: known?.cameras ?? true, sources: known?.sources ?? [], words: { planned: known?.site },
    };
  };

  const listed = (device) => {
    const kept = document.getElementById("devices");
    return kept ? JSON.parse(kept.textContent)[device] : null;
  };

  const begin = async () => {
    const asked = main.dataset.visit || location.pathname.match(/^\/t\/visit\/([0-9a-f-]{36})/)?.[1];
    const made = fresh();
    const scanned = location.pathname.toLowerCase().startsWith("/d/");
    const known = made && !main.dataset.device ? listed(made.device) : null;
    const all = await queue.read("visits");
    const same = (one) => made && one.device === made.device && one.kind === made.kind && one.person === person && !one.told?.finished && !one.done.includes("leave");
    const kept = all.find((one) => one.id === asked) ?? (scanned ? all.find(same) : undefined);
    if (!kept && (!made || known?.installed)) { document.getElementById(made ? "installed" : "nothing").hidden = false; return; }
    visit = kept ?? { ...made, person, done: [], told: null, refused: null };
    const told = main.dataset.done === undefined ? null : { done: main.dataset.done.split(" ").filter(Boolean), finished: false };
    if (kept && kept.id !== main.dataset.visit && told) told.done = kept.told?.done ?? [];
    visit = { ...visit, told: told ?? visit.told, words: { device: visit.device.toUpperCase(), planned: main.dataset.planned, ...made?.words, ...visit.words } };
    if (visit.done.length || visit.told?.done.length) await queue.keep(visit, {});
    render();
  };

  document.addEventListener("load", look, true);
  document.addEventListener("error", look, true);
  look();
  document.addEventListener("submit", submitted);
  document.addEventListener("change", photographed);
  document.addEventListener("change", (event) => {
    if (event.target.name === "site") choose(event.target.closest("[data-step]"), event.target);
  });
  document.addEventListener("click", async (event) => {
    if (event.target.closest("[data-again]")) again();
    const button = event.target.closest("[data-go],[data-choose],[data-forget]");
    if (!button || !visit) return;
    if (button.dataset.go) show(sections.find((section) => section.dataset.step === button.dataset.go));
    if (button.hasAttribute("data-choose")) button.closest("[data-step]").classList.remove("proposed");
    if (button.hasAttribute("data-forget")) { await queue.forget(visit.id); location.assign("/t/"); }
  });
  document.addEventListener("kewang:queue", async () => {
    const kept = visit && await queue.read("visits", visit.id);
    if (!kept) return;
    const before = JSON.stringify([visit.told, visit.refused]);
    visit = { ...visit, told: kept.told, refused: kept.refused };
    if (JSON.stringify([visit.told, visit.refused]) !== before && (visit.refused || visit.told?.finished)) render();
  });
  begin().catch(() => { /* No storage on this phone: the plain forms go on working. */ });
})();
