/** Served at /assets/sallyport.css. System fonts, light and dark, no external resource. */
export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1b2430, #e6eaf0);
  --muted: light-dark(#5c6878, #98a4b5);
  --paper: light-dark(#f6f7f9, #12161c);
  --card: light-dark(#ffffff, #1a2029);
  --line: light-dark(#dde2e9, #2d3642);
  --accent: light-dark(#14507a, #7cc0ee);
  --on-accent: light-dark(#ffffff, #0c1319);
  --danger: light-dark(#a3261d, #ff8f85);
  --good: light-dark(#1d6b3a, #7fd6a0);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1.5rem; padding: 0.75rem 1.5rem; background: var(--card); border-bottom: 1px solid var(--line); }
header nav { display: flex; gap: 1rem; }
.brand { font-weight: 700; letter-spacing: 0.01em; color: var(--ink); text-decoration: none; }
.who { display: flex; align-items: center; gap: 0.75rem; margin-left: auto; color: var(--muted); }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 1rem 1.25rem; margin: 1rem 0; }
.muted { color: var(--muted); }
.good { color: var(--good); }
.danger { color: var(--danger); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; }
th, td { padding: 0.5rem 0.75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-size: 0.85rem; font-weight: 600; color: var(--muted); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
td form { display: inline; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
code, pre, .code { font: 0.9rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; margin: 0.5rem 0; padding: 0.75rem 1rem; background: var(--paper); border: 1px solid var(--line); border-radius: 0.4rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.code { font-size: 1.75rem; letter-spacing: 0.15em; }
label { display: block; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; align-items: end; gap: 0.75rem; }
input, select, textarea { max-width: 100%; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.4rem 0.6rem; }
button { font: inherit; font-weight: 600; cursor: pointer; color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: 0.4rem; padding: 0.4rem 0.9rem; }
button.quiet, button.deny { font-weight: 400; background: transparent; color: var(--ink); border-color: var(--line); }
button.deny { color: var(--danger); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
`;
