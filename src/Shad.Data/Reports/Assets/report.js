"use strict";
(() => {
  const byId = id => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const nats = value => value === null || value === undefined ? "–" : value.toFixed(3).replace("-", "−");
  const percent = share => Number.isFinite(share) ? Math.round(100 * share) + " %" : "–";

  // Theme: auto follows the system; ?theme=dark in the address overrides what was chosen last.
  const themes = ["auto", "light", "dark"];
  const themeButton = byId("theme");
  const store = { get: () => { try { return localStorage.getItem("shad-theme"); } catch { return null; } },
                  set: value => { try { localStorage.setItem("shad-theme", value); } catch { /* not kept */ } } };
  const showTheme = theme => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    themeButton.textContent = "Theme: " + theme;
  };
  let theme = new URLSearchParams(location.search).get("theme") || store.get();
  if (!themes.includes(theme)) theme = "auto";
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    store.set(theme);
    showTheme(theme);
  });
  showTheme(theme);

  // Tooltip: one element for tokens and chart marks.
  const tip = byId("tip");
  const place = (content, box) => {
    tip.replaceChildren(...content);
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight;
    const left = Math.min(Math.max(8, box.left + box.width / 2 - width / 2), innerWidth - width - 8);
    const above = box.top - height - 8;
    tip.style.left = left + "px";
    tip.style.top = (above >= 8 ? above : Math.min(box.bottom + 8, innerHeight - height - 8)) + "px";
  };
  const hideTip = () => { tip.hidden = true; };
  document.addEventListener("pointerover", event => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (target) place([document.createTextNode(target.dataset.tip)], target.getBoundingClientRect());
    else if (!(event.target instanceof Element && event.target.closest(".t"))) hideTip();
  });
  // The tooltip of a token reached by the keyboard stays with it while the page scrolls.
  let follow = null;
  document.addEventListener("scroll", () => follow ? follow() : hideTip(), { capture: true, passive: true });
  document.addEventListener("keydown", event => { if (event.key === "Escape") hideTip(); });

  const samples = JSON.parse(byId("report-samples").textContent);
  if (samples.length === 0) return;

  // Positions of losses: the k-th number belongs to the k-th response token.
  for (const sample of samples) {
    let next = 0;
    sample.place = Array.from(sample.role, role => role === "p" ? -1 : next++);
    const count = letter => sample.role.split(letter).length - 1;
    sample.share = count("b") / (count("b") + count("r"));
    const first = sample.place.indexOf(0);
    sample.snippet = sample.text.slice(Math.max(first, 0), first + 40).join("").replace(/\s+/g, " ").trim();
    sample.words = (sample.id + "\n" + sample.text.join("")).toLowerCase();
  }

  const list = byId("sample-list"), text = byId("sample-text"), search = byId("sample-search");
  const names = { p: "prompt", b: "boilerplate", r: "reasoning", u: "not classified" };
  const classes = { p: "t p", b: "t bp", r: "t rs", u: "t un" };
  let visible = samples.map((_, i) => i), chosen = -1, current = -1, filter = "all";

  const items = samples.map((sample, i) => {
    const item = make("li");
    item.id = "sample-" + i;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const row = make("div", "row");
    row.append(make("b", "", sample.id), make("span", "", percent(sample.share)));
    row.lastChild.title = "share of boilerplate";
    const mini = make("div", "mini");
    if (Number.isFinite(sample.share)) {
      const boilerplate = make("i", "bp"), reasoning = make("i", "rs");
      boilerplate.style.width = 100 * sample.share + "%";
      reasoning.style.width = 100 * (1 - sample.share) + "%";
      mini.append(boilerplate, reasoning);
    }
    item.append(row, make("span", "snippet", sample.snippet), mini);
    item.addEventListener("click", () => choose(i));
    list.append(item);
    return item;
  });

  // Whether the corpus knows the roles or the structure of its responses suggests them.
  const reference = document.querySelector(".explorer").dataset.reference;

  const differs = (sample, i) => sample.known !== undefined && "br".includes(sample.known[i]) && "br".includes(sample.role[i])
    && sample.known[i] !== sample.role[i];

  // Text with its line feeds and tabs shown faintly.
  const appendText = (element, value) => {
    if (value === "") { element.classList.add("empty"); element.append(make("span", "ws", "·")); return; }
    for (const part of value.split(/(\n|\t)/)) {
      if (part === "\n") element.append(make("span", "ws", "↵"), "\n");
      else if (part === "\t") element.append(make("span", "ws", "⇥"), "\t");
      else if (part !== "") element.append(part);
    }
  };

  const draw = () => {
    const sample = samples[chosen], pieces = document.createDocumentFragment();
    if (sample.before > 0) pieces.append(make("span", "left-out", "… " + sample.before.toLocaleString("en") + " tokens before are not shown …\n"));
    sample.text.forEach((value, i) => {
      const role = sample.role[i], span = make("span", classes[role]);
      span.dataset.index = i;
      if (role === "p" && value === "") return;
      appendText(span, value);
      if (differs(sample, i)) span.classList.add("differs");
      const ld = role === "p" || !sample.ld ? null : sample.ld[sample.place[i]];
      if (ld !== null && ld !== undefined) {
        span.style.setProperty("--heat", ld > 0 ? "var(--rs)" : "var(--bp)");
        span.style.setProperty("--amount", Math.round(48 * Math.min(1, Math.abs(ld) / 3)) + "%");
      }
      const shown = filter === "all" || filter === role || (filter === "x" && differs(sample, i));
      if (role !== "p" && !shown) span.classList.add("dim");
      pieces.append(span);
    });
    if (sample.after > 0) pieces.append(make("span", "left-out", "\n… " + sample.after.toLocaleString("en") + " tokens after are not shown …"));
    text.replaceChildren(pieces);
  };

  const choose = (i, focusText) => {
    chosen = i;
    current = -1;
    items.forEach((item, k) => item.setAttribute("aria-selected", String(k === i)));
    list.setAttribute("aria-activedescendant", items[i].id);
    // Within the list only: scrollIntoView would move the page too.
    const top = items[i].offsetTop - list.offsetTop, bottom = top + items[i].offsetHeight;
    if (top < list.scrollTop || bottom > list.scrollTop + list.clientHeight) list.scrollTop = top - (list.clientHeight - items[i].offsetHeight) / 2;
    const sample = samples[i], responses = sample.place.filter(k => k >= 0).length;
    byId("sample-id").textContent = sample.id;
    byId("sample-facts").textContent = sample.text.length.toLocaleString("en") + " tokens shown, " + responses.toLocaleString("en")
      + " of them in responses · " + percent(sample.share) + " boilerplate"
      + (sample.known ? " · " + Array.from(sample.role).filter((_, k) => differs(sample, k)).length + " differ from the " + reference + " role" : "");
    draw();
    const first = text.querySelector(".t:not(.p)");
    text.scrollTop = first ? Math.max(0, first.offsetTop - text.offsetTop - text.clientHeight * 0.4) : 0;
    follow = null;
    hideTip();
    if (focusText) text.focus({ preventScroll: true });
  };

  const step = by => {
    if (visible.length === 0) return;
    const at = visible.indexOf(chosen);
    choose(visible[Math.min(Math.max(at < 0 ? 0 : at + by, 0), visible.length - 1)]);
  };

  const describe = span => {
    const sample = samples[chosen], i = Number(span.dataset.index), k = sample.place[i];
    const head = make("span", "tip-token", sample.text[i].replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/^ +| +$/g, spaces => "␣".repeat(spaces.length)) || "(no text of its own)");
    let role = names[sample.role[i]];
    if (sample.known && "br".includes(sample.known[i])) role += " · " + reference + " role " + (differs(sample, i) ? names[sample.known[i]] : "the same");
    const parts = [head, make("span", "tip-role", role)];
    if (k < 0) return parts;
    const table = make("table");
    for (const [key, label] of [["base", "base model"], ["probe", "probe"], ["control", "control"]]) {
      if (!sample[key]) continue;
      const value = sample[key][k], row = make("tr"), chance = Math.exp(-value);
      const odds = value === null ? "" : chance >= 0.995 ? "certain" : chance >= 0.01 ? "gave it " + Math.round(100 * chance) + " %" : "gave it < 1 %";
      row.append(make("td", "", label), make("td", "", nats(value)), make("td", "", odds));
      table.append(row);
    }
    if (sample.ld) {
      const row = make("tr", "ld"), value = sample.ld[k];
      row.append(make("td", "", "LD"), make("td", "", (value > 0 ? "+" : "") + nats(value)), make("td", "", "nats"));
      table.append(row);
    }
    parts.push(table);
    return parts;
  };

  const point = span => place(describe(span), span.getClientRects()[0] || span.getBoundingClientRect());
  text.addEventListener("pointerover", event => {
    const span = event.target.closest(".t");
    follow = null;
    if (span && !span.classList.contains("p")) point(span); else hideTip();
  });
  text.addEventListener("pointerleave", hideTip);
  text.addEventListener("blur", () => { hideTip(); follow = null; text.querySelector(".current")?.classList.remove("current"); });
  text.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (by === undefined && event.key !== "Home" && event.key !== "End") return;
    const spans = [...text.querySelectorAll(".t:not(.p):not(.dim)")];
    if (spans.length === 0) return;
    event.preventDefault();
    current = event.key === "Home" ? 0 : event.key === "End" ? spans.length - 1
      : current < 0 ? 0 : Math.min(Math.max(current + by, 0), spans.length - 1);
    text.querySelector(".current")?.classList.remove("current");
    const span = spans[current];
    span.classList.add("current");
    span.scrollIntoView({ block: "nearest", behavior: "instant" });
    follow = () => { if (span.isConnected) point(span); };
    follow();
    announce.textContent = describe(span).map(part => part.textContent).join(", ");
  });

  const announce = make("p", "visually-hidden");
  announce.setAttribute("aria-live", "polite");
  text.after(announce);

  const find = () => {
    const wanted = search.value.trim().toLowerCase();
    visible = samples.map((_, i) => i).filter(i => samples[i].words.includes(wanted));
    items.forEach((item, i) => { item.hidden = !visible.includes(i); });
    byId("sample-count").textContent = visible.length === samples.length ? samples.length + " samples" : visible.length + " of " + samples.length + " samples";
    if (visible.length > 0 && !visible.includes(chosen)) choose(visible[0]);
  };
  search.addEventListener("input", find);
  list.addEventListener("keydown", event => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -samples.length, End: samples.length }[event.key];
    if (by !== undefined) { event.preventDefault(); step(by); }
    else if (event.key === "Enter") text.focus();
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  document.addEventListener("keydown", event => {
    if (event.target instanceof HTMLInputElement && event.target.type === "search") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "[") step(-1);
    if (event.key === "]") step(1);
  });
  byId("role-filter").addEventListener("change", event => { filter = event.target.value; current = -1; draw(); });
  byId("colour-by").addEventListener("change", event => text.classList.toggle("by-ld", event.target.value === "ld"));

  // Names of samples in the table of spans lead to the sample where it is shown.
  for (const cell of document.querySelectorAll("[data-sample]")) {
    const i = samples.findIndex(sample => sample.id === cell.dataset.sample);
    if (i < 0) continue;
    const button = make("button", "", samples[i].id);
    button.type = "button";
    button.addEventListener("click", () => {
      search.value = "";
      find();
      choose(i, true);
      byId("tokens").scrollIntoView();
    });
    cell.replaceChildren(button);
  }

  document.querySelector(".explorer").hidden = false;
  find();
  choose(Math.floor(samples.length / 2));
})();
