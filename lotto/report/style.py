"""The style of ``report.html``: one column, figures side by side where they fit, light or dark as the system is."""

CSS = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c1e21; --quiet: #5c6370; --line: #d9dce1;
  --shade: #f3f5f8; --mark: #e3eefa; --glow: 1; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --ink: #e4e7eb; --quiet: #a0a8b3; --line: #363c45;
    --shade: #1e2329; --mark: #1d3550; --glow: 1.2; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
.finding { margin: 0; max-width: 46rem; padding-left: 1rem; border-left: 3px solid #0072b2; font-size: 1.06rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 1.5rem; margin-top: 2rem; align-items: end; }
figure { margin: 0; max-width: 36rem; }
svg { display: block; width: 100%; height: auto; color: var(--ink);
  filter: brightness(var(--glow)); }
figcaption, .note { color: var(--quiet); font-size: .875rem; }
figcaption { margin-top: .5rem; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
thead th { background: var(--shade); font-weight: 600; }
.mark > * { background: var(--mark); font-weight: 600; }
details { margin-top: 1rem; }
summary { cursor: pointer; padding: .4rem 0; font-weight: 600; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .35rem 1.25rem; margin: .75rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
pre, code { font: .875rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { margin: 0; padding: .8rem 1rem; overflow-x: auto; background: var(--shade); border-radius: 6px; }
a { color: inherit; }
"""
