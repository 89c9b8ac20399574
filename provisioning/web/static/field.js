// On every page of the technician: says what waits on the phone, sends it, keeps the pages ready for no signal.
"use strict";
(() => {
  const queue = self.kewangQueue;
  const bar = document.getElementById("waiting");
  const person = document.body.dataset.person;
  const NEXT_MS = [1000, 2000, 4000, 8000, 15000];
  let tries = 0;
  let timer = 0;
  let since = 0;

  // What is on its way for less than two seconds is nobody's worry.
  const show = async (found) => {
    const count = await queue.waiting();
    const state = found !== "sent" && found !== "busy" ? found : await held() ? "held" : "sending";
    if (count === 0) since = 0;
    since ||= performance.now();
    bar.hidden = count === 0 || (state === "sending" && performance.now() - since < 2000);
    for (const place of bar.querySelectorAll("[data-count]")) place.textContent = count;
    for (const words of bar.querySelectorAll("[data-when]")) words.hidden = words.dataset.when !== state;
    document.body.classList.toggle("away", state === "away");
    document.dispatchEvent(new CustomEvent("kewang:queue", { detail: { state, count } }));
  };

  const send = async () => {
    clearTimeout(timer);
    if (await queue.waiting() === 0) { tries = 0; await show("sent"); return; }
    const state = await queue.flush(() => show("sending"));
    await show(state);
    if (state === "login" || (state === "sent" && await held())) return;
    if (state === "sent") tries = 0;
    // Busy: the service worker sends. What it has sent when we look again is shown then.
    if (state === "busy" || await queue.waiting() > 0) timer = setTimeout(send, NEXT_MS[Math.min(tries++, NEXT_MS.length - 1)]);
  };

  const held = async () => (await queue.read("visits")).some((visit) => visit.refused);

  // Whatever is sent next is also sent when this page is gone, where the browser can do that.
  const remind = async () => {
    try {
      const worker = await navigator.serviceWorker?.ready;
      await worker?.sync?.register("kewang-send");
    } catch { /* Not every browser lets a page ask for this; then it is sent when a page is open. */ }
  };

  const ready = async () => {
    if (!("serviceWorker" in navigator)) return;
    await navigator.serviceWorker.register("/t/sw.js", { scope: "/" });
    // A page that was on its way while the worker began is not among those it took over: it asks.
    navigator.serviceWorker.ready.then(({ active }) => navigator.serviceWorker.controller ?? active.postMessage("claim"));
    const known = await caches.open("kewang-known");
    if (!person) { await known.delete("/t/shell"); return; }
    if (document.body.dataset.shell) return;
    await navigator.storage?.persist?.();
    const fresh = await fetch("/t/shell", { cache: "no-store", redirect: "error" });
    if (fresh.ok) await known.put("/t/shell", fresh);
    document.documentElement.dataset.ready = "1";
  };

  const ended = document.querySelector("[data-ended]")?.dataset.ended;

  // Visits that the server does not know yet; the others are on the page already.
  const unfinished = async () => {
    const list = document.getElementById("unfinished");
    if (!list) return;
    const visits = (await queue.read("visits")).filter((one) => one.person === person && !one.told?.finished);
    for (const visit of visits.filter((one) => one.done.includes("leave")))
      document.querySelector(`#open-visits [data-visit="${visit.id}"]`)?.remove();
    const shown = new Set([...document.querySelectorAll("#open-visits [data-visit]")].map((item) => item.dataset.visit));
    const pattern = list.querySelector("template");
    for (const visit of visits.filter((one) => !one.done.includes("leave") && !shown.has(one.id))) {
      const item = pattern.content.cloneNode(true);
      item.querySelector("a").href = `/t/visit/${visit.id}`;
      item.querySelector("[data-fill=device]").textContent = visit.device.toUpperCase();
      list.append(item);
      list.hidden = false;
    }
  };

  self.kewangField = { send: () => { tries = 0; send(); remind(); } };
  document.documentElement.classList.add("js");
  addEventListener("online", () => self.kewangField.send());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) send(); });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-send]")) self.kewangField.send(); });
  document.addEventListener("change", (event) => { if (event.target.matches("[data-goes]")) event.target.form.requestSubmit(); });
  (ended ? queue.forget(ended) : Promise.resolve()).then(send).then(unfinished).catch(() => { /* No storage here. */ });
  ready().catch(() => { /* No signal: what is kept already is used. */ });
})();
