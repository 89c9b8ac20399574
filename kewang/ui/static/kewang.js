// Says that the page is frozen when its server was not heard for a while. The words are in the page (#frozen, hidden).
"use strict";
(() => {
  const banner = document.getElementById("frozen");
  if (!banner) return;
  const limitMs = Number(banner.dataset.afterS) * 1000;
  let heardMs = performance.now();
  const heard = () => { heardMs = performance.now(); };
  document.addEventListener("htmx:sseMessage", heard);
  document.addEventListener("htmx:afterSwap", heard);
  setInterval(() => {
    const frozen = performance.now() - heardMs > limitMs;
    banner.hidden = !frozen;
    document.body.classList.toggle("frozen", frozen);
  }, 1000);
})();
