// The service worker: the pages' files and the shell of a visit without a signal, and sending when the signal is back.
// The server puts a line before this file, `const KEWANG = {version, files}`: a change of any file makes a new worker.
"use strict";
importScripts("/t/static/queue.js");
const FILES = `kewang-files-${KEWANG.version}`;
const KNOWN = "kewang-known";
const PATIENCE_MS = 6000;

self.addEventListener("install", (event) => event.waitUntil((async () => {
  const files = await caches.open(FILES);
  await files.addAll(KEWANG.files.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
})()));

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith("kewang-files-") && name !== FILES);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
})()));

const shell = async (trouble) => {
  const kept = await (await caches.open(KNOWN)).match("/t/shell");
  if (!kept) throw trouble;
  return kept;
};

const page = async (request) => {
  const late = new Promise((_, reject) => setTimeout(() => reject(new TypeError("late")), PATIENCE_MS));
  try {
    return await Promise.race([fetch(request), late]);
  } catch (trouble) {
    return shell(trouble);
  }
};

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (origin !== location.origin || event.request.method !== "GET") return;
  if (event.request.mode === "navigate") {
    if (/^\/(d|t)\//i.test(pathname)) event.respondWith(page(event.request));
  } else if (pathname.startsWith("/ui/") || pathname.startsWith("/t/static/")) {
    event.respondWith((async () => await caches.match(event.request, { ignoreSearch: true }) ?? fetch(event.request))());
  }
});

self.addEventListener("message", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("sync", (event) => {
  if (event.tag === "kewang-send") event.waitUntil(self.kewangQueue.flush());
});
