// The page of lineage: one model with its neighbours, or one column with its whole path. Plain, so that it runs from a file.
"use strict";
(function () {
  const { models, modelOf, columnOf, isColumn, chooses, readers, known, above, below, reach, impact, put } = window.report.graph;
  const { texts, language } = JSON.parse(document.getElementById("page").textContent);
  // --- What is shown ---------------------------------------------------------------------------

  let at, shown, unfolded, path, scale = 0;

  function start(name) {
    at = known(name) ? name : Object.keys(models).find((one) => one.startsWith("marts.")) || Object.keys(models)[0];
    unfolded = new Set();
    if (isColumn(at)) {
      path = new Set([at, ...reach(at, above), ...reach(at, below)]);
      const chosen = [at, ...reach(at, below)].flatMap((one) => chooses[one] || []);
      shown = new Set([...path].map(modelOf).concat(chosen, models[modelOf(at)].rows_by.map(modelOf)));
    } else {
      path = new Set();
      shown = new Set([at, ...above(at), ...below(at)]);
    }
    scale = 0;
    render();
    // A large drawing is read by parts, from where one stands.
    const svg = place.querySelector("svg"), fits = svg.getBoundingClientRect().width / Number(svg.getAttribute("viewBox").split(" ")[2]);
    if (fits < 0.75) {
      zoom(0.75 / fits);
      const here = place.querySelector("g.here rect").getBoundingClientRect(), frame = place.getBoundingClientRect();
      place.scrollLeft += here.left - frame.left - (frame.width - here.width) / 2;
      place.scrollTop += here.top - frame.top - (frame.height - here.height) / 2;
    }
  }

  const listed = (name) => Object.keys(models[name].columns).filter((column) => unfolded.has(name) || path.has(`${name}.${column}`));

  // (from, to, whether it only chooses rows) between what is drawn.
  function edges() {
    const found = [], joined = new Set();
    shown.forEach((name) => listed(name).forEach((column) => {
      models[name].columns[column].of.forEach((one) => {
        const from = modelOf(one);
        if (!shown.has(from) || (path.size && !unfolded.has(name) && !path.has(one))) return;
        found.push([listed(from).includes(columnOf(one)) ? one : from, `${name}.${column}`, false]);
        joined.add(from + " " + name);
      });
    }));
    shown.forEach((name) => models[name].rows_by.forEach((one) => {
      const from = modelOf(one);
      if (!path.has(one) && !(path.size && modelOf(at) === name)) return;
      if (!shown.has(from) || from === name) return;
      found.push([listed(from).includes(columnOf(one)) ? one : from, name, true]);
      joined.add(from + " " + name);
    }));
    shown.forEach((name) => models[name].reads.forEach((from) => {
      if (shown.has(from) && !joined.has(from + " " + name) && !path.size) found.push([from, name, false]);
    }));
    return [...new Map(found.map((one) => [one.join(" "), one])).values()];
  }

  // --- Where it is drawn: a layer is as far right as its longest way from a source -------------

  const WIDTH = 270, HEAD = 30, ROW = 22, GAP = 18, ACROSS = 70;

  function layout(drawn) {
    const before = {}, after = {};
    drawn.forEach(([from, to]) => {
      const a = modelOf(from), b = modelOf(to);
      if (a !== b) { put(before, b, a); put(after, a, b); }
    });
    const rank = {}, ranked = (name) => {
      if (!(name in rank)) { rank[name] = 0; rank[name] = Math.max(0, ...(before[name] || []).map((one) => ranked(one) + 1)); }
      return rank[name];
    };
    const layers = [];
    [...shown].sort().forEach((name) => (layers[ranked(name)] = layers[ranked(name)] || []).push(name));
    const place = {};
    const number = () => layers.forEach((layer) => layer.forEach((name, index) => { place[name] = index - layer.length / 2; }));
    number();
    for (let sweep = 0; sweep < 8; sweep += 1) {
      layers.forEach((layer) => {
        const middle = (name) => {
          const near = [...(before[name] || []), ...(after[name] || [])];
          return near.length ? near.reduce((sum, one) => sum + place[one], 0) / near.length : place[name];
        };
        const wanted = Object.fromEntries(layer.map((name) => [name, middle(name)]));
        layer.sort((one, other) => wanted[one] - wanted[other] || one.localeCompare(other));
        number();
      });
    }
    const size = (name) => HEAD + listed(name).length * ROW;
    const tall = Math.max(...layers.map((layer) => layer.reduce((sum, name) => sum + size(name) + GAP, GAP)));
    const boxes = {};
    layers.forEach((layer, index) => {
      let y = (tall - layer.reduce((sum, name) => sum + size(name) + GAP, -GAP)) / 2;
      layer.forEach((name) => {
        boxes[name] = { x: 10 + index * (WIDTH + ACROSS), y, height: size(name), layer: index };
        y += size(name) + GAP;
      });
    });
    return { boxes, width: layers.length * (WIDTH + ACROSS) - ACROSS + 20, height: tall };
  }

  // --- Drawing ---------------------------------------------------------------------------------

  const place = document.getElementById("graph");
  const SVG = "http://www.w3.org/2000/svg";
  function element(kind, attributes, text) {
    const made = document.createElementNS(SVG, kind);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    if (text !== undefined) made.textContent = text;
    return made;
  }
  // A long name is drawn closer rather than cut.
  function label(x, y, text, width) {
    const close = text.length * 7.2 > width ? { textLength: width, lengthAdjust: "spacingAndGlyphs" } : {};
    return element("text", { x, y, ...close }, text);
  }
  // A file of the drawing has no page around it that gives its colours.
  const STYLE = `text { font: 13px system-ui, sans-serif; fill: var(--ink, #1a1a1a); } rect { fill: var(--paper, #fff); stroke: var(--quiet, #595959); }
    path { fill: none; stroke: var(--quiet, #595959); } path.rows { stroke-dasharray: 5 4; } .here rect.box, .here .own { stroke: var(--accent, #005a9c); stroke-width: 2.5; }
    .own { fill: none; stroke: none; } .dim { opacity: .3; } .near path, path.near { stroke: var(--accent, #005a9c); stroke-width: 2; } [role=button] { cursor: pointer; } [role=button] text { font-weight: 700; }`;

  function pressed(node, what) {
    node.addEventListener("click", what);
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); what(); }
    });
  }

  function sign(x, y, text, label, what) {
    const made = element("g", { role: "button", tabindex: "0", "aria-label": label });
    made.append(element("title", {}, label), element("rect", { x, y, width: 20, height: 20, rx: 3 }), element("text", { x: x + 10, y: y + 15, "text-anchor": "middle" }, text));
    pressed(made, what);
    return made;
  }

  function draw() {
    const drawn = edges(), { boxes, width, height } = layout(drawn);
    const svg = element("svg", { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": at });
    svg.append(element("style", {}, STYLE));
    const port = (name) => {
      const box = boxes[modelOf(name)], row = isColumn(name) ? listed(modelOf(name)).indexOf(columnOf(name)) : -1;
      return { ...box, y: row < 0 ? box.y + HEAD / 2 : box.y + HEAD + row * ROW + ROW / 2 };
    };
    drawn.forEach(([from, to, rows]) => {
      const a = port(from), b = port(to), x = a.x + WIDTH, bend = (x + b.x) / 2;
      const line = element("path", { d: `M${x} ${a.y} C${bend} ${a.y} ${bend} ${b.y} ${b.x} ${b.y}`, "data-from": from, "data-to": to });
      if (rows) line.setAttribute("class", "rows");
      svg.append(line);
    });
    Object.entries(boxes).forEach(([name, box]) => {
      const hidden = [models[name].reads, readers[name] || []].map((near) => near.filter((one) => !shown.has(one)));
      const group = element("g", { "data-model": name, class: name === modelOf(at) ? "here" : "" });
      group.append(element("rect", { class: "box", x: box.x, y: box.y, width: WIDTH, height: box.height, rx: 5 }));
      const link = element("a", { href: "#at=" + encodeURIComponent(name), "data-name": name, "aria-label": `${name}: ${models[name].said}` });
      link.append(element("title", {}, `${name}\n${models[name].said}`), label(box.x + 32, box.y + 20, name, WIDTH - 44));
      group.append(link);
      const count = Object.keys(models[name].columns).length;
      group.append(sign(box.x + 5, box.y + 5, unfolded.has(name) ? "▾" : "▸", `${name}: ${texts.columns} (${count})`, () => {
        if (!unfolded.delete(name)) unfolded.add(name);
        render(name);
      }));
      hidden.forEach((near, side) => {
        if (!near.length) return;
        const label = `${name}: ${texts[side ? "read_by" : "reads"]} (${near.length})`;
        group.append(sign(side ? box.x + WIDTH - 5 : box.x - 15, box.y + 5, "+", label, () => { near.forEach((one) => shown.add(one)); render(name); }));
      });
      listed(name).forEach((column, index) => {
        const full = `${name}.${column}`, of = models[name].columns[column], y = box.y + HEAD + index * ROW;
        const row = element("a", { href: "#at=" + encodeURIComponent(full), "data-name": full, class: full === at ? "here" : "", "aria-label": `${full}: ${of.said}` });
        row.append(element("title", {}, `${full} ${of.type}\n${of.said}`), element("rect", { class: "own", x: box.x + 3, y: y + 1, width: WIDTH - 6, height: ROW - 2, rx: 3 }), label(box.x + 12, y + 15, column, WIDTH - 24));
        group.append(row);
      });
      svg.append(group);
    });
    place.replaceChildren(svg);
    zoom(0);
    svg.querySelectorAll("a[data-name]").forEach((link) => {
      ["mouseenter", "focus"].forEach((kind) => link.addEventListener(kind, () => mark(link.dataset.name)));
      ["mouseleave", "blur"].forEach((kind) => link.addEventListener(kind, () => mark(null)));
      link.addEventListener("keydown", (event) => walk(event, link.dataset.name, boxes));
    });
  }

  // Up- and downstream of what is pointed at stand out, the rest steps back.
  function mark(name) {
    const near = name === null ? null : new Set([name, ...reach(name, above), ...reach(name, below)]);
    const isNear = (one) => near.has(one) || (!isColumn(one) && [...near].some((other) => modelOf(other) === one)) || near.has(modelOf(one));
    place.querySelectorAll("g[data-model]").forEach((group) => group.classList.toggle("dim", near !== null && !isNear(group.dataset.model)));
    place.querySelectorAll("path").forEach((line) => {
      const on = near !== null && isNear(line.dataset.from) && isNear(line.dataset.to);
      line.classList.toggle("near", on);
      line.classList.toggle("dim", near !== null && !on);
    });
    tell(name === null ? at : name);
  }

  function walk(event, name, boxes) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 0, ArrowUp: 0 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const links = [...place.querySelectorAll("a[data-name]")], own = boxes[modelOf(name)];
    let next;
    if (step) {
      const near = new Set((step > 0 ? below : above)(name));
      next = links.find((one) => near.has(one.dataset.name)) || links.find((one) => [...near].some((other) => modelOf(other) === one.dataset.name));
    } else {
      const layer = links.filter((one) => boxes[modelOf(one.dataset.name)].layer === own.layer);
      next = layer[layer.findIndex((one) => one.dataset.name === name) + (event.key === "ArrowDown" ? 1 : -1)];
    }
    if (next) next.focus();
  }

  function zoom(factor) {
    const svg = place.querySelector("svg"), [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
    if (factor) scale = Math.min(4, Math.max(0.1, (scale || svg.getBoundingClientRect().width / width) * factor));
    svg.style.width = scale ? `${width * scale}px` : "";
    svg.style.maxWidth = scale ? "none" : "";
  }

  // --- Words -----------------------------------------------------------------------------------

  const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function tell(name) {
    const up = reach(name, above), down = reach(name, below), of = new Set([...down].map(modelOf));
    const inLayer = (layer) => [...of].filter((one) => one.startsWith(layer + ".")).length;
    document.getElementById("status").textContent = filled(texts.counts, {
      name, up: up.size, down: down.size, exports: inLayer("exports"), charts: inLayer("report"),
    });
  }

  function link(name) {
    const made = document.createElement("a");
    made.href = "#at=" + encodeURIComponent(name);
    made.textContent = name;
    return made;
  }

  function words() {
    const of = isColumn(at) ? models[modelOf(at)].columns[columnOf(at)] : models[at];
    document.getElementById("here").textContent = at;
    document.title = at + " · " + texts.title;
    document.getElementById("said").textContent = of.said + (of.personal ? ` (${texts.personal})` : "") + (of.type ? ` ${of.type}.` : "");
    const page = document.createElement("a");
    page.href = `model/${modelOf(at)}.html`;
    page.textContent = modelOf(at);
    document.getElementById("page-of").replaceChildren(texts.model + texts.colon + " ", page);
    const found = impact(at), list = document.getElementById("impact");
    list.replaceChildren();
    ["exports", "report"].forEach((layer) => [["values", layer + "_made"], ["rows", layer + "_rows"]].forEach(([kind, text]) => {
      const names = found[kind].filter((name) => name.startsWith(layer + "."));
      if (!names.length) return;
      const term = document.createElement("dt"), said = document.createElement("dd");
      term.textContent = texts[text];
      names.forEach((name, index) => said.append(index ? ", " : "", link(name)));
      list.append(term, said);
    }));
    tell(at);
    steps();
  }

  function steps() {
    const table = document.getElementById("steps");
    table.replaceChildren();
    table.createCaption().textContent = at;
    const head = table.createTHead().insertRow();
    [texts.from_here, texts.relation, texts.to_there, texts.sql].forEach((title) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = title;
      head.append(cell);
    });
    const body = table.createTBody();
    const add = (from, relation, to, sql) => {
      const row = body.insertRow(), code = document.createElement("code");
      code.textContent = sql;
      row.insertCell().append(...from.flatMap((one, index) => (index ? [", ", link(one)] : [link(one)])));
      row.insertCell().textContent = relation;
      row.insertCell().append(link(to));
      row.insertCell().append(code);
    };
    if (!isColumn(at)) {
      models[at].reads.forEach((one) => add([one], texts.reads, at, ""));
      below(at).forEach((one) => add([at], texts.reads, one, ""));
      if (models[at].rows_by.length) add(models[at].rows_by.filter(known), texts.chooses, at, models[at].conditions.join("\n"));
      return;
    }
    const depths = new Map();
    const depth = (name) => {
      if (!depths.has(name)) {
        depths.set(name, 0); // of one that extends itself
        depths.set(name, 1 + Math.max(-1, ...above(name).filter((one) => path.has(one)).map(depth)));
      }
      return depths.get(name);
    };
    [...path].map((name) => [depth(name), name]).sort((one, other) => one[0] - other[0] || one[1].localeCompare(other[1])).forEach(([, name]) => {
      const of = models[modelOf(name)].columns[columnOf(name)];
      if (above(name).length || of.sql.length) add(above(name), texts.makes, name, of.sql.join("\n"));
    });
    const choosing = [...path].filter((name) => name === at || reach(at, below).has(name));
    choosing.forEach((name) => (chooses[name] || []).forEach((model) => add([name], texts.chooses, model, models[model].conditions.join("\n"))));
    const own = models[modelOf(at)].rows_by.filter(known);
    if (own.length) add(own, texts.chooses, modelOf(at), models[modelOf(at)].conditions.join("\n"));
  }

  function render(focus) {
    draw();
    words();
    if (focus) place.querySelector(`a[data-name="${CSS.escape(focus)}"]`)?.focus();
  }

  // --- The page --------------------------------------------------------------------------------

  const input = document.getElementById("at");
  const names = Object.entries(models).flatMap(([name, { columns }]) => [name, ...Object.keys(columns).map((one) => `${name}.${one}`)]);
  document.getElementById("names").append(...names.map((name) => new Option(name, name)));
  input.form.addEventListener("submit", (event) => event.preventDefault());
  const missing = (name) => { document.getElementById("missing").textContent = name && !known(name) ? filled(texts.there_is_no, { name: name.slice(0, 100) }) : ""; };
  input.addEventListener("change", () => { missing(input.value); if (known(input.value)) location.hash = "at=" + encodeURIComponent(input.value); });
  document.getElementById("larger").addEventListener("click", () => zoom(1.25));
  document.getElementById("smaller").addEventListener("click", () => zoom(0.8));
  document.getElementById("fit").addEventListener("click", () => { scale = 0; zoom(0); });
  document.getElementById("unfold").addEventListener("click", () => { shown.forEach((name) => unfolded.add(name)); render(); });
  const follow = () => {
    const name = new URLSearchParams(location.hash.slice(1)).get("at") || "";
    start(name);
    input.value = at;
    missing(name);
  };
  window.addEventListener("hashchange", follow);
  follow();
})();
