"use strict";
// The page is whole without this script, which sorts and filters tables, and opens what a link leads to.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const direction = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const cell of head.parentElement.cells) cell.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const value = (row) => row.cells[head.cellIndex].dataset.value ?? "";
      const compare = (a, b) => {
        if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");  // no value: last
        const difference = Number(value(a)) - Number(value(b));
        return sign * (Number.isNaN(difference) ? value(a).localeCompare(value(b)) : difference);
      };
      const rows = [...body.rows];
      const fixed = rows.filter((row) => row.classList.contains("whole"));
      body.append(...rows.filter((row) => !fixed.includes(row)).sort(compare), ...fixed);
    });
  }
}
for (const field of document.querySelectorAll(".filter input")) {
  field.addEventListener("input", () => {
    const word = field.value.trim().toLowerCase();
    for (const item of document.querySelectorAll("[data-term]")) item.hidden = !item.dataset.term.toLowerCase().includes(word);
  });
}
const reveal = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) { target.hidden = false; target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
