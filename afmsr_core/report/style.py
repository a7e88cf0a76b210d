"""The style sheet of the page: for the screen from 1024 pixels on, and for print."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
:root { --ink: #1b1f24; --soft: #56606b; --line: #d5dae0; --band: #f5f7f9; --link: #1f5a94; }
* { box-sizing: border-box; }
html { font-size: 15px; }
body { margin: 0 auto; max-width: 1240px; padding: 1.6rem 1.5rem 4rem; color: var(--ink);
  background: #fff; line-height: 1.5;
  font-family: "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .6rem; padding-top: .9rem;
  border-top: 2px solid var(--ink); }
h3 { font-size: 1.08rem; margin: 1.7rem 0 .5rem; }
p { margin: .5rem 0; max-width: 78ch; }
.meta { color: var(--soft); margin: 0 0 1rem; }
a { color: var(--link); }
nav { font-size: .93rem; margin: 1rem 0; }
nav a { margin-right: 1.1rem; white-space: nowrap; }
.summary { background: var(--band); border-left: 4px solid var(--link); padding: .5rem 1.1rem; }
.summary li { margin: .35rem 0; max-width: 100ch; }
.summary ul { padding-left: 1.1rem; margin: .4rem 0; }
.table { overflow-x: auto; margin: 1rem 0 1.5rem; }
table { border-collapse: collapse; font-size: .88rem; border-bottom: 1.5px solid var(--ink);
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0 0 .4rem; white-space: nowrap; }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink);
  vertical-align: bottom; text-align: right; font-weight: 600; line-height: 1.3;
  max-width: 9.5rem; }
thead small { display: block; font-weight: 400; color: var(--soft); font-size: .85em;
  white-space: nowrap; }
th, td { padding: .22rem .6rem; text-align: right; }
tbody th { font-weight: 400; white-space: nowrap; }
.words, thead th.words { text-align: left; }
th:first-child, td:first-child { padding-left: .2rem; }
tbody tr:nth-child(even) { background: var(--band); }
td b { font-weight: 700; }
sup { font-size: .72em; line-height: 0; color: var(--soft); margin-left: .1em; }
.notes { font-size: .82rem; color: var(--soft); }
.notes p { margin: .18rem 0; max-width: 110ch; }
figure { margin: 1.2rem 0 1.6rem; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .85rem; color: var(--soft); max-width: 110ch; margin-top: .35rem; }
.two { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem 1.6rem; }
.two figure { margin: .4rem 0; }
details { border-top: 1px solid var(--line); padding: .35rem 0; }
details > summary { cursor: pointer; font-weight: 600; padding: .2rem 0; }
summary .status { font-weight: 400; color: var(--soft); }
summary .bad { color: #a02020; font-weight: 600; }
details[open] { padding-bottom: 1rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem;
  font-size: .86rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
td { white-space: nowrap; }
[id^="table-paired"] tbody th { white-space: normal; }
td.words { white-space: normal; overflow-wrap: break-word; }
[id^="table-paired"] td.words { white-space: nowrap; }
[id^="table-numbers"] td, [id^="table-pair-numbers"] td { white-space: normal; }
#table-settings td, #table-settings th { overflow-wrap: anywhere; white-space: normal; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem; }
@media print {
  @page { size: A4; margin: 14mm 12mm; }
  html { font-size: 9.2pt; }
  body { max-width: none; padding: 0; }
  nav { display: none; }
  a { color: inherit; text-decoration: none; }
  .table { overflow: visible; }
  caption { white-space: normal; }
  table { font-size: .8rem; }
  th, td { padding: .12rem .34rem; }
  thead { display: table-header-group; }
  tr, figure, .summary { break-inside: avoid; }
  h2, h3, caption, details > summary { break-after: avoid; }
  .two { display: block; }
  .two img { max-width: 80%; }
  details::details-content { content-visibility: visible; height: auto; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""
