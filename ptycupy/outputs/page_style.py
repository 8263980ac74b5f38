"""How report.html looks on a screen and on paper."""

STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 1080px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15em; margin: 2em 0 .5em; border-bottom: 1px solid #ccc; }
.when { color: #666; margin-top: .2em; }
.headline { display: flex; flex-wrap: wrap; gap: .6em 2.2em; margin: 1.2em 0; }
.headline dt { color: #666; font-size: .85em; } .headline dd { margin: 0; font-size: 1.3em; white-space: nowrap; }
nav { display: flex; flex-wrap: wrap; gap: .2em 1.2em; margin-top: 1.5em; font-size: .9em; } nav a { color: #06c; }
table { border-collapse: collapse; } td { padding: .15em 1.5em .15em 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: #666; white-space: nowrap; }
th { text-align: left; font-weight: 600; padding: .15em 1.5em .3em 0; border-bottom: 1px solid #ccc; }
.scroll { overflow-x: auto; } .scroll td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.scroll th { vertical-align: bottom; }
.warnings li { margin-bottom: .5em; }
.warnings { background: #fff6e0; border-left: 4px solid #e0a000; padding: .6em 2em; }
.fine { background: #eef7ee; border-left: 4px solid #4a9a4a; padding: .6em 1em; }
code { background: #f1f1f1; padding: .1em .3em; border-radius: 3px; }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 12px; line-height: 1.35; }
.pictures { display: flex; flex-wrap: wrap; gap: 1em 1.2em; margin-top: .8em; align-items: flex-start; }
figure { margin: 0; width: var(--width); max-width: 100%; } figure img { width: 100%; height: auto; display: block; }
figcaption { color: #555; font-size: .9em; margin-top: .3em; }
details summary { cursor: pointer; color: #06c; }
@page { margin: 15mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
  nav, summary { display: none; }
  details::details-content { content-visibility: visible; height: auto; }
  figure { width: calc(.62 * var(--width)); }
  figure, tr, li, .headline { break-inside: avoid; } h2 { break-after: avoid; margin-top: 1.4em; }
  table { break-after: avoid; }
  pre { white-space: pre-wrap; font-size: 7.5pt; columns: 2; }
}
"""
