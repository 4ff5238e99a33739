"use strict";
// Fills in what the instance says of itself, once a second.
(() => {
  const source = new EventSource("/ops/events");
  const lost = document.querySelector("#lost");
  const language = document.documentElement.lang + "-CA";
  const shown = (value) =>
    typeof value === "number" ? value.toLocaleString(language, { maximumFractionDigits: 1 }) : value ?? "–";
  source.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    lost.hidden = true;
    document.querySelectorAll("[data-path]").forEach((place) => {
      const value = place.dataset.path.split(".").reduce((whole, part) => whole?.[part], state);
      place.textContent = shown(value);
    });
  });
  source.addEventListener("error", () => { lost.hidden = false; });
})();
