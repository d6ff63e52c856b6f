"""The style sheet of `report.html`: light and dark by the reader's choice, system fonts, nothing fetched."""

STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #fff; --ink: #1d1d22; --quiet: #6b6b76; --line: #e4e2dc;
  --now: #4f46c8; --before: #b9b6ad; --good: #1c7c4d; --under: #9a6700; --over: #b3372f; --tint: #eeedfb; }
@media (prefers-color-scheme: dark) { :root { --paper: #16161a; --card: #1f1f25; --ink: #ececf1; --quiet: #9a9aa6;
  --line: #33333c; --now: #8f88ff; --before: #5a5a66; --good: #5bc28c; --under: #e0b04a; --over: #f08078;
  --tint: #28283a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 40px; line-height: 1.1; margin: 4px 0 8px; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 0 0 4px; letter-spacing: -0.01em; }
h3 { font-size: 15px; font-weight: 500; margin: 28px 0 10px; }
p { margin: 0 0 12px; }
.eyebrow { margin: 0; color: var(--now); font-weight: 600; font-size: 13px; }
.quiet, small { color: var(--quiet); }
.quiet { font-size: 14px; overflow-wrap: anywhere; }
small { display: block; font-size: 12px; font-weight: 400; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 24px;
  margin-top: 20px; }
.verdict { display: flex; flex-wrap: wrap; gap: 24px 40px; align-items: center; border-left: 6px solid var(--quiet); }
.verdict.good { border-left-color: var(--good); } .verdict.under { border-left-color: var(--under); }
.verdict.over { border-left-color: var(--over); }
.verdict .words { flex: 1 1 380px; } .verdict h2 { font-size: 26px; margin: 10px 0 6px; }
.figures { display: flex; gap: 32px; flex-wrap: wrap; }
.figure b { display: block; font-size: 38px; line-height: 1.1; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.figure span { color: var(--quiet); font-size: 13px; display: block; max-width: 13ch; line-height: 1.3; }
.figure.now b { color: var(--now); }
.badge { display: inline-block; padding: 2px 10px; border-radius: 99px; font-size: 13px; font-weight: 600;
  border: 1px solid currentColor; }
.badge.good { color: var(--good); } .badge.under { color: var(--under); } .badge.over { color: var(--over); }
.badge.none { color: var(--quiet); }
table { width: 100%; border-collapse: collapse; margin-top: 12px; }
th, td { text-align: left; padding: 10px 16px 10px 0; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--quiet); font-size: 13px; font-weight: 500; padding-bottom: 6px; }
tbody th { font-weight: 500; }
tr.best { background: var(--tint); } tr.best th { box-shadow: inset 4px 0 var(--now); }
.cells th, .cells td { padding-left: 12px; }
.reason { color: var(--quiet); font-size: 14px; }
.number { font-variant-numeric: tabular-nums; } .number i { font-style: normal; color: var(--quiet); }
table + .quiet { margin: 14px 0 0; }
.measured { white-space: nowrap; }
.bar { display: inline-block; vertical-align: middle; width: 96px; height: 8px; border-radius: 4px; margin-right: 10px;
  background: var(--line); overflow: hidden; }
.bar > span { display: block; height: 100%; background: var(--before); border-radius: 4px; }
.cells .bar { width: 72px; }
.bar.now > span { background: var(--now); }
img { display: block; max-width: 100%; }
img.grid { margin-top: 12px; border-radius: 8px; border: 1px solid var(--line); }
.kind { color: var(--quiet); font-size: 13px; border: 1px solid var(--line); border-radius: 6px; padding: 1px 8px;
  margin-right: 10px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 16px; }
figure { margin: 0; }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; background: var(--line);
  border: 2px solid transparent; }
figure.lora img { border-color: var(--now); } figure.base img { border-color: var(--before); }
figcaption { font-size: 12px; color: var(--quiet); margin-top: 6px; line-height: 1.4; }
figcaption b { color: var(--ink); font-weight: 600; }
.fix { border-top: 1px solid var(--line); padding: 14px 0 6px; } .fix p { margin-bottom: 6px; }
.strip { display: flex; flex-wrap: wrap; gap: 8px; } .strip figure { width: 96px; }
.strip figcaption { overflow-wrap: anywhere; }
.gone { display: flex; align-items: center; justify-content: center; aspect-ratio: 1; border-radius: 8px; padding: 6px;
  background: var(--line); color: var(--quiet); font-size: 11px; overflow: hidden; overflow-wrap: anywhere; }
.answer span { margin-right: 20px; } .answer .bar { width: 72px; margin-right: 8px; }
.question img { border-radius: 8px; border: 1px solid var(--line); } .question summary { margin-bottom: 8px; }
details { border-top: 1px solid var(--line); padding: 10px 0; } details:first-child { border-top: 0; }
summary { cursor: pointer; font-weight: 600; }
dl { margin: 12px 0 0; display: grid; grid-template-columns: minmax(160px, 2fr) 3fr; gap: 4px 20px; font-size: 14px; }
dt { color: var(--quiet); overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 640px) { main { padding: 24px 14px 60px; } h1 { font-size: 30px; } section { padding: 16px;
  overflow-x: auto; } .bar { width: 48px; } .reason { display: none; } dl { grid-template-columns: 1fr; } }
"""
