// The graph of lineage: what each model and column is made of, and what depends on it. Plain, so that it runs from a file.
"use strict";
(function () {
  const models = window.report.lineage;
  const modelOf = (name) => name.split(".").slice(0, 2).join(".");
  const columnOf = (name) => name.split(".").slice(2).join(".");
  const isColumn = (name) => !Object.hasOwn(models, name);

  // What is made of each column, whose rows it chooses, what reads each model.
  const made = Object.create(null), chooses = Object.create(null), readers = Object.create(null);
  const put = (into, key, value) => (into[key] = into[key] || []).push(value);
  Object.entries(models).forEach(([name, model]) => {
    model.reads.forEach((other) => put(readers, other, name));
    model.rows_by.forEach((column) => put(chooses, column, name));
    Object.entries(model.columns).forEach(([column, { of }]) => of.forEach((one) => put(made, one, `${name}.${column}`)));
  });
  const known = (name) => Object.hasOwn(models, name) ||
    (Object.hasOwn(models, modelOf(name)) && Object.hasOwn(models[modelOf(name)].columns, columnOf(name)));
  const above = (name) => (isColumn(name) ? models[modelOf(name)].columns[columnOf(name)].of.filter(known) : models[name].reads);
  const below = (name) => (isColumn(name) ? made : readers)[name] || [];

  function reach(start, next) {
    const found = new Set([start]), todo = [start];
    while (todo.length) next(todo.pop()).forEach((one) => { if (!found.has(one)) { found.add(one); todo.push(one); } });
    found.delete(start);
    return found;
  }

  // What would change with a model or column: columns made of it, and models whose rows it chooses.
  function impact(name) {
    const started = isColumn(name) ? [name] : Object.keys(models[name].columns).map((column) => `${name}.${column}`);
    const columns = new Set(started), rows = new Set(), todo = [...started], todoRows = isColumn(name) ? [] : [name];
    while (todo.length || todoRows.length) {
      while (todo.length) {
        const column = todo.pop();
        todoRows.push(...(chooses[column] || []));
        (made[column] || []).forEach((one) => { if (!columns.has(one)) { columns.add(one); todo.push(one); } });
      }
      const model = todoRows.pop();
      if (model && !rows.has(model)) { rows.add(model); todoRows.push(...(readers[model] || [])); }
    }
    started.forEach((one) => columns.delete(one));
    rows.delete(name);
    const values = new Set([...columns].map(modelOf));
    return { values: [...values].sort(), rows: [...rows].filter((one) => !values.has(one)).sort() };
  }

  window.report.graph = { models, modelOf, columnOf, isColumn, chooses, readers, known, above, below, reach, impact, put };
})();
