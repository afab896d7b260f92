// A table that sorts by its column heads and shows so many rows at a time.
import { el } from "./dom.js";
import { defined } from "./format.js";
import { saveCsv } from "./download.js";
import { keep, recall } from "./state.js";

const plain = (value) => (typeof value === "number" ? String(Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential(2) : Number(value.toPrecision(5))) : (value ?? "–"));

function compare(a, b) {
  if (a === b) return 0;
  const noA = a === null || a === undefined || (typeof a === "number" && !defined(a));
  const noB = b === null || b === undefined || (typeof b === "number" && !defined(b));
  if (noA || noB) return noA ? 1 : -1; // what is missing stands last
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

/**
 * id: what its order and page are kept under, and the name of its CSV where csv() gives the rows of one.
 * columns: [{key, label, show(row) -> text or element, value(row) -> what it sorts by, numeric}]; absent: those of the rows.
 * Returns {element, setRows}.
 */
export function table({ id, caption, columns, rows, pageSize = 25, sort, csv }) {
  const names = columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))].map((key) => ({
    key,
    label: key,
    numeric: rows.some((row) => typeof row[key] === "number"),
  }));
  const valueOf = (column, row) => (column.value ? column.value(row) : row[column.key]);
  const kept = recall(id, {});
  let order = names.some((name) => name.key === kept.order?.key) ? kept.order : (sort ?? null); // {key, descending}
  let page = kept.page ?? 0;
  const heads = new Map();
  const body = el("tbody");
  const count = el("span", { class: "count", "aria-live": "polite" });
  const back = el("button", { type: "button", class: "small", onclick: () => show(page - 1) }, "Previous");
  const on = el("button", { type: "button", class: "small", onclick: () => show(page + 1) }, "Next");
  const download = csv && el("button", { type: "button", class: "small", onclick: () => saveCsv(csv(), id), "aria-label": `${caption}: download CSV` }, "CSV");
  const pager = el("div", { class: "pager" }, back, on, count, download);

  const sorted = () => {
    if (!order) return rows;
    const column = names.find((name) => name.key === order.key);
    const sign = order.descending ? -1 : 1;
    const missing = (row) => compare(valueOf(column, row), null) === -1 ? 0 : 1;
    return [...rows].sort((a, b) => missing(a) - missing(b) || sign * compare(valueOf(column, a), valueOf(column, b)));
  };
  const show = (wanted) => {
    const pages = Math.max(1, Math.ceil(rows.length / pageSize));
    page = Math.min(Math.max(0, wanted), pages - 1);
    const shown = sorted().slice(page * pageSize, (page + 1) * pageSize);
    body.replaceChildren(
      ...shown.map((row) =>
        el("tr", {}, names.map((column, i) => {
          const content = column.show ? column.show(row) : plain(row[column.key]);
          return i === 0 ? el("th", { scope: "row" }, content) : el("td", { class: column.numeric ? "numeric" : undefined }, content);
        })),
      ),
    );
    if (rows.length === 0) body.append(el("tr", {}, el("td", { colspan: names.length }, "No rows.")));
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
    keep(id, { order, page });
    count.textContent = pages > 1 ? `${page * pageSize + 1}–${page * pageSize + shown.length} of ${rows.length}` : `${rows.length} rows`;
    back.hidden = on.hidden = pages === 1;
    for (const [key, head] of heads) {
      if (order?.key === key) head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  const head = el("tr", {}, names.map((column) => {
    const button = el("button", {
      type: "button",
      class: "sort",
      onclick: () => {
        const again = order?.key === column.key;
        order = { key: column.key, descending: again ? !order.descending : Boolean(column.numeric) };
        show(0);
      },
    }, column.label);
    const cell = el("th", { scope: "col", class: column.numeric ? "numeric" : undefined }, button);
    heads.set(column.key, cell);
    return cell;
  }));
  const element = el(
    "div",
    { class: "table", id },
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, head), body)),
    pager,
  );
  show(page);
  return {
    element,
    setRows(now) {
      rows = now;
      show(0);
    },
  };
}
