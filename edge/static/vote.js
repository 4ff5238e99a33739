// Helps where it can: every page works without it.
const WAITS_S = [1, 2, 4, 8, 15, 15, 15, 30, 30, 30, 0]; // 0: no more
const AGAIN = [429, 502, 503, 504];
const on = addEventListener;
const $ = (selector, page = document) => page.querySelector(selector);
const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// shorter if the connection is back
const pause = (ms) => new Promise((done) => {
  setTimeout(done, ms);
  on("online", done, { once: true });
});

// Sends until answered: the request id in the form makes that one vote.
const answerTo = async (url, body, sending) => {
  for (const wait of WAITS_S) {
    let after = 0;
    try {
      const answer = await fetch(url, {
        method: "POST", body, credentials: "omit", signal: AbortSignal.timeout(2e4),
      });
      const html = await answer.text();
      const page = parse(html);
      // without `main` it is none of ours
      if ($("[data-wait]", page)) return html;
      if ($("main", page) && !AGAIN.includes(answer.status)) return html;
      after = Number(answer.headers.get("Retry-After")) || 0;
    } catch {
      // lost: did the vote arrive?
    }
    if (!wait) return null;
    sending.textContent = sending.dataset.retrying;
    await pause(1000 * Math.max(after, wait * (0.75 + Math.random() / 2)));
  }
};

let shown;
const show = (html) => {
  shown = html;
  const page = parse(html);
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;
  const focused = $("[autofocus]", page) || $("main", page);
  focused.autofocus = false;
  document.body.replaceWith(page.body);
  scrollTo(0, 0);
  help();
  focused.focus();
};

on("submit", async (event) => {
  const form = event.target;
  // else the browser sends it as ever
  const casts = event.submitter?.hasAttribute("formaction") === false;
  if (!AbortSignal.timeout || !casts || !form.matches("[data-cast]")) return;
  event.preventDefault();
  if (form.ariaBusy) return;
  const sending = $("#sending");
  form.ariaBusy = "true";
  sending.textContent = sending.dataset.sending;
  const html = await answerTo(form.action, new URLSearchParams(new FormData(form)), sending);
  form.ariaBusy = null;
  sending.textContent = html ? "" : sending.dataset.gaveUp;
  if (!html) return;
  // in the tab's history, no storage: for a reload and a step back
  history.replaceState({ page: html }, "");
  if (!$("#ballot", parse(html))) history.pushState({ page: html }, "", form.action);
  show(html);
});
on("popstate", ({ state }) => state?.page && show(state.page));
// Chromium keeps pages whole, `no-store` or not
on("pageshow", ({ persisted }) => persisted && $("#ballot") && location.reload());
// a step within the page is an entry of its own
on("hashchange", () => shown && history.replaceState({ page: shown }, ""));

const passes = (digits) => [...digits].reduceRight((sum, digit, place) => {
  const value = digit * (1 + place % 2);
  return sum + (value > 9 ? value - 9 : value);
}, 0) % 10 === 0;
const digitsOf = (nas) => nas.value.replace(/\W/g, "");
// while typing: at the click it would move the button
on("input", ({ target }) => {
  if (target.id !== "nas") return;
  const digits = digitsOf(target);
  $("#nas-check span").hidden = digits.length !== 9 || passes(digits);
});
on("focusout", ({ target }) => {
  const digits = target.id === "nas" ? digitsOf(target) : "";
  if (digits.length === 9) target.value = digits.replace(/...(?=.)/g, "$& ");
});

on("click", ({ target }) => target.matches("[data-print]") && print());

const lang = () => document.documentElement.lang + "-CA";
const count = (value, unit) =>
  value.toLocaleString(lang(), { style: "unit", unit, unitDisplay: "long" });
const tick = () => each("[data-until]", (left) => {
  const minutes = Math.floor((new Date(left.dataset.until) - Date.now()) / 6e4);
  left.hidden = minutes < 0;
  const hours = Math.floor(minutes / 60);
  const parts = hours >= 48
    ? [count(Math.floor(hours / 24), "day"), count(hours % 24, "hour")]
    : [count(hours, "hour"), count(minutes % 60, "minute")];
  left.textContent = `${left.dataset.words ??= left.textContent.trim()} ${parts.join(" ")}`;
});

const clock = (moment, timeZone) => moment.toLocaleTimeString(lang(), {
  timeZone, weekday: "short", hour: "numeric", minute: "2-digit",
}).replaceAll(" ", "\xa0");
const help = () => {
  each("[data-print]", (button) => button.hidden = false);
  const words = $("main").dataset.localTime;
  each("main > :not(.other) time", (time) => {
    const moment = new Date(time.dateTime);
    const local = clock(moment);
    if (time.dataset.local || local === clock(moment, "America/Toronto")) return;
    time.dataset.local = local;
    time.textContent = time.textContent.replace(/\)$/, `; ${words} ${local})`);
  });
  tick();
};

on("refreshed", help);
history.state?.page ? show(history.state.page) : help();
setInterval(tick, 3e4);
