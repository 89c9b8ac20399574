// What a technician did waits here, on the phone, until the server has given its receipt. Used by the pages and by the
// service worker. Steps go first and in their order, then photos, in pieces that can be taken up again; last, that
// somebody can't finish: it ends the visit, and a photo would come too late.
"use strict";
self.kewangQueue = (() => {
  const STORES = ["steps", "photos", "visits"];
  const PIECE_BYTES = 48 * 1024;
  const PATIENCE_MS = 30_000;
  let opened = null;
  let token = null;

  const database = () => opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("kewang-field", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("steps", { keyPath: "order", autoIncrement: true });
      asked.result.createObjectStore("photos", { keyPath: "order", autoIncrement: true });
      asked.result.createObjectStore("visits", { keyPath: "id" });
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => { opened = null; reject(asked.error); };
  });

  // One transaction over everything: kept whole, on the disk, before it is said to be kept.
  const change = async (work) => {
    const db = await database();
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(STORES, "readwrite", { durability: "strict" });
      const stores = Object.fromEntries(STORES.map((name) => [name, transaction.objectStore(name)]));
      work(stores);
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  };

  const read = async (name, key) => {
    const store = (await database()).transaction(name).objectStore(name);
    const asked = key === undefined ? store.getAll() : store.get(key);
    return new Promise((resolve, reject) => {
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  };

  // Changes a visit's record as it is now: the page and the service worker may both be at it.
  const changeVisit = (stores, id, alter) => {
    const asked = stores.visits.get(id);
    asked.onsuccess = () => { if (asked.result) stores.visits.put(alter(asked.result)); };
  };

  const keep = (visit, entries) => change((stores) => {
    stores.visits.put({ ...visit, changed_ms: Date.now() });
    for (const step of entries.steps ?? []) stores.steps.add({ ...step, visit: visit.id, person: visit.person });
    for (const photo of entries.photos ?? []) stores.photos.add({ ...photo, visit: visit.id, person: visit.person });
  });

  const forget = (id) => change((stores) => {
    stores.visits.delete(id);
    for (const store of [stores.steps, stores.photos]) {
      const asked = store.openCursor();
      asked.onsuccess = () => {
        const cursor = asked.result;
        if (!cursor) return;
        if (cursor.value.visit === id) cursor.delete();
        cursor.continue();
      };
    }
  });

  const ask = async (url, options = {}) => {
    const answer = await fetch(url, { ...options, redirect: "error", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status >= 500 || answer.status === 429) throw new TypeError(`answer ${answer.status}`);
    return { status: answer.status, said: await answer.json() };
  };

  const send = async (entry, url, options) => {
    for (const fresh of [false, true]) {
      if (!token || fresh) token = (await ask("/t/token")).said;
      if (!token.person) return { status: 401, said: {} };
      if (token.person !== entry.person) return { status: 401, said: { other: token.person } };
      const headers = { ...options.headers, "Kewang-Csrf": token.csrf, "Kewang-Person": entry.person };
      const answer = await ask(url, { ...options, headers });
      if (answer.status === 401) token = null;
      if (answer.said.code !== "P-CSRF" || fresh) return answer;
    }
  };

  const sendStep = (step) => send(step, `/t/visit/${step.visit}/${step.step}`, {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...step.fields, request: step.id, at_ms: step.at_ms }).toString(),
  });

  const sendPhoto = async (photo) => {
    const place = `/t/visit/${photo.visit}/photo/${photo.id}?kind=${photo.kind}&total=${photo.bytes.byteLength}`;
    let answer = await send(photo, `${place}&offset=0`, { method: "PUT", body: new Uint8Array() });
    while (answer.status === 200 && !answer.said.receipt) {
      const from = answer.said.have;
      const piece = photo.bytes.slice(from, from + PIECE_BYTES);
      answer = await send(photo, `${place}&offset=${from}`, { method: "PUT", body: piece });
    }
    return answer;
  };

  const settle = (name, entry, answer) => change((stores) => {
    if (answer.status === 200 && answer.said.receipt === entry.id) {
      stores[name].delete(entry.order);
      changeVisit(stores, entry.visit, (visit) => ({ ...visit, told: answer.said.visit ?? visit.told }));
    } else {
      changeVisit(stores, entry.visit, (visit) => ({ ...visit, refused: answer.said }));
    }
  });

  // Sends what waits. Returns "sent", "away" (no way to the server), "login" (somebody has to log in), "busy".
  const flush = async (told = () => {}) => navigator.locks.request("kewang-send", { ifAvailable: true }, async (lock) => {
    if (!lock) return "busy";
    try {
      const ends = (entry) => entry.step === "leave";
      for (const [name, sender, last] of [["steps", sendStep, false], ["photos", sendPhoto, false], ["steps", sendStep, true]]) {
        for (const entry of (await read(name)).filter((one) => ends(one) === last)) {
          const visit = await read("visits", entry.visit);
          if (!visit || visit.refused) continue;
          const answer = await sender(entry);
          if (answer.status === 401) return "login";
          await settle(name, entry, answer);
          await told();
        }
      }
      return "sent";
    } catch (trouble) {
      if (trouble instanceof DOMException && trouble.name !== "TimeoutError" && trouble.name !== "AbortError") throw trouble;
      return "away";
    }
  });

  const waiting = async () => (await read("steps")).length + (await read("photos")).length;

  return { keep, forget, flush, waiting, read, change, changeVisit, ask };
})();
