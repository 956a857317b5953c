"use strict";
// Keeps the board fresh: asks every two seconds for what has changed, counts on what runs, filters the list of
// nodes; and the list of campaigns, every ten.
// Without it the page is as readable as it was when it was loaded.
(() => {
  const EVERY_MS = 2000;
  const STALE_MS = 10000;
  const LIST_EVERY_MS = 10000;
  const live = document.getElementById("live");
  const inFrame = window.parent !== window;

  // Airflow shows the board in a frame that may not steer the page around it: its own links may.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || !inFrame || event.ctrlKey || event.metaKey) return;
    try {
      const outer = window.parent.document.createElement("a");
      outer.href = link.href;
      event.preventDefault();
      outer.click();
    } catch { /* another origin's frame: the link opens here */ }
  });

  // --- the list of campaigns ---------------------------------------------------------------------
  async function askForList() {
    const list = document.getElementById("campaigns");
    try {
      const answer = await fetch(location.href, {
        cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(STALE_MS),
      });
      const made = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("campaigns");
      if (made && made.innerHTML !== list.innerHTML) replace(list, made);
    } catch { /* the next one may get through */ }
    setTimeout(askForList, LIST_EVERY_MS);
  }
  if (document.getElementById("campaigns")) setTimeout(askForList, LIST_EVERY_MS);
  if (!live) return;

  const fresh = document.getElementById("fresh");
  const said = document.getElementById("said");
  const ahead = Date.now() / 1000 - Number(fresh.dataset.made);  // our clock against the server's
  let tag = null;
  let behind = false;  // a part could not be replaced: somebody is at it
  let answeredAt = Date.now();
  let headline = document.getElementById("stand")?.textContent;

  function span(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    const two = (number) => String(number).padStart(2, "0");
    if (whole < 120) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole % 3600 / 60))} min`;
    return `${Math.floor(whole / 86400)} d ${Math.floor(whole % 86400 / 3600)} h`;
  }

  function tick() {
    const now = Date.now() / 1000 - ahead;
    for (const time of live.querySelectorAll("time[data-since]")) {
      const text = span(now - Number(time.dataset.since));
      if (time.textContent !== text) time.textContent = text;
    }
    const age = Date.now() - answeredAt;
    fresh.classList.toggle("stale", age > STALE_MS);
    if (age > STALE_MS) fresh.textContent = `no answer for ${span(age / 1000)}: what you see is old`;
  }

  // --- the list of nodes -------------------------------------------------------------------------
  function filter() {
    const form = live.querySelector(".filter");
    if (!form) return;
    form.hidden = false;
    const words = form.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set([...form.querySelectorAll("[name=show]:checked")].map((box) => `r-${box.value}`));
    let count = 0;
    const rows = live.querySelectorAll(".nodes tbody tr");
    for (const row of rows) {
      const group = [...row.classList].find((name) => name.startsWith("r-"));
      const text = words.length ? row.textContent.toLowerCase() : "";
      row.hidden = !(shown.has(group) && words.every((word) => text.includes(word)));
      if (!row.hidden) count += 1;
    }
    form.querySelector("output").textContent = count === rows.length ? "" : `${count} of ${rows.length}`;
  }
  live.addEventListener("input", (event) => { if (event.target.closest(".filter")) filter(); });
  live.addEventListener("submit", (event) => { if (event.target.closest(".filter")) event.preventDefault(); });

  // --- what has changed --------------------------------------------------------------------------
  const plain = (element) => element.outerHTML.replace(/ (hidden|open)(="")?/g, "").replace(/(<time data-since="\d+"[^>]*>)[^<]*/g, "$1");
  const isBusy = (element) => (element.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button, summary"))
    || [...element.querySelectorAll(".order input:not([type=hidden])")].some((input) => input.value);

  // What replaces something keeps what is open in it, and the link that has the focus.
  function replace(old, made) {
    const [before, after] = [old, made].map((part) => [...part.querySelectorAll("details")]);
    if (before.length === after.length) after.forEach((part, index) => { part.open = before[index].open; });
    const href = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
    old.replaceWith(made);
    if (href) made.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
  }

  // Somebody is about to order something: what is offered no more is switched off and stays in its place,
  // so that no key meets another word than was read; what is new comes after it.
  function follow(old, made) {
    const verb = (button) => button.getAttribute("formaction") || button.form.getAttribute("action");
    const forms = (part) => [...part.querySelectorAll("form.order")];
    const offered = new Set(forms(made).flatMap((form) => [...form.querySelectorAll("button")].map(verb)));
    for (const form of forms(old)) {
      const here = [...form.querySelectorAll("button")];
      for (const button of here) button.disabled = !offered.has(verb(button));
      const twin = forms(made).find((other) => other.dataset.order === form.dataset.order);
      const known = new Set(here.map(verb));
      if (twin) form.querySelector(".verbs").append(...[...twin.querySelectorAll("button")].filter((button) => !known.has(verb(button))));
      form.querySelector(".meanwhile").hidden = !here.some((button) => button.disabled);
    }
  }

  function swap(old, made) {
    if (plain(old) === plain(made)) return;
    if (!isBusy(old)) { replace(old, made); return; }
    behind = true;
    follow(old, made);
  }

  function swapNeeds(old, made) {
    const [list, after] = [old, made].map((part) => part.querySelector(".needs"));
    if (!list || !after) { swap(old, made); return; }
    const left = new Map([...list.children].map((item) => [item.id, item]));
    let last = null;
    for (const item of [...after.children]) {
      const known = left.get(item.id);
      left.delete(item.id);
      if (known) swap(known, item);
      else if (last) last.after(item);
      else list.prepend(item);
      last = known?.isConnected ? known : item;
    }
    for (const item of left.values()) {
      if (!isBusy(item)) { item.remove(); continue; }
      behind = true;
      follow(item, made);
    }
  }

  function swapNodes(old, made) {
    const [before, after] = [old, made].map((part) => [...part.querySelectorAll(".nodes tbody tr")]);
    if (before.length !== after.length) { old.replaceWith(made); return; }
    after.forEach((row, index) => { if (plain(row) !== plain(before[index])) before[index].replaceWith(row); });
    const [oldMap, newMap] = [old, made].map((part) => part.querySelector(".map"));
    if (oldMap && newMap && oldMap.outerHTML !== newMap.outerHTML && !oldMap.contains(document.activeElement)) oldMap.replaceWith(newMap);
  }

  function show(text) {
    behind = false;
    const made = new DOMParser().parseFromString(text, "text/html");
    for (const part of made.querySelectorAll("body > section")) {
      const old = document.getElementById(part.id);
      if (!old) live.append(part);
      else if (part.id === "nodes") swapNodes(old, part);
      else if (part.id === "needs") swapNeeds(old, part);
      else swap(old, part);
    }
    filter();
    const now = document.getElementById("stand")?.textContent;
    if (now !== headline) { said.textContent = now; headline = now; }
  }

  async function ask() {
    try {
      const answer = await fetch(live.dataset.poll, {
        headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", credentials: "same-origin",
        signal: AbortSignal.timeout(STALE_MS),
      });
      if (answer.status === 401 || answer.status === 403) {
        fresh.classList.add("stale");
        fresh.textContent = answer.status === 401 ? "you are logged out: load the page again" : "you may not look at this any more";
        return;
      }
      if (answer.status === 200) { show(await answer.text()); tag = behind ? null : answer.headers.get("ETag"); }
      if (answer.status === 200 || answer.status === 304) {
        answeredAt = Date.now();
        fresh.textContent = `as of ${new Date(Date.now() - ahead * 1000).toISOString().slice(11, 19)} UTC`;
      }
    } catch { /* the next one may get through; tick() says for how long none did */ }
    setTimeout(ask, document.hidden ? 5 * EVERY_MS : EVERY_MS);
  }

  filter();
  setInterval(tick, 1000);
  setTimeout(ask, EVERY_MS);
})();
