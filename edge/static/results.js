"use strict";
// Keeps the results up to date, quietly, until its reader stops it.
(() => {
  const live = document.querySelector("#live");
  const button = document.querySelector("#refreshing button");
  let paused = false;

  const refresh = async () => {
    if (paused || document.hidden) return;
    const answer = await fetch(location.pathname, { cache: "no-cache" }).catch(() => null);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    live.replaceChildren(...page.querySelector("#live").childNodes);
    dispatchEvent(new Event("refreshed"));
  };

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? button.dataset.resume : button.dataset.pause;
  });
  button.parentElement.hidden = false;
  setInterval(refresh, 1000 * live.dataset.refreshS);
})();
