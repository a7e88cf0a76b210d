// Tables that sort by a click or a key, lists that a word filters, links into folded parts, and
// what stands elsewhere on paper.
// Everything is readable without this script.
"use strict";
(() => {
  const ORDER = new Intl.Collator("en", { numeric: true });

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const told = cell.dataset.value;
    if (told !== undefined) return Number(told);
    const text = cell.textContent.trim();
    return text === "–" ? NaN : text;
  };

  const compare = (one, other) => {
    const lacks = (value) => Number.isNaN(value);
    if (lacks(one) || lacks(other)) return null; // what has no value stays last
    if (typeof one === "number" && typeof other === "number") return one - other;
    return ORDER.compare(String(one), String(other));
  };

  const sort = (table, head) => {
    const column = head.cellIndex;
    const falling = head.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
    rows.sort(([one], [other]) => {
      const order = compare(one, other);
      if (order === null) return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
      return falling ? -order : order;
    });
    for (const [, row] of rows) body.append(row);
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    if (table.tBodies[0].rows.length < 2) continue;
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "sort by this column";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head));
    }
  }

  // <input data-filter=".pair"> shows those of these elements whose name holds all of its words;
  // the name of a row of a table is in its columns of words.
  const nameOf = (one) =>
    one.dataset.name ?? [...one.querySelectorAll(".words")].map((c) => c.textContent).join(" ");
  for (const field of document.querySelectorAll("input[data-filter]")) {
    const every = [...document.querySelectorAll(field.dataset.filter)];
    const named = every.filter((one) => one.dataset.name !== undefined);
    const told = field.parentElement.querySelector("output");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const one of every) {
        const name = nameOf(one).toLowerCase();
        one.hidden = !words.every((word) => name.includes(word));
      }
      const shown = named.filter((one) => !one.hidden).length;
      if (told) told.textContent = words.length ? `${shown} of ${named.length}` : "";
    });
  }

  // On paper, what has data-print stands at the head of the element that this names.
  const away = [...document.querySelectorAll("[data-print]")].map((one) => {
    const mark = document.createComment("");
    return [one, mark, document.querySelector(one.dataset.print)];
  });
  addEventListener("beforeprint", () => {
    for (const [one, mark, home] of away) {
      one.replaceWith(mark);
      home.querySelector("summary").after(one);
    }
  });
  addEventListener("afterprint", () => {
    for (const [one, mark] of away) mark.replaceWith(one);
  });

  // What a link leads to is unfolded, with all that it is folded into.
  const unfold = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    let one = name && document.getElementById(name);
    if (!one) return;
    for (let up = one; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    one.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
