// The pages' own script: draws charts, fills tables, filters, searches. Plain, so that it runs from a file.
"use strict";
(function () {
  const report = (window.report = window.report || {});
  report.data = report.data || {};
  const page = JSON.parse(document.getElementById("page").textContent);
  const locale = page.language === "fr" ? "fr-FR" : "en-GB";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // Exact, whatever its size: the digits are grouped as they are.
  function grouped(text, decimals) {
    const sign = text.startsWith("-") ? "-" : "";
    const [whole, rest] = text.replace("-", "").split(".");
    const digits = BigInt(whole || "0").toLocaleString(locale);
    const mark = page.language === "fr" ? "," : ".";
    const cents = (rest || "").padEnd(decimals, "0").slice(0, Math.max(decimals, 0));
    return sign + digits + (decimals ? mark + cents : "");
  }

  function worded(value, as, values) {
    if (value === null || value === undefined) return "–";
    if (values && Object.hasOwn(values, value)) return values[value];
    const utc = { timeZone: "UTC" };
    switch (as) {
      case "month": return new Date(value + "T00:00:00Z").toLocaleDateString(locale, { ...utc, month: "long", year: "numeric" });
      case "day": return new Date(value + "T00:00:00Z").toLocaleDateString(locale, { ...utc, day: "numeric", month: "short", year: "numeric" });
      case "euros": return page.language === "fr" ? grouped(value, 2) + " €" : (value.startsWith("-") ? "-€" : "€") + grouped(value.replace("-", ""), 2);
      case "percent": return (Number(value) > 0 ? "+" : "") + grouped(value, 1) + " %";
      case "share": return grouped(value, 1) + " %";
      case "curve": {
        const amounts = value.split(" ");
        return [amounts[0], amounts[amounts.length - 1]].map((one) => worded(one, "euros")).join(" → ");
      }
      case "decimal": return grouped(value, 2);
      case "count": return grouped(value.split(".")[0], 0);
    }
    return value;
  }
  const isNumber = (as) => ["euros", "percent", "share", "decimal", "count"].includes(as);

  // Two numbers in order, whatever their size.
  function compared(one, other) {
    const whole = (text) => {
      const [left, right] = text.split(".");
      return BigInt(left + (right || "").padEnd(6, "0").slice(0, 6));
    };
    const a = whole(one), b = whole(other);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  // A curve as small as a word, for the eye; its ends stand beside it in words.
  function curve(value) {
    const points = value.split(" ").map(Number), most = Math.max(...points, 1);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    const x = (place) => (points.length > 1 ? (96 * place) / (points.length - 1) : 0) + 2;
    line.setAttribute("points", points.map((y, place) => x(place).toFixed(1) + "," + (22 - (20 * y) / most).toFixed(1)).join(" "));
    svg.setAttribute("viewBox", "0 0 100 24");
    svg.setAttribute("class", "curve");
    svg.setAttribute("aria-hidden", "true");
    svg.append(line);
    return svg;
  }

  // What the address asks for; a month that is none counts as none.
  function chosen() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    ["from", "to"].forEach((name) => { if (!/^\d{4}-\d\d$/.test(wanted.get(name) || "")) wanted.delete(name); });
    return wanted;
  }

  // Words of what was filtered out go; a chart that cannot be filtered so says that it shows all.
  function tellFilters(place, chart, rows) {
    const wanted = chosen(), names = chart.columns.map((column) => column.name);
    place.querySelectorAll(".words").forEach((said) => {
      const { entity, month } = said.dataset;
      said.hidden = Boolean((entity && wanted.get("entity") && entity !== wanted.get("entity")) ||
        (month && wanted.get("from") && month < wanted.get("from")) || (month && wanted.get("to") && month > wanted.get("to")));
    });
    const lacks = [];
    if (wanted.get("entity") && !names.includes("entity")) lacks.push(page.texts.by_entity);
    if ((wanted.get("from") || wanted.get("to")) && !names.includes("month")) lacks.push(page.texts.by_month);
    const all = place.querySelector(".unfiltered");
    all.hidden = !lacks.length;
    all.textContent = page.texts.not_by.replace("{what}", lacks.join(", "));
    place.querySelector(".nothing").hidden = rows.length > 0 || !(report.data[chart.name] || []).length;
  }

  function kept(rows) {
    const wanted = chosen();
    return rows.filter((row) =>
      (!wanted.get("entity") || !("entity" in row) || row.entity === wanted.get("entity")) &&
      (!wanted.get("from") || !row.month || row.month.slice(0, 7) >= wanted.get("from")) &&
      (!wanted.get("to") || !row.month || row.month.slice(0, 7) <= wanted.get("to")));
  }

  function fill(place, chart, rows) {
    const table = place.querySelector("table");
    table.replaceChildren();
    const caption = table.createCaption();
    caption.textContent = chart.title;
    const head = table.createTHead().insertRow();
    chart.columns.forEach((column) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (isNumber(column.as)) cell.className = "number";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.title;
      button.addEventListener("click", () => {
        const up = cell.getAttribute("aria-sort") !== "ascending";
        const value = (row) => row[column.name];
        const order = [...rows].sort((one, other) => {
          const a = value(one), b = value(other);
          if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
          return isNumber(column.as) ? compared(a, b) : a.localeCompare(b, locale);
        });
        fill(place, chart, up ? order : order.reverse());
        const now = table.querySelectorAll("th")[chart.columns.indexOf(column)];
        now.setAttribute("aria-sort", up ? "ascending" : "descending");
        now.querySelector("button").focus();
      });
      cell.append(button);
      head.append(cell);
    });
    const body = table.createTBody();
    rows.forEach((row) => {
      const line = body.insertRow();
      chart.columns.forEach((column) => {
        const cell = line.insertCell();
        if (isNumber(column.as)) cell.className = "number";
        cell.textContent = worded(row[column.name], column.as, column.values);
        if (column.as === "curve" && row[column.name]) cell.prepend(curve(row[column.name]));
      });
    });
  }

  // Whether there is a value to draw, in one layer at least.
  function isDrawable(one, rows) {
    if (one.layer) return one.layer.some((layer) => isDrawable(layer, rows));
    const amounts = [one.encoding.x, one.encoding.y].filter((of) => of && of.type === "quantitative");
    return rows.length > 0 && amounts.every(({ field }) => rows.some((row) => row[field] !== null));
  }

  function drawn(chart, rows) {
    const ink = dark.matches ? "#f2f2f2" : "#1a1a1a";
    // Of Okabe and Ito, told apart by whoever is colour-blind.
    const colours = [dark.matches ? "#56B4E9" : "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#E69F00"];
    const parse = {};
    chart.columns.forEach((column) => {
      if (column.as === "month" || column.as === "day") parse[column.name] = "utc:'%Y-%m-%d'";
    });
    const titles = Object.fromEntries(chart.columns.map((c) => [c.name, c.title]));
    const spec = JSON.parse(JSON.stringify(chart.vega), (key, value) =>
      value && typeof value === "object" && value.field && !("title" in value)
        ? { ...value, title: titles[value.field] || value.field,
            ...(value.timeUnit ? { timeUnit: { unit: value.timeUnit.replace("utc", ""), utc: true } } : {}) }
        : value);
    const tooltip = chart.columns.map((c) => c.name);
    const column = Object.fromEntries(chart.columns.map((c) => [c.name, c]));
    const drawable = (name, value) => {
      if (value === null || !Object.hasOwn(column, name)) return value;
      const { as, values } = column[name];
      return isNumber(as) ? Number(value) : values && Object.hasOwn(values, value) ? values[value] : value;
    };
    const named = rows.map((row) => Object.fromEntries(
      [...Object.entries(row).map(([name, value]) => [name, drawable(name, value)]), ...tooltip.map((n) => ["shown_" + n, worded(row[n], column[n].as, column[n].values)])]));
    const tips = tooltip.map((n) => ({ field: "shown_" + n, type: "nominal", title: titles[n] }));
    // A colour stays with what it stands for, whatever is filtered out.
    const coloured = spec.encoding && spec.encoding.color;
    if (coloured && coloured.type === "nominal") {
      const all = (report.data[chart.name] || []).map((row) => drawable(coloured.field, row[coloured.field]));
      coloured.scale = { domain: [...new Set(all)], range: colours };
    }
    // Layers are told apart by what they show.
    if (spec.layer) spec.layer = spec.layer.filter((one) => isDrawable(one, rows));
    const layers = spec.layer || [];
    const shows = layers.map((one) => titles[one.name] || titles[one.encoding.y.field]);
    layers.forEach((one, place) => {
      one.encoding.color = { datum: shows[place], type: "nominal", title: null, scale: { domain: shows, range: [colours[0], ...colours.slice(2)] } };
      if (place && !spec.resolve) one.encoding.y.title = "";
    });
    (spec.layer || [spec]).forEach((one) => { if (one.encoding.y.aggregate === undefined) one.encoding = { ...one.encoding, tooltip: tips }; });
    return {
      $schema: "https://vega.github.io/schema/vega-lite/v6.json",
      width: "container", height: 260, background: null, description: chart.title,
      data: { values: named, format: { parse } },
      config: {
        axis: { labelColor: ink, titleColor: ink, gridOpacity: 0.3, domainColor: ink, tickColor: ink },
        legend: { labelColor: ink, titleColor: ink },
        view: { stroke: null },
        range: { category: colours },
        mark: { invalid: "break-paths-filter-domains" },
        bar: { color: colours[0] }, line: { color: colours[0] },
      },
      ...spec,
    };
  }

  const french = { decimal: ",", thousands: " ", grouping: [3], currency: ["", " €"] };
  const frenchTime = {
    dateTime: "%A %e %B %Y à %X", date: "%d/%m/%Y", time: "%H:%M:%S", periods: ["", ""],
    days: ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
    shortDays: ["dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."],
    months: ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
    shortMonths: ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."],
  };

  function show() {
    (page.charts || []).forEach((chart) => {
      const place = document.getElementById(chart.name);
      const rows = kept(report.data[chart.name] || []);
      fill(place, chart, rows);
      tellFilters(place, chart, rows);
      const canvas = place.querySelector(".drawn");
      if (canvas && chart.vega && !isDrawable(chart.vega, rows)) canvas.replaceChildren();
      else if (canvas && chart.vega && window.vegaEmbed) {
        const options = { actions: false, renderer: "svg", hover: false };
        if (page.language === "fr") Object.assign(options, { formatLocale: french, timeFormatLocale: frenchTime });
        window.vegaEmbed(canvas, drawn(chart, rows), options).catch((error) => { canvas.textContent = String(error); });
      }
    });
  }

  const filters = document.querySelector("form.filters");
  if (filters) {
    const entities = new Set(), months = new Set();
    (page.charts || []).forEach((chart) => (report.data[chart.name] || []).forEach((row) => {
      if (row.entity) entities.add(row.entity);
      if (row.month) months.add(row.month.slice(0, 7));
    }));
    [...entities].sort().forEach((name) => filters.elements.entity.append(new Option(name, name)));
    const sorted = [...months].sort();
    filters.elements.entity.closest("label").hidden = !entities.size;
    filters.hidden = !entities.size && !months.size;
    ["from", "to"].forEach((name) => {
      filters.elements[name].closest("label").hidden = !months.size;
      filters.elements[name].min = sorted[0] || "";
      filters.elements[name].max = sorted[sorted.length - 1] || "";
    });
    const restore = () => {
      const wanted = chosen();
      ["entity", "from", "to"].forEach((name) => { filters.elements[name].value = wanted.get(name) || ""; });
    };
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("change", () => {
      const wanted = new URLSearchParams();
      ["entity", "from", "to"].forEach((name) => {
        if (filters.elements[name].value) wanted.set(name, filters.elements[name].value);
      });
      location.hash = wanted.toString();
    });
    window.addEventListener("hashchange", () => { restore(); show(); });
    restore();
  }

  const search = document.getElementById("search");
  if (search) {
    const list = document.getElementById("found");
    const find = () => {
      const words = search.value.toLocaleLowerCase(locale).split(/\s+/).filter(Boolean);
      document.getElementById("all").hidden = words.length > 0;
      list.replaceChildren();
      if (!words.length) return;
      report.search
        .filter((one) => words.every((word) => one.text.includes(word)))
        .slice(0, 50)
        .forEach((one) => {
          const item = document.createElement("li"), link = document.createElement("a");
          link.href = one.url;
          link.textContent = one.name;
          item.append(link, one.said ? " " + one.said : "");
          list.append(item);
        });
    };
    search.addEventListener("input", () => { find(); history.replaceState(null, "", "#q=" + encodeURIComponent(search.value)); });
    search.value = chosen().get("q") || "";
    find();
  }

  const sample = document.getElementById("sample");
  if (sample && report.sizes[sample.dataset.of]) {
    const of = report.sizes[sample.dataset.of];
    if (of.rows !== null) document.getElementById("size").textContent = page.texts.number_of_rows.replace("{number}", worded(of.rows, "count"));
    sample.createCaption().textContent = page.texts.sample;
    const head = sample.createTHead().insertRow(), body = sample.createTBody();
    of.columns.forEach((name) => { const cell = document.createElement("th"); cell.scope = "col"; cell.textContent = name; head.append(cell); });
    of.sample.forEach((row) => { const line = body.insertRow(); row.forEach((value) => { line.insertCell().textContent = value === null ? "–" : value; }); });
  }

  document.querySelectorAll("a[data-csv]").forEach((link) => link.addEventListener("click", () => {
    const rows = [...document.getElementById(link.dataset.csv).rows].map((row) =>
      [...row.cells].map((cell) => '"' + cell.textContent.trim().replaceAll('"', '""') + '"').join(","));
    link.href = "data:text/csv;charset=utf-8," + encodeURIComponent("\ufeff" + rows.join("\r\n") + "\r\n");
  }));
  document.querySelectorAll("a[data-svg]").forEach((link) => link.addEventListener("click", () => {
    const text = new XMLSerializer().serializeToString(document.querySelector(link.dataset.svg));
    link.href = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  }));
  document.querySelectorAll("a.language").forEach((link) => link.addEventListener("click", () => { link.hash = location.hash; }));
  // The choice goes along to other pages of figures.
  if (filters) document.querySelectorAll("nav a:not(.language)").forEach((link) => link.addEventListener("click", () => { link.hash = location.hash; }));
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  dark.addEventListener("change", show);
  show();
})();
