"use strict";
// The page without this script is whole but for its charts. Nothing here touches the network.
(() => {
  const DAY = 864e5;
  const root = document.documentElement;
  const themes = JSON.parse(document.getElementById("theme").textContent);
  const asked = new URLSearchParams(location.search);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const narrow = () => root.clientWidth < 640;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  // ------------------------------------------------------------------ theme

  const remembered = () => {
    try { return localStorage.getItem("perpkit-theme"); } catch { return null; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("perpkit-theme", theme); } catch { /* storage is not allowed */ }
  };
  const known = (theme) => (theme in themes ? theme : null);
  let chosen = known(asked.get("theme")) ?? known(remembered());
  let printing = false;
  const theme = () => (printing ? "light" : chosen ?? (system.matches ? "dark" : "light"));

  function showTheme() {
    if (chosen) root.dataset.theme = chosen;
    const button = document.querySelector(".theme");
    const dark = theme() === "dark";
    button.hidden = false;
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${dark ? "light" : "dark"} theme`);
    button.setAttribute("aria-pressed", String(dark));
  }

  // Colours are roles, "@1" or "@1/0.2" with an opacity, under keys that name a colour.
  function coloured(value, key, colours) {
    if (typeof value === "string") {
      if (value[0] !== "@" || !/colou?r/i.test(key)) return value;
      const [role, opacity] = value.slice(1).split("/");
      const colour = colours[role];
      if (!colour || opacity === undefined) return colour ?? value;
      return colour.slice(0, 7) + Math.round(255 * opacity).toString(16).padStart(2, "0");
    }
    if (Array.isArray(value)) return value.map((one) => coloured(one, key, colours));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([name, one]) => [
          name, coloured(one, /colou?r/i.test(key) ? key : name, colours),
        ]));
    }
    return value;
  }

  // ------------------------------------------------------------------ charts

  const plots = new Map(); // element of a plot -> what is known of it
  let following = 0; // charts that move because another did
  const group = document.querySelector(".spans");
  const whole = group.dataset.span.split(" ").map(Number); // the run, [ms, ms]
  let range = null; // of every linked chart, [ms, ms]; null: the whole run

  function axis(own, colours, isTime) {
    return {
      automargin: true, zeroline: true, zerolinecolor: colours.line, zerolinewidth: 1,
      gridcolor: colours.grid, gridwidth: 1, linecolor: colours.line, tickcolor: colours.line,
      ticks: isTime ? "outside" : "", ticklen: 4, ...own,
      title: { standoff: 8, ...own.title, font: { size: 12, color: colours.muted, ...own.title?.font } },
      tickfont: { size: 11, color: colours.muted, ...own.tickfont },
    };
  }

  // What a legend of more than two rows would take from the chart below it, px; names have one width.
  function legendRoom(traces, width) {
    const names = traces.filter((trace) => trace.showlegend !== false && trace.name).map((t) => t.name);
    const wide = 44 + 7 * Math.max(...names.map((name) => name.length));
    const rows = Math.ceil(names.length / Math.max(1, Math.floor((width - 56) / wide)));
    return 19 * Math.max(0, rows - 2);
  }

  function layoutOf(plot, figure, colours) {
    const own = figure.layout;
    const isTime = own.xaxis?.type === "date";
    const named = figure.data.filter((trace) => trace.showlegend !== false && trace.name).length;
    const layout = {
      showlegend: named > 1, hovermode: isTime ? "x unified" : "closest", dragmode: "zoom",
      barmode: "relative", bargap: 0.15, ...own,
      autosize: true, height: plot.height, paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)", separators: ".,",
      font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: 12,
        color: colours.ink, ...own.font },
      margin: { l: narrow() ? 44 : 78, r: 12, t: 8, b: 32, ...own.margin },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom",
        font: { size: 12, color: colours.ink }, bgcolor: "rgba(0,0,0,0)", ...own.legend },
      hoverlabel: { bgcolor: colours.panel, bordercolor: colours.line, align: "left",
        font: { size: 12, color: colours.ink }, namelength: 40, ...own.hoverlabel },
    };
    for (const [name, told] of Object.entries({ xaxis: {}, yaxis: {}, ...own })) {
      if (/^[xy]axis\d*$/.test(name)) {
        const time = name[0] === "x" && isTime;
        layout[name] = axis(told, colours, time);
        if (time) {
          layout[name].showgrid = told.showgrid ?? true;
          layout[name].hoverformat = told.hoverformat ?? "%a %d %b %Y %H:%M";
          if (plot.linked) Object.assign(layout[name], { range: [...(range ?? whole)], autorange: false });
        } else if (isTime && name[0] === "y") {
          layout[name].fixedrange = true;
        }
      }
    }
    if (narrow()) {
      for (const name of Object.keys(layout)) {
        if (/^yaxis\d*$/.test(name)) layout[name].nticks = layout[name].nticks ?? 5;
      }
    }
    if (narrow() && layout.showlegend) layout.height += legendRoom(figure.data, plot.width);
    if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false; // a finger scrolls the page
    return layout;
  }

  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false };

  function draw(element) {
    const plot = plots.get(element);
    plot.figure ??= JSON.parse(plot.source.textContent);
    const colours = themes[theme()];
    const figure = coloured(plot.figure, "", colours);
    plot.width = element.clientWidth;
    const layout = layoutOf(plot, figure, colours);
    element.style.height = `${layout.height}px`;
    if (printing) Object.assign(layout, { autosize: false, width: printing });
    const first = !plot.drawn;
    plot.drawn = true;
    let done = Plotly.react(element, figure.data, layout, CONFIG);
    if (plot.linked && range) done = done.then(() => relaid(element, fitted(element, range)));
    if (first) {
      element.on("plotly_relayout", (told) => follow(element, told));
      element.on("plotly_doubleclick", () => {
        if (plot.linked) zoom(null);
        else Plotly.relayout(element, { "xaxis.autorange": true, "yaxis.autorange": true });
      });
    }
    return done;
  }

  const redraw = () => Promise.all([...plots].filter(([, p]) => p.drawn).map(([e]) => draw(e)));
  const seen = (element) => element.offsetParent !== null;
  const drawAll = () => Promise.all([...plots.keys()].filter(seen).map((e) => {
    if (plots.get(e).drawn) return null;
    return draw(e);
  }));

  // ------------------------------------------------------------------ one zoom for all

  // Heights that show what is in sight: of axes with no range of their own, whose traces are lines.
  function fitted(element, [from, to]) {
    const change = {};
    const own = plots.get(element).figure.layout;
    for (const [name, axis] of Object.entries(element._fullLayout)) {
      if (!/^yaxis\d*$/.test(name) || own[name]?.range || own[name]?.autorange || own[name]?.visible === false) continue;
      const traces = element._fullData.filter((trace) =>
        trace.visible === true && (trace.yaxis ?? "y") === name.replace("axis", ""));
      if (!traces.length || traces.some((trace) => trace.type !== "scatter" || trace.stackgroup)) continue;
      let [least, most] = [Infinity, -Infinity];
      for (const { x, y } of traces) {
        for (let n = 0; n < y.length; n += 1) {
          const inside = x[n] >= from ? x[Math.max(n - 1, 0)] <= to : x[n + 1] >= from;
          if (!inside || !Number.isFinite(y[n]) || (axis.type === "log" && y[n] <= 0)) continue;
          const value = axis.type === "log" ? Math.log10(y[n]) : y[n];
          if (value < least) least = value;
          if (value > most) most = value;
        }
      }
      if (axis.rangemode === "tozero") [least, most] = [Math.min(least, 0), Math.max(most, 0)];
      const room = (most - least) * 0.06 || Math.abs(most) * 0.01 || 1;
      if (least <= most) change[`${name}.range`] = [least - room, most + room];
    }
    return change;
  }

  function unfitted(element) {
    const own = plots.get(element).figure.layout;
    return Object.fromEntries(Object.keys(element._fullLayout)
      .filter((name) => /^yaxis\d*$/.test(name) && !own[name]?.range && !own[name]?.autorange && own[name]?.visible !== false)
      .map((name) => [`${name}.autorange`, true]));
  }

  function relaid(element, change) {
    following += 1;
    return Plotly.relayout(element, change).finally(() => { following -= 1; });
  }

  const ms = (told) => (typeof told === "number" ? told : Date.parse(`${told.replace(" ", "T")}Z`));

  function follow(element, told) {
    if (following || !plots.get(element).linked) return;
    if (told["xaxis.autorange"]) zoom(null);
    else if (told["xaxis.range[0]"] !== undefined) {
      zoom([ms(told["xaxis.range[0]"]), ms(told["xaxis.range[1]"])]);
    } else if (told["xaxis.range"]) zoom(told["xaxis.range"].map(ms));
  }

  function zoom(to) {
    range = to;
    following += 1;
    const change = { "xaxis.range": [...(to ?? whole)] };
    const moved = [...plots]
      .filter(([, plot]) => plot.linked && plot.drawn)
      .map(([element]) => Plotly.relayout(element, {
        ...change, ...(to ? fitted(element, to) : unfitted(element)),
      }));
    return Promise.all(moved).finally(() => {
      following -= 1;
      for (const button of all(".spans button")) {
        const days = Number(button.dataset.days);
        const held = days ? to && Math.abs(to[1] - to[0] - days * DAY) < DAY / 24 : !to;
        button.setAttribute("aria-pressed", String(Boolean(held)));
      }
    });
  }

  function spans() {
    const [first, last] = whole;
    if (![...plots.values()].some((plot) => plot.linked)) return;
    group.hidden = false;
    for (const button of all("button", group)) {
      const days = Number(button.dataset.days);
      button.hidden = days * DAY >= last - first;
      button.setAttribute("aria-pressed", String(!days));
      button.addEventListener("click", () => {
        const end = Math.min(range ? range[1] : last, last);
        zoom(days ? [Math.max(first, end - days * DAY), Math.max(end, first + days * DAY)] : null);
      });
    }
  }

  // ------------------------------------------------------------------ tables

  function sortable(box) {
    const table = box.querySelector("table");
    const body = table.tBodies[0];
    const shown = Number(box.dataset.shown);
    const more = box.querySelector(".more");
    let whole = !shown;
    const limit = () => [...body.rows].forEach((row, n) => { row.hidden = !whole && n >= shown; });
    more?.addEventListener("click", () => {
      whole = !whole;
      more.dataset.all ??= more.textContent;
      more.textContent = whole ? `Show the first ${shown} rows` : more.dataset.all;
      limit();
    });
    const order = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const number = head.classList.contains("n");
      const was = head.getAttribute("aria-sort");
      const to = was === "none" ? (number ? "descending" : "ascending")
        : was === (number ? "descending" : "ascending") ? (number ? "ascending" : "descending") : "none";
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? to : "none"));
      const sign = to === "ascending" ? 1 : -1;
      const rows = [...order];
      if (to !== "none") {
        const keys = new Map(rows.map((row) => [row, keyOf(row.cells[column], number)]));
        rows.sort((a, b) => compare(keys.get(a), keys.get(b), sign));
      }
      body.append(...rows);
      limit();
    }));
  }

  function keyOf(cell, number) {
    const told = cell.dataset.key;
    if (told !== undefined) return told === "" ? null : Number(told);
    const text = cell.textContent.trim();
    return number ? (text === "" || isNaN(text.replace(/,/g, "")) ? null : Number(text.replace(/,/g, "")))
      : text;
  }

  function compare(a, b, sign) { // what is absent comes last, whichever way
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b || 0);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  // ------------------------------------------------------------------ one of several

  function choosable(box) {
    const options = all(":scope > .option", box);
    const show = (id) => {
      options.forEach((option) => { option.hidden = option.id !== id; });
      all(".plot", box).filter(seen).forEach((element) => {
        if (plots.get(element).drawn) Plotly.Plots.resize(element);
        else draw(element);
      });
    };
    box.querySelector(":scope > .pick select")?.addEventListener("change", (e) => show(e.target.value));
    const tabs = all(":scope > .tabs button", box);
    const select = (tab) => {
      tabs.forEach((one) => {
        one.setAttribute("aria-selected", String(one === tab));
        one.tabIndex = one === tab ? 0 : -1;
      });
      show(tab.getAttribute("aria-controls"));
    };
    tabs.forEach((tab, n) => {
      tab.addEventListener("click", () => select(tab));
      tab.addEventListener("keydown", (e) => {
        const step = { ArrowRight: 1, ArrowLeft: -1, Home: -n, End: tabs.length - 1 - n }[e.key];
        if (step === undefined) return;
        e.preventDefault();
        const next = tabs[(n + step + tabs.length) % tabs.length];
        next.focus();
        select(next);
      });
    });
  }

  // ------------------------------------------------------------------ beginning

  const first = asked.get("panel"); // a page of one panel, for pictures
  if (first) {
    root.classList.add("alone");
    for (const panel of all(".panel")) panel.hidden = panel.id !== first;
  }
  for (const figure of all(".chart")) {
    const element = figure.querySelector(".plot");
    plots.set(element, {
      source: figure.querySelector("script"), linked: "linked" in figure.dataset,
      height: parseInt(element.style.height, 10), drawn: false,
    });
  }
  showTheme();
  spans();
  all(".table").forEach(sortable);
  all(".choice").forEach(choosable);

  const waiting = []; // one at a time, so that the page answers meanwhile
  const next = () => {
    const element = waiting[0];
    if (!plots.get(element).drawn && seen(element)) draw(element);
    waiting.shift();
    if (waiting.length) setTimeout(next);
  };
  const coming = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !plots.get(target).drawn && waiting.push(target) === 1) setTimeout(next);
    }
  }, { rootMargin: "600px 0px" });
  for (const element of plots.keys()) coming.observe(element);
  if (first || asked.has("all")) drawAll().finally(() => { root.dataset.drawn = "all"; });

  const current = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of all("nav a")) {
        const here = link.hash === `#${target.id}`;
        if (here) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
        if (here && link.parentElement.scrollWidth > link.parentElement.clientWidth) {
          link.parentElement.scrollTo({ left: link.offsetLeft - 24 });
        }
      }
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  all(".panel").forEach((panel) => current.observe(panel));

  document.querySelector(".theme").addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    remember(chosen);
    showTheme();
    redraw();
  });
  system.addEventListener("change", () => { if (!chosen) { showTheme(); redraw(); } });

  addEventListener("beforeprint", () => {
    printing = 690; // px of an A4 page within its margins
    drawAll();
    redraw();
  });
  addEventListener("afterprint", () => {
    printing = false;
    redraw();
  });
})();
