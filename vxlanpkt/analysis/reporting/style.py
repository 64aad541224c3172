"""The style and the script of the page. The page allows these two by their hashes, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

STYLE = """
:root { color-scheme: light dark; --back: #fff; --panel: #f4f6f8; --line: #d5dbe2; --text: #1b2129; --soft: #55606d;
  --link: #0b5cad; --good: #15803d; --bad: #b42318; --warn: #8a5a00; --badback: #fdecea;
  --c0: #1f5fbf; --c1: #d9660a; --c2: #15803d; --c3: #8b3fd1; --c4: #0e7490; --c5: #be185d; --c6: #8a6d00;
  --c7: #b91c1c; --c8: #4d7c0f; --rest: #7b8794;
  --h1: #e8f0fb; --h2: #cfe0f6; --h3: #aecbef; --h4: #85b0e4; --h5: #2f6fc4; --h6: #1d4f95; --h7: #123765;
  --hdark: #0d1b2b; --hlight: #fff; }
@media (prefers-color-scheme: dark) { :root { --back: #12161b; --panel: #1b2128; --line: #323b46; --text: #e6eaef;
  --soft: #a3afbd; --link: #7ab7ff; --good: #5bd08a; --bad: #ff8f85; --warn: #f0c05a; --badback: #3a1a18;
  --c0: #6ea8fe; --c1: #fb923c; --c2: #4ade80; --c3: #c792ff; --c4: #22d3ee; --c5: #f472b6; --c6: #facc15;
  --c7: #f87171; --c8: #a3e635; --rest: #8c98a5;
  --h1: #1a2736; --h2: #1d3450; --h3: #20426b; --h4: #245289; --h5: #5b9bea; --h6: #8dbcf5; --h7: #bcd8fb;
  --hdark: #e6eaef; --hlight: #0b1622; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, nav, footer { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 24px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h1 small { display: block; font-size: .85rem; font-weight: 600; color: var(--soft); letter-spacing: .04em;
  text-transform: uppercase; }
h2 { font-size: 1.25rem; margin: 40px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 22px 0 6px; }
p { margin: 8px 0; max-width: 80ch; overflow-wrap: anywhere; }
a { color: var(--link); }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--panel);
  padding: 1px 5px; border-radius: 4px; overflow-wrap: anywhere; }
small, .how, .nothing, .look { color: var(--soft); }
.how { font-size: .9rem; }
.fault { border: 2px solid var(--bad); background: var(--badback); border-radius: 8px; padding: 10px 14px;
  margin: 14px 0; max-width: none; }
.fault b { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 16px 0;
  padding: 0;  list-style: none; }
.tiles li { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
.tiles b { display: block; font-size: 1.3rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 12px 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: center; margin-top: 8px; }
nav label { margin-left: auto; color: var(--soft); }
nav input { width: 9em; font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line);
  border-radius: 6px; padding: 3px 8px; }
.signs { list-style: none; padding: 0; margin: 8px 0; display: grid; gap: 4px; }
.signs li { padding-left: 26px; position: relative; }
.signs li::before { position: absolute; left: 2px; font-weight: 700; content: "\\2713"; color: var(--good); }
.signs li.warn::before { content: "!"; left: 6px; color: var(--bad); }
.signs li.note::before { content: "i"; left: 6px; color: var(--link); }
.scroll { overflow: auto; max-height: 34rem; max-width: 100%; width: fit-content;
  border: 1px solid var(--line); border-radius: 8px;  margin: 12px 0; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 6px 10px; color: var(--soft); }
th, td { padding: 4px 10px; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line);
  vertical-align: baseline; }
td.wrap { white-space: normal; min-width: 14rem; max-width: 26rem; }
thead th { position: sticky; top: 0; background: var(--panel); z-index: 1; }
tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
.n { text-align: right; }
.sorts th { cursor: pointer; }
.sorts th[aria-sort]::after { content: " \\25be"; }
.sorts th[aria-sort="ascending"]::after { content: " \\25b4"; }
.bar { width: 90px; height: 10px; vertical-align: middle; }
.bar rect { fill: var(--c0); }
.bar rect.back { fill: var(--line); }
.chart { max-height: none; width: auto; background: var(--back); }
.chart svg { display: block; width: 100%; min-width: 860px; height: auto; }
.chart text { font-size: 12px; fill: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; }
.hint { fill: transparent; }
.hint:hover { fill: var(--text); fill-opacity: .08; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); }
.c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); } .c7 { fill: var(--c7); }
.c8 { fill: var(--c8); } .rest { fill: var(--rest); }
.smalls { list-style: none; padding: 0; display: grid; gap: 10px 16px; margin: 12px 0;
  grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
.smalls svg { display: block; width: 100%; height: 40px; border-bottom: 1px solid var(--line); }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0; }
.swatch { width: 12px; height: 12px; margin-right: 6px; vertical-align: -1px; }
.matrix th[scope=row] { position: sticky; left: 0; background: var(--panel); font-weight: 500; }
.matrix thead th { vertical-align: bottom; font-weight: 500; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.matrix thead th:first-child { left: 0; z-index: 2; }
.matrix td { text-align: right; border: 1px solid var(--line); }
.matrix td small { display: block; color: inherit; }
.h1 { background: var(--h1); } .h2 { background: var(--h2); } .h3 { background: var(--h3); }
.h4 { background: var(--h4); }
.matrix td[class] { color: var(--hdark); }
.matrix td.h5, .matrix td.h6, .matrix td.h7 { color: var(--hlight); }
.h5 { background: var(--h5); } .h6 { background: var(--h6); } .h7 { background: var(--h7); }
summary { cursor: pointer; color: var(--link); margin: 8px 0; }
footer { margin-top: 48px; padding-bottom: 40px; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .9rem; }
[hidden] { display: none !important; }
@media (max-width: 600px) { main, header, nav, footer { padding-left: 14px; padding-right: 14px; }
  nav label { margin-left: 0; width: 100%; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; } }
@media print { .scroll { max-height: none; overflow: visible; } nav label { display: none; } }
"""

# Sorting, and rows of one VNI alone. Without it the page says the same.
SCRIPT = """
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  table.classList.add("sorts");
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), undefined, {numeric: true});
  heads.forEach((head, at) => {
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => compare(key(a, at), key(b, at)) * (down ? -1 : 1));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...rows);
    };
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
const label = document.getElementById("only");
label.hidden = false;
const field = label.querySelector("input");
field.addEventListener("input", () => {
  const wanted = field.value.trim();
  for (const row of document.querySelectorAll("tr[data-vni]"))
    row.hidden = wanted !== "" && row.dataset.vni !== wanted;
});
"""


def allowed(source: str) -> str:
    """What a policy calls an inline style or script."""
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


CONTENT_POLICY = (
    f"default-src 'none'; style-src {allowed(STYLE)}; script-src {allowed(SCRIPT)}; base-uri 'none'; form-action 'none'"
)
